"""Files of version 2 that must be refused, with the reasons."""

import zlib

from spec.builder import (
    GREY,
    array,
    crc16,
    file,
    flipped,
    group,
    head,
    header,
    same_models,
    short,
    shorts,
    with_arrays,
    with_group,
)
from spec.version_2 import Spec

PLAIN = group([b""])


SPEC = Spec(9, 9, 1, 256)


GROUP_OF_TWO = group([b"ab", b"cd"], layers=2)


def with_spec(**fields) -> bytes:
    return with_group(group([b""], spec=SPEC._replace(**fields)), own=1)


def with_head(*codes: bytes, **fields) -> bytes:
    """One empty stream, whatever the codes and fields state."""
    data = head(b"".join(codes), **fields)
    return with_group(data + crc16(data))


HOSTILE = [
    # header
    ("magic", file(header(magic=b"\x89REC\r\n\x1a\x0b"), [], [])),
    ("magic", b""),
    ("truncated", header()[:37]),
    ("truncated", header()),
    ("truncated", header(models=3)),
    ("truncated", header(models=3)[:-1]),
    ("truncated", header(models=3) + b"CER\x89"),
    ("truncated", file(header(), [], [])[:-1]),
    ("truncated", file(header(), [], []) + b"\0"),
    ("truncated", file(header(), [], [], end=b"CER\x88")),
    ("checksum of the header", file(header(flips=(1, 0)), [], [])),
    ("checksum of the models", file(header(models=3, flips=(0, 1)), [], [])),
    ("version", file(header(version=1), [], [])),
    ("version", file(header(version=3), [], [])),
    *(("channels", file(header(GREY._replace(channels=c)), [], [])) for c in (0, 5, 255)),
    ("height and width", file(header(GREY._replace(height=0)), [], [])),
    ("height and width", file(header(GREY._replace(width=0)), [], [])),
    ("group size", file(header(group_size=0), [], [])),
    ("group size", file(header(group_size=1025), [], [])),
    # footer and index
    ("length of the index", file(header(), [], [], index_bytes=11)),
    ("length of the index", file(header(models=2), [], [], index_bytes=1 << 31)),
    ("checksum of the index", file(header(), [], [], flip_index=1)),
    ("the index's first byte", file(header(), [], [], index=b"")),
    ("a short beyond the end", file(header(), [], [], index=b"\x80" + b"\0\0\xff\0")),
    ("a number beyond the end", file(header(), [], [], index=b"\x80" + bytes(7))),
    ("a short beyond the end", file(header(), [], [], index=b"\x80" + bytes(8))),
    ("a short in another form", file(header(), [], [], index=b"\x80" + short(0, 9) + bytes(8))),
    ("more groups than images", with_group(PLAIN, images=0)),
    ("more groups than images", file(header(), [], [], num_groups=1)),
    ("more images than the groups hold", with_group(PLAIN, images=3)),
    ("more images than the groups hold", file(header(), [], [], images=1)),
    ("more groups than bytes", with_group(PLAIN, 2, images=2, num_groups=2)),
    ("more groups than bytes", with_group(PLAIN, images=1 << 62, num_groups=1 << 61)),
    ("more specs than groups", with_group(PLAIN, own=2)),
    ("checksum of all groups", with_group(PLAIN, flip_groups=1)),
    ("the runs' lengths", with_group(PLAIN, runs=[(5, 2)])),
    ("the runs' lengths", with_group(PLAIN, runs=[(3, 2)])),
    ("the runs' images", with_group(PLAIN, runs=[(4, 1)])),
    ("the runs' images", with_group(PLAIN, images=1)),
    ("the end of a run", file(header(group_size=1), [PLAIN] * 65, [1] * 65, 975,
                              runs=[(252, 64), (8, 1)])),
    ("the images of a run", file(header(), [PLAIN] * 65, [2] * 65, 1950,
                                 runs=[(256, 127), (4, 3)])),
    ("the images of a run", with_group(group([b""], count=1), 2, 30)),
    ("raw bytes", with_group(PLAIN, raw=29)),
    ("raw bytes", with_group(PLAIN, raw=1 << 63)),
    ("raw bytes", file(header(), [], [], raw=1)),
    ("number of specs", with_group(PLAIN, own=1)),
    ("raw bytes", with_group(group([b""], spec=SPEC), raw=162, own=0)),
    # groups
    *(("reserved flags", with_head(b"\1", flags=flag)) for flag in (32, 64, 128)),
    ("number of images of a group", with_group(group([b""], count=0))),
    ("number of images of a group", with_group(group([b""], count=2))),
    ("number of images of a group", with_group(group([b""], count=1 << 62))),
    ("height and width", with_spec(height=0)),
    ("height and width", with_spec(height=65536)),
    ("height and width", with_spec(width=0)),
    ("height and width", with_spec(width=1 << 40)),
    *(("channels", with_spec(channels=channels)) for channels in (0, 5, 255)),
    ("the common spec said again", with_group(group([b""], spec=GREY), own=1)),
    ("height of a tile", with_head(b"\1", tile=(0, 5))),
    ("height of a tile", with_head(b"\1", tile=(4, 4))),
    ("width of a tile", with_head(b"\1", tile=(3, 0))),
    ("width of a tile", with_head(b"\1", tile=(2, 6))),
    ("a tile that is the image", with_head(b"\1", tile=(3, 5))),
    *(("number of layers", with_head(b"\1", layers=layers)) for layers in (0, 1, 256, 1 << 50)),
    *(("number of a model", with_head(b"\1", model=model)) for model in (0, 2, 255)),
    ("more streams than 2\\^16", with_group(
        group([b""], spec=Spec(65535, 65535, 3, 256), tile=(1, 1), layers=255))),
    ("more streams than bytes", with_group(
        group([b""], spec=Spec(256, 256, 1, 256), tile=(1, 1)))),
    ("a length code in another form", with_head(short(31), bytes(30))),
    ("a length code in another form", with_head(b"\2", spec=Spec(1, 1, 1, 2), count=1)),
    ("a length code in another form", with_group(
        group([b"abcd", b"ab"], [4, -1], spec=Spec(1, 3, 1, 256), tile=(1, 2)))),
    ("a short in another form", with_head(short(200, 9))),
    ("a short in another form", with_group(b"\4" + short(2, 9) + short(2) + bytes(20))),
    ("a stream beyond the end", with_head(short(2))),
    ("a stream beyond the end", with_head(short((1 << 64) - 1))),
    ("a stream beyond the end", with_group(head(b"\0") + bytes(30))),
    ("a short beyond the end", with_group(b"\1\1\xff\0")),
    ("a number beyond the end", with_group(b"\2\1\1\1")),
    ("a number beyond the end", with_group(head(shorts(3, 3), layers=2) + b"\0")),
    ("checksum of a head", with_group(flipped(GROUP_OF_TWO, 5))),
    ("checksum of a stream", with_group(flipped(GROUP_OF_TWO, 6))),
    ("checksum of a stream", with_group(flipped(GROUP_OF_TWO, len(GROUP_OF_TWO) - 1))),
    ("checksum of a stream", with_group(flipped(group([b"ab"]), 2))),
    ("the end of a run", with_group(PLAIN + b"\0")),
    # arrays
    ("bytes behind the arrays", with_arrays(tail=b"\0")),
    ("a short beyond the end", with_arrays(num_arrays=1)),
    ("a short beyond the end", with_arrays(num_arrays=1 << 63)),
    ("length of an array's name", with_arrays(array(b"", 1, (), b"a"))),
    ("length of an array's name", with_arrays(array(b"a" * 256, 1, (), b"a"))),
    ("an array beyond the end", with_arrays(b"\5abc")),
    ("utf-8", with_arrays(array(b"\xff", 1, (), b"a"))),
    ("an array's name twice", with_arrays(*[array(b"a", 1, (), b"a")] * 2)),
    ("type of an array", with_arrays(array(b"a", 11, (), b"a"))),
    ("number of axes", with_arrays(array(b"a", 1, (1,) * 9, b"a"))),
    ("number of axes", with_arrays(array(b"a", 0, (), b""))),
    ("number of axes", with_arrays(array(b"a", 0, (1, 1), b""))),
    ("number of axes", with_arrays(b"\1a\1" + short((1 << 64) - 1))),
    ("an array beyond the end", with_arrays(array(b"a", 1, (1,), b"a")[:-1])),
    ("an array of more than", with_arrays(array(b"a", 7, (1 << 25, 2), b"a"))),
    ("an array of more than", with_arrays(array(b"a", 1, ((1 << 64) - 1,) * 8, b"a"))),
    ("an array of more than", with_arrays(array(b"a", 1, (0, (1 << 64) - 1), b""))),
    ("more elements", with_arrays(array(b"a", 1, (3,), b"abcd"))),
    ("more elements", with_arrays(array(b"a", 1, (3,), bytes(1 << 24)))),
    ("fewer elements", with_arrays(array(b"a", 1, (3,), b"ab"))),
    ("an array's stream", with_arrays(array(b"a", 1, (1,), b"a", lambda data: data))),
    ("an array's stream", with_arrays(array(b"a", 1, (1,), b"a", lambda _: b""))),
    ("an array's stream", with_arrays(array(b"a", 1, (1,), b"a", lambda d: zlib.compress(d)[:-1]))),
    ("an array's stream", with_arrays(
        array(b"a", 1, (1,), b"a", lambda d: zlib.compress(d) + b"a"))),
    ("an array's stream", with_arrays(
        array(b"a", 1, (1,), b"a", lambda d: flipped(zlib.compress(d), -1)))),
    ("number of strings", with_arrays(array(b"a", 0, (2,), b"ab"))),
    ("number of strings", with_arrays(array(b"a", 0, (1,), b"a\0b"))),
    ("number of strings", with_arrays(array(b"a", 0, (0,), b"a"))),
    ("the index's first byte", with_group(PLAIN, index=b"\2\1")),
    ("models that are the same", file(same_models(), [], [])),
    ("more elements", with_arrays(array(b"a", 0, (1,), b"a" * 257))),
    ("an array of more than", with_arrays(array(b"a", 0, ((1 << 64) - 1,), bytes(9)))),
    ("more elements", with_arrays(array(b"a", 0, (1 << 22,), bytes((1 << 26) + 1)))),
    ("utf-8", with_arrays(array(b"a", 0, (1,), b"\xff"))),
    ("names of the images", with_arrays(array(b"names", 0, (3,), b"a\0b\0c"))),
    ("names of the images", with_arrays(array(b"names", 1, (2,), b"ab"))),
]  # fmt: skip
