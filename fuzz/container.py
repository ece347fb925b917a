"""Target: the reader and the writer of `.recvae` files."""

import io
import zlib
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.invariants import refusal_is_one_line
from recvae.codec.container import ContainerReader, ContainerWriter, Group, Header
from recvae.codec.container.compact import pack_compact, unpack_compact
from recvae.codec.container.footer import FOOTER_BYTES
from recvae.codec.container.framing import group_extent
from recvae.codec.container.header import HEADER_BYTES, MAX_HEADER_BYTES
from recvae.codec.container.numbers import unpack_short
from recvae.errors import InputError
from recvae.images.spec import ImageSpec

HASH = bytes(16)
GOLDEN = Path(__file__).parents[1] / "tests/golden"
AS_IT_IS, RESEALED, FIELDS = range(3)  # kinds of input, by the first byte modulo 3


def seeds() -> Iterator[bytes]:
    """Golden files, small files of every kind, and fields to make a file from."""
    files = [path.read_bytes() for path in sorted(GOLDEN.glob("*.recvae"))]
    few = [b"first", bytes(range(200)), b"", b"last"]
    header = Header(HASH, 2, 3, 2)
    for payloads, last, names in [
        ([], 0, None),
        ([bytes(12)], 1, None),
        (few, 1, None),
        (few, 2, [f"{i}.png" for i in range(8)]),
        (few * 40, 2, None),
    ]:
        files.append(written(header, payloads, last, names))
    files += version_2_files()
    for data in files:
        yield bytes([AS_IT_IS]) + data
        yield bytes([RESEALED]) + data
    yield bytes([FIELDS, 2, 3, 2, 1, 3]) + b"first|second|" + bytes(12) + b"|a.png/b.png/c.png"


def check(data: bytes) -> None:
    """Read the bytes and write the result again; or write a file from the fields and read it."""
    kind, rest = data[:1], data[1:]
    if kind and kind[0] % 3 == FIELDS:
        check_writer(rest)
    else:
        check_reader(reseal(rest) if kind and kind[0] % 3 == RESEALED else rest)


def check_reader(data: bytes) -> None:
    """Check that accepted bytes are in canonical form, and that access in any order agrees."""
    reader = None
    with refusal_is_one_line():
        reader = ContainerReader(data)
    if reader is None:
        return
    assert reader.num_groups <= len(data), "more groups than bytes"
    payloads = names = None
    with refusal_is_one_line():
        payloads = list(reader.payloads())
    with refusal_is_one_line():
        names = reader.names
    for group in range(min(reader.num_groups, 70)):
        with refusal_is_one_line():
            payload = reader.payload(group)
            assert payloads is None or payload == payloads[group], "random access differs"
    if payloads is None:
        return
    counts = [reader.group_images(group) for group in range(reader.num_groups)]
    assert sum(counts) == reader.num_images
    with refusal_is_one_line():
        sizes = reader.sizes()
        reader.verify()
        assert sizes.total == len(data)
        groups = list(reader.groups())
        assert sum(group.raw_bytes for group in groups) == reader.raw_bytes
        again = written_groups(reader.header, groups, reader.arrays)
        if not reader.arrays:
            assert again == data, "not in canonical form"
        else:
            assert ContainerReader(again).names == names
        if reader.header.version > 1 and groups:
            assert unpack_compact(pack_compact(groups, reader.header), reader.header) == groups


def check_writer(data: bytes) -> None:
    """Check that a written file can be read."""
    height, width, group_size, last, num_groups = data[:5].ljust(5, b"\0")
    *payloads, text = data[5:].split(b"|")
    payloads = (payloads * 4)[:num_groups]
    with refusal_is_one_line():
        header = Header(HASH, height, width, group_size)
        last = last % group_size + 1
        num_images = max(len(payloads) - 1, 0) * group_size + (last if payloads else 0)
        few = text.decode(errors="surrogateescape").split("/")
        names = (few * num_images)[:num_images] if text else None
        file = written(header, payloads, last, names)
        with ContainerReader(file) as reader:
            reader.verify()
            assert (reader.header, reader.num_images) == (header, num_images)
            assert list(reader.payloads()) == payloads
            assert reader.names == (tuple(names) if names else None)


def written(header: Header, payloads: list[bytes], last: int, names: object = None) -> bytes:
    """Return the file with these payloads, the last of which has `last` images."""
    stream = io.BytesIO()
    writer = ContainerWriter(stream, header)
    for index, payload in enumerate(payloads):
        writer.add_group(payload, last if index + 1 == len(payloads) else header.group_size)
    writer.finish(names)  # type: ignore[arg-type]
    return stream.getvalue()


def written_groups(header: Header, groups: list[Group], arrays: dict[str, Any]) -> bytes:
    """Return the file with these groups, and arrays beside them."""
    stream = io.BytesIO()
    writer = ContainerWriter(stream, header)
    for group in groups:
        writer.add(group)
    others = {name: array for name, array in arrays.items() if name != "names"}
    writer.finish(arrays.get("names"), others)
    return stream.getvalue()


def version_2_files() -> list[bytes]:
    """Small files of version 2: mixed sizes, RGB, tiles, layers, models, arrays."""
    spec, rgb = ImageSpec(2, 3), ImageSpec(4, 2, 3, 200)
    one = Header(HASH, 2, 3, 2, version=2)
    two = Header(HASH, 4, 2, 3, 3, 200, version=2, more_models=(bytes(range(16)),))
    mixed = [
        Group(2, spec, (b"first",)),
        Group(1, rgb, (bytes(24),)),
        Group(2, rgb, (b"a", b"", bytes(24), b"bcd"), layers=2, tile=(2, 2)),
        Group(1, spec, (b"",)),
    ]
    return [
        written_groups(one, [], {}),
        written_groups(one, mixed[:1] * 3, {}),
        written_groups(one, mixed, {"labels": np.arange(6, dtype="u1"), "names": tuple("abcdef")}),
        written_groups(two, [mixed[1], replace(mixed[2], model=1)] * 40, {"x": np.zeros((2, 0))}),
    ]


def reseal(data: bytes) -> bytes:
    """Correct checksums and magics where a file has them, whatever lies between."""
    file = bytearray(data.ljust(HEADER_BYTES + FOOTER_BYTES, b"\0"))
    file[:8], file[-4:] = b"\x89REC\r\n\x1a\n", b"CER\x89"
    file[HEADER_BYTES - 4 : HEADER_BYTES] = zlib.crc32(file[: HEADER_BYTES - 4]).to_bytes(4)
    footer = len(file) - FOOTER_BYTES
    index = max(footer - int.from_bytes(file[footer : footer + 4]), HEADER_BYTES)
    try:
        header = Header.from_bytes(bytes(file[:MAX_HEADER_BYTES]))
        start = begin = header.num_bytes
        while begin < index:
            end = begin + group_extent(bytes(file[begin : begin + 64]), header)[0]
            if end > index:
                break
            if header.version == 1 or not file[begin] & 12:  # has one stream
                file[end - 2 : end] = crc_hqx(file[begin : end - 2], 0xFFFF).to_bytes(2)
            begin = end
        place = index + (header.version > 1)
        for _ in range(1 if header.version == 1 else 4):
            place = unpack_short(bytes(file[:footer]), place)[1]
        if place + 4 <= footer:
            file[place : place + 4] = zlib.crc32(file[start:index]).to_bytes(4)
    except (InputError, IndexError):
        pass
    file[-8:-4] = zlib.crc32(file[index:-8]).to_bytes(4)
    return bytes(file)
