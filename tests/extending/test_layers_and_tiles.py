"""Layers, tiles and files that were cut, with image coders registered from outside."""

import io
import pickle
import re
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import recvae
from recvae import cli
from recvae.codec import Codec, open_truncated, salvage
from recvae.codec.container import ContainerReader, ContainerWriter, Group
from recvae.codec.container.footer import TruncatedError
from recvae.errors import InputError
from recvae.files.positions import BytesPositions
from recvae.images import ImageSpec, read_images

pytestmark = pytest.mark.usefixtures("models")
LOSSY = "--model=planes"


@pytest.fixture
def pixels() -> np.ndarray:
    """Six pictures of 40 x 50: 2 x 4 tiles and what is left."""
    return np.random.default_rng(4).integers(0, 256, (6, 40, 50, 3)).astype(np.uint8)


@pytest.fixture
def codec(models: None) -> Codec:
    return recvae.load("planes")


@pytest.fixture
def data(codec: Codec, pixels: np.ndarray) -> bytes:
    """In groups of two."""
    return codec.compress(pixels, 2, channels=3, quality=100)


class Counted(BytesPositions):
    """Counts the bytes that are read."""

    count = 0

    def _read(self, start: int, num_bytes: int) -> bytes:
        self.count += num_bytes
        return super()._read(start, num_bytes)


def stream_spans(data: bytes, number: int) -> list[tuple[int, int]]:
    """Where the streams of a group of two layers of 12 tiles lie, with their checksums."""
    with ContainerReader(data) as reader:
        begin, end, _ = reader.spans(0)[number]
        sizes = [len(stream) + 2 for stream in reader.group(number).streams]
    starts = np.cumsum([end - sum(sizes), *sizes])
    assert begin < starts[0]
    return [(int(a), int(b)) for a, b in pairwise(starts)]


def damaged(data: bytes, place: int) -> bytes:
    """The file with a bit changed in a stream of group 1."""
    begin, _ = stream_spans(data, 1)[place]
    return data[: begin + 1] + bytes([data[begin + 1] ^ 1]) + data[begin + 2 :]


def test_preview(codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    with codec.open(data) as images:
        assert np.array_equal(images.preview(3, layers=1), pixels[3] // 16 * 16)
        assert np.array_equal(images.preview(-1, layers=2), images[5])
        for layers in (0, 3, -1, 1.0, True):
            with pytest.raises(InputError, match=r"layers is .*: model 'planes' needs 1 to 2"):
                images.preview(0, layers)
        with pytest.raises(IndexError):
            images.preview(6, 1)


def test_a_preview_reads_its_layers_alone(codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    spans = stream_spans(data, 1)
    with codec.open(data) as images:
        images.preview(3, 1)
        images.reader._positions = counted = Counted(data)
        images.preview(3, 1)
        coarse = spans[11][1] - spans[0][0]
        assert coarse <= counted.count < coarse + 512
    with codec.open(damaged(data, 12)) as images:
        assert np.array_equal(images.preview(2, 1), pixels[2] // 16 * 16)
        with pytest.raises(InputError, match=r"group 1 is damaged at byte .* stream 12 does not"):
            images.preview(2, 2)
    with (
        codec.open(damaged(data, 11)) as images,
        pytest.raises(InputError, match=r"group 1 is damaged at byte .* stream 11 does not"),
    ):
        images.preview(2, 1)


def test_streams_that_were_exchanged(codec: Codec) -> None:
    """Each has a right checksum, of another place."""
    flat = np.zeros((1, 32, 32), np.uint8)
    data = codec.compress(flat, quality=100)
    with ContainerReader(data) as reader:
        _, end, _ = reader.spans(0)[0]
        size = len(reader.group(0).streams[0]) + 2
    start = end - 8 * size
    streams = [data[a : a + size] for a in range(start, end, size)]
    assert streams[0][:-2] == streams[1][:-2]
    streams[:2] = streams[1::-1]
    forged = data[:start] + b"".join(streams) + data[end:]
    with codec.open(forged) as images, pytest.raises(InputError, match="stream 0 does not match"):
        images.preview(0, 1)


@pytest.mark.parametrize("model", ["planes", "tiled", "stored"])
def test_region(model: str, pixels: np.ndarray) -> None:
    codec = recvae.load(model)
    how = {"quality": 100} if model == "planes" else {}
    with codec.open(codec.compress(pixels, 4, channels=3, **how)) as images:
        for area in ((0, 40, 0, 50), (15, 17, 31, 33), (39, 40, 49, 50), (0, 1, 0, 1)):
            y0, y1, x0, x1 = area
            assert np.array_equal(images.region(5, *area), images[5][y0:y1, x0:x1])
            assert np.array_equal(images.region(-6, *area), images[0][y0:y1, x0:x1])
        for area in ((0, 41, 0, 50), (-1, 3, 0, 5), (5, 5, 0, 5), (0, 5, 9, 3), (0, 5, 50, 51)):
            with pytest.raises(
                InputError, match="are not a region of image 5, which is 40 × 50 RGB"
            ):
                images.region(5, *area)
        with pytest.raises(IndexError):
            images.region(6, 0, 1, 0, 1)


def test_a_region_reads_its_tiles_alone(codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    """The tile in row 1 and column 2 is number 6; in layer 1, number 18."""
    spans = stream_spans(data, 1)
    inside = (17, 30, 32, 48)
    with codec.open(data) as images:
        whole = images[3]
        images.reader._positions = counted = Counted(data)
        assert np.array_equal(images.region(3, *inside), whole[17:30, 32:48])
        needed = sum(spans[place][1] - spans[place][0] for place in (6, 18))
        assert needed <= counted.count < needed + 512
    with codec.open(damaged(data, 7)) as images:
        assert np.array_equal(images.region(3, *inside), whole[17:30, 32:48])
        with pytest.raises(InputError, match="the checksum of stream 7 does not match"):
            images.region(3, 17, 30, 32, 49)


def test_version_1(pixels: np.ndarray) -> None:
    codec = recvae.load("stored")
    grey = pixels[..., 0]
    data = codec.compress(grey)
    assert data[8] == 1
    with codec.open(data) as images:
        assert np.array_equal(images.region(4, 3, 9, 2, 5), grey[4, 3:9, 2:5])
        assert np.array_equal(images.preview(4, 1), grey[4])
        with pytest.raises(InputError, match="layers is 2: model 'stored' needs 1, as it codes"):
            images.preview(4, 2)
    changed = bytearray(data)
    changed[60] ^= 1
    with (
        codec.open(bytes(changed)) as images,
        pytest.raises(InputError, match="group 0 is damaged at byte 38: its checksum"),
    ):
        images.region(0, 0, 1, 0, 1)


def test_decompress_some_layers(capsys, data: bytes, pixels: np.ndarray) -> None:
    Path("x.recvae").write_bytes(data)
    assert cli.main(["decompress", "x.recvae", "x.npy", LOSSY, "--layers=1", "--quiet"]) == 0
    assert np.array_equal(np.load("x.npy"), pixels // 16 * 16)
    assert cli.main(["decompress", "x.recvae", "y.npy", LOSSY, "--layers=3"]) == 2
    assert capsys.readouterr().err == "recvae: layers is 3: model 'planes' needs 1 to 2\n"
    assert not Path("y.npy").exists()


def cut(capsys: pytest.CaptureFixture[str], data: bytes, *options: str) -> tuple[np.ndarray, str]:
    """What decompressing a file without its end gives and says; status 1."""
    Path("cut.recvae").write_bytes(data)
    command = ["decompress", "cut.recvae", "cut", LOSSY, "--force", "--quiet", *options]
    assert cli.main(command) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return read_images("cut", channels=3).pixels, captured.err


def test_a_file_that_was_cut(capsys, codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    with codec.open(data) as images:
        whole = images[:]
        spans = images.reader.spans(0)
    streams = stream_spans(data, 1)
    shown = "recvae: cut.recvae: truncated file: "
    lost = "; the rest is missing, and so are all file names\n"
    for end in (len(data) - 1, len(data) - 40, spans[2].end + 1, spans[2].end):
        back, told = cut(capsys, data[:end])
        assert np.array_equal(back, whole)
        assert told == f"{shown}6 images are complete{lost}"
    for end in (streams[11][1], streams[12][0] + 3, streams[23][1] - 1):
        back, told = cut(capsys, data[:end])
        assert np.array_equal(back[:2], whole[:2])
        assert np.array_equal(back[2:], pixels[2:4] // 16 * 16)
        assert told == (
            f"{shown}2 images are complete, 2 more are decoded from 1 of 2 layers{lost}"
        )
    back, _ = cut(capsys, data[: streams[11][1]], "--layers=1")
    assert np.array_equal(back, pixels[:4] // 16 * 16)
    for end in (spans[1].begin, spans[1].begin + 1, streams[0][0] + 9, streams[11][1] - 1):
        back, told = cut(capsys, data[:end])
        assert np.array_equal(back, whole[:2])
        assert told == f"{shown}2 images are complete{lost}"


def test_cut_files_in_python(codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    first = stream_spans(data, 0)
    with open_truncated(data[: first[11][1]], "planes") as images:
        assert (len(images), len(images.whole), images.layers) == (2, 0, 1)
        assert [(str(spec), count) for spec, count in images.runs()] == [("40 × 50 RGB", 2)]
        (batch,) = images.batches()
        assert np.array_equal(batch, pixels[:2] // 16 * 16)
        assert np.array_equal(images.preview_last(2), batch)
    with open_truncated(data[: first[23][1]], "planes") as images:
        assert len(images.whole) == 2
        assert np.array_equal(images.whole[1], pixels[1] // 2 * 2 + 1)
        assert images.names is None
        with pytest.raises(InputError, match="no further image has a complete layer"):
            images.preview_last()
    for end in (first[0][0], first[11][1] - 1, 38):
        with pytest.raises(InputError, match="it holds no complete layer of an image"):
            open_truncated(data[:end], "planes")
    with pytest.raises(InputError, match="recvae data: truncated file: it ends within the header"):
        open_truncated(data[:30], "planes")
    with pytest.raises(InputError, match="another model"):
        open_truncated(data[: first[23][1]], "tiled")


def test_what_was_cut_may_be_damaged_too(capsys, data: bytes) -> None:
    with ContainerReader(data) as reader:
        spans = reader.spans(0)
    for place, end in ((3, spans[2].begin), (23, spans[2].begin + 50), (3, spans[1].end - 9)):
        Path("cut.recvae").write_bytes(damaged(data, place)[:end])
        assert cli.main(["decompress", "cut.recvae", "out", LOSSY]) == 2
        err = capsys.readouterr().err
        assert re.fullmatch(r"recvae: cut.recvae: group 1 is damaged at byte \d+: .*\n", err)
        assert not Path("out").exists()


def test_lossless_models_have_salvage_for_it(capsys, pixels: np.ndarray) -> None:
    for model, images in (("stored", pixels[..., 0]), ("tiled", pixels)):
        data = recvae.load(model).compress(images, channels=1 if images.ndim == 3 else 3)
        Path("cut.recvae").write_bytes(data[:-3])
        for command in (["decompress", "cut.recvae", "out"], ["verify", "cut.recvae"]):
            assert cli.main([*command, f"--model={model}"]) == 2
            assert "truncated file: the index is missing" in capsys.readouterr().err
        with pytest.raises(TruncatedError):
            open_truncated("cut.recvae", model)
    assert not Path("out").exists()


def test_verify_takes_whole_files_alone(capsys, data: bytes) -> None:
    Path("cut.recvae").write_bytes(data[:-3])
    for command in ("verify", "info"):
        assert cli.main([command, "cut.recvae", LOSSY]) == 2
        assert "truncated file: the index is missing" in capsys.readouterr().err


def hostile(num_images: int, side: int) -> bytes:
    """A file whose few bytes claim images that fill any memory."""
    model = recvae.load("planes").model
    small = ContainerReader(recvae.load("planes").compress(np.zeros((4, 4), np.uint8))).header
    header = replace(small, height=side, width=side, group_size=num_images)
    stream = io.BytesIO()
    writer = ContainerWriter(stream, header)
    plane = bytes([1]) + zlib.compress(b"")
    writer.add(Group(num_images, ImageSpec(side, side), (plane, plane), layers=2))
    writer.finish()
    assert model.file_id == header.model_hash
    return stream.getvalue()


@pytest.mark.parametrize(("num_images", "side"), [(1, 65535), (1024, 16384), (1, 16385)])
def test_claims_are_limited(capsys, codec: Codec, num_images: int, side: int) -> None:
    data = hostile(num_images, side)
    message = rf"{num_images} images of {side} × {side} pixels in .* limit of 268435456 pixels"
    with codec.open(data) as images:
        end = images.reader.spans(0)[0].end
        for work in (
            lambda: images[0],
            lambda: next(images.batches()),
            lambda: images.preview(0, 1),
            lambda: images.region(0, 0, 1, 0, 1),
        ):
            with pytest.raises(InputError, match=message):
                work()
    with pytest.raises(InputError, match=message):
        salvage(data[:end], model="planes")
    with (
        open_truncated(data[:end], "planes") as cut,
        pytest.raises(InputError, match=message),
    ):
        next(cut.batches())
    with pytest.raises(InputError, match=message):
        open_truncated(data[: end - 1], "planes")
    Path("x.recvae").write_bytes(data)
    for command in (["decompress", "x.recvae", "out"], ["verify", "x.recvae"]):
        assert cli.main([*command, LOSSY]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "raise max_pixels (--max-pixels)" in err
    assert not Path("out").exists()


def test_limits_can_be_set(codec: Codec, data: bytes, pixels: np.ndarray) -> None:
    Path("x.recvae").write_bytes(data)
    assert cli.main(["decompress", "x.recvae", "out", LOSSY, "--max-pixels=1999"]) == 2
    assert cli.main(["decompress", "x.recvae", "out", LOSSY, "--max-pixels=2000", "--quiet"]) == 0
    Path("y.recvae").write_bytes(recvae.load("tiled").compress(pixels, channels=3))
    with recvae.open("y.recvae", "tiled", max_pixels=1999) as images:
        for copy in (images, pickle.loads(pickle.dumps(images))):
            with copy, pytest.raises(InputError, match="limit of 1999 pixels"):
                _ = copy[0]


def test_the_images_of_a_file_may_be_more_than_the_memory(codec: Codec) -> None:
    with codec.open(hostile(1024, 65535)) as images, pytest.raises(InputError, match="fewer at a"):
        _ = images[:]


@pytest.mark.parametrize(("group_size", "at_once"), [(1, [2, 2, 2]), (4, [4, 2])])
def test_large_images_are_coded_few_at_a_time(
    codec: Codec, pixels: np.ndarray, monkeypatch, group_size: int, at_once: list[int]
) -> None:
    """Of 2,000 pixels each, where 5,000 are coded at once; a group is never cut."""
    for module in ("compression", "compressed_images"):
        monkeypatch.setattr(f"recvae.codec.{module}.MAX_BATCH_PIXELS", 5000)
    stream, done = io.BytesIO(), [0]

    def hook(images: int, num_bytes: int) -> None:
        done.append(images)

    codec.compress_to(stream, pixels, group_size, channels=3, progress=hook)
    assert np.diff(done).tolist() == at_once
    with codec.open(stream.getvalue()) as images:
        assert [len(batch) for batch in images.batches()] == at_once
