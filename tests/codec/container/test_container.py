"""The container file: round trips, in any order, at the promised sizes."""

import io
import os
import random
import re
import tracemalloc
import zlib
from binascii import crc_hqx
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.files import HASH, NAMES, AppendOnly, container, digits
from recvae.codec.container import ContainerReader, ContainerWriter, Header
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

FORMAT = Path(__file__).parents[3] / "docs/format.md"


@st.composite
def files(draw):
    height, width, size = draw(st.tuples(*[st.integers(1, 5)] * 3))
    header = Header(draw(st.binary(min_size=16, max_size=16)), height, width, size)
    few = st.binary(max_size=400) | st.just(bytes(header.raw_group_bytes))
    pool = draw(st.lists(few, min_size=1, max_size=5))
    payloads = (pool * 60)[: draw(st.integers(0, 200))]
    return payloads, header, draw(st.integers(1, size))


@settings(max_examples=60, deadline=None)
@given(files(), st.data())
def test_round_trip(file, data):
    payloads, header, last = file
    with ContainerReader(container(payloads, header, last)) as reader:
        assert reader.header == header
        assert reader.num_groups == len(payloads)
        assert reader.names is None
        counts = [reader.group_images(group) for group in range(len(payloads))]
        assert counts == [header.group_size] * (len(payloads) - 1) + [last] * bool(payloads)
        assert reader.num_images == sum(counts)
        assert list(reader.payloads()) == payloads
        start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(payloads))] * 2)))
        assert list(reader.payloads(start, stop)) == payloads[start:stop]
        group = data.draw(st.integers(-1, len(payloads)))
        if 0 <= group < len(payloads):
            assert reader.payload(group) == payloads[group]
        else:
            with pytest.raises(IndexError):
                reader.payload(group)
        reader.verify()


def test_random_access_equals_sequential():
    payloads = digits(64 * 3 + 5)
    reader = ContainerReader(container(payloads, Header(HASH, 28, 28, 1)))
    order = random.Random(1).sample(range(len(payloads)), len(payloads))
    assert {group: reader.payload(group) for group in order} == dict(enumerate(payloads))


@given(st.integers(0, 2**64 - 1) | st.sampled_from([191, 192, 16319, 16320]))
def test_short_integers(value):
    packed = pack_short(value)
    assert unpack_short(b"x" + packed + b"y", 1) == (value, 1 + len(packed))
    assert len(packed) == (1 if value < 192 else 2 if value < 16320 else 9)
    for cut in range(len(packed)):
        with pytest.raises(IndexError):
            unpack_short(packed[:cut])


def test_short_integers_keep_their_order():
    numbers = [pack_short(value) for value in range(20000)]
    assert numbers == sorted(numbers)


def test_checksums_are_the_published_ones():
    assert crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    assert zlib.crc32(b"123456789") == 0xCBF43926


def test_worked_example_of_the_specification():
    header = Header(HASH, height=2, width=3, group_size=2)
    payloads = [bytes([1, 2, 3, 4, 5]), bytes.fromhex("00ff00ff00ff 7f007f007f00"), b""]
    dump = re.search(r"```hexdump\n(.*?)```", FORMAT.read_text(), re.DOTALL)[1]
    data = b""
    for line in dump.splitlines():
        offset, numbers = re.fullmatch(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} )+) +\S.*", line).groups()
        assert int(offset, 16) == len(data), line
        data += bytes.fromhex(numbers)
    assert data == container(payloads, header, last=1)


def test_no_images():
    data = container([], Header(HASH, 28, 28, 64), names=[])
    reader = ContainerReader(data)
    reader.verify()
    assert (reader.num_images, reader.num_groups, reader.names) == (0, 0, None)
    assert list(reader.payloads()) == []
    assert len(data) == 55


@pytest.mark.parametrize(
    "names", [[""], ["ein Bild.png"], ["ä.png", "\U0001f600.png", 'quote" comma,.png'], NAMES]
)
def test_names_round_trip(names):
    data = container([b"a"] * len(names), Header(HASH, 2, 2, 1), names=names)
    reader = ContainerReader(data)
    assert reader.names == tuple(names)
    assert reader.sizes().names > 0
    reader.verify()


@pytest.mark.parametrize(
    ("name", "message"),
    [("a\0b", "NUL"), ("\udc80.png", "Unicode"), ("x" * 257, "257 bytes; the limit is 256")],
)
def test_names_that_are_refused(name, message):
    writer = ContainerWriter(AppendOnly(), Header(HASH, 2, 2, 1))
    writer.add_group(b"", 1)
    with pytest.raises(InputError, match=message):
        writer.finish([name])


@pytest.mark.parametrize(
    ("group_size", "most"), [(1, 3.1), (64, 0.08)]
)  # bytes an image, without the constant 56 of header, footer and the index's first fields
def test_container_bytes_per_image(group_size, most):
    images = digits(10_000)
    payloads = [
        b"".join(images[start : start + group_size]) for start in range(0, len(images), group_size)
    ]
    header = Header(HASH, 28, 28, group_size)
    data = container(payloads, header, last=(len(images) - 1) % group_size + 1)
    sizes = ContainerReader(data).sizes()
    assert sizes.total == len(data)
    assert sizes.payload == sum(map(len, images))
    assert (sizes.framing + sizes.index) / len(images) <= most
    assert sizes.header + sizes.footer == 50


@pytest.mark.parametrize("num_images", [0, 1, 2, 1000])
def test_incompressible_images_grow_within_the_bound(num_images):
    noise = [random.Random(index).randbytes(784) for index in range(num_images)]
    data = container(noise, Header(HASH, 28, 28, 1))
    assert len(data) <= 784 * num_images * 1.005 + 64


def test_a_pipe_in_and_out():
    payloads = digits(100)
    receiver, sender = os.pipe()
    with open(sender, "wb") as stream:
        writer = ContainerWriter(stream, Header(HASH, 28, 28, 1))
        for payload in payloads:
            writer.add_group(payload, 1)
        writer.finish()
    with open(receiver, "rb") as stream, ContainerReader(stream) as reader:
        assert list(reader.payloads()) == payloads


def test_readers_have_their_own_file_handle(tmp_path):
    path, payloads = tmp_path / "a.recvae", digits(100)
    path.write_bytes(container(payloads, Header(HASH, 28, 28, 1)))
    with ContainerReader(path) as one, ContainerReader(str(path)) as two:
        pairs = list(zip(one.payloads(), two.payloads(), strict=True))
        os.replace(path, tmp_path / "b.recvae")  # a reader keeps the file it opened
        assert one.payload(7) == payloads[7]
    assert pairs == list(zip(payloads, payloads, strict=True))


def test_a_stream_of_the_caller_stays_open():
    stream = io.BytesIO(container([b"a"], Header(HASH, 2, 2, 1)))
    with ContainerReader(stream) as reader:
        reader.verify()
    assert not stream.closed


def test_writer_memory_does_not_grow_with_the_images():
    class Nowhere(AppendOnly):
        def write(self, data):
            return len(data)

    writer = ContainerWriter(Nowhere(), Header(HASH, 28, 28, 1))
    payload = bytes(115)
    tracemalloc.start()
    for _ in range(30_000):
        writer.add_group(payload, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000


def test_writer_refuses_a_wrong_order_of_calls():
    writer = ContainerWriter(AppendOnly(), Header(HASH, 2, 2, 2))
    for count in (0, 3):
        with pytest.raises(ValueError, match="num_images"):
            writer.add_group(b"", count)
    writer.add_group(b"", 1)
    with pytest.raises(ValueError, match="only the last may hold fewer"):
        writer.add_group(b"", 2)
    with pytest.raises(ValueError, match="2 for 1 images"):
        writer.finish(["a", "b"])
    writer.finish(["a"])
    with pytest.raises(ValueError, match="finished"):
        writer.finish()
    with pytest.raises(ValueError, match="last"):
        writer.add_group(b"", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_hash": b"short"}, "model_hash: 5 bytes"),
        ({"height": 0}, "height: 0, must be 1 to 65535"),
        ({"width": 65536}, "width: 65536"),
        ({"group_size": 1025}, "group_size: 1025, must be 1 to 1024"),
        ({"channels": 5}, "channels: 5, must be 1 to 4"),
    ],
)
def test_header_limits(change, message):
    fields = {"model_hash": HASH, "height": 28, "width": 28, "group_size": 64}
    with pytest.raises(InputError, match=message):
        Header(**fields | change)


@pytest.mark.parametrize("count", [1, 3])
def test_each_image_has_a_name_or_none_has(count):
    with pytest.raises(ValueError, match=f"names: {count} for 2 images"):
        container([b"a", b"b"], Header(HASH, 2, 2, 1), names=["a.png"] * count)


def test_heads_of_a_run_are_read_once():
    class Counting(io.BytesIO):
        reads = 0

        def read(self, *size):
            self.reads += 1
            return super().read(*size)

    stream = Counting(container(digits(64), Header(HASH, 28, 28, 1)))
    reader = ContainerReader(stream)
    assert reader.group_images(0) == 1
    before = stream.reads
    assert [reader.group_images(group) for group in range(64)] == [1] * 64
    assert stream.reads == before
