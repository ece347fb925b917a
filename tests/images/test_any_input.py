"""Whatever bytes an idx, .npy or PNG file is made of, it is read exactly or refused."""

import gzip
import math
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from images.files import chunk, idx
from recvae.errors import InputError
from recvae.images import read_images

KINDS = [b"IHDR", b"IDAT", b"acTL", b"tEXt", b"fcTL", b"IEND", b"gAMA", b"iCCP"]
KINDS += 3 * [b"tRNS", b"PLTE"]


def read_or_refuse(data: bytes, channels: int = 1) -> np.ndarray | None:
    """The pixels, or None where they are refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_bytes(data)
        with suppress(InputError):
            return read_images(path, channels).pixels.copy()
        return None


SIZES = st.integers(0, 5) | st.sampled_from([255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])


@given(
    sizes=st.lists(SIZES, max_size=4) | st.tuples(SIZES, SIZES, SIZES, st.just(3)).map(list),
    channels=st.sampled_from([1, 3]),
    kind=st.sampled_from([8, 8, 8, 9, 13, 255]),
    data=st.binary(max_size=70) | st.integers(0, 70).map(bytes),
    pack=st.sampled_from([bytes, gzip.compress]),
)
@settings(deadline=None)
def test_any_idx_is_read_exactly_or_refused(
    sizes: list[int], channels: int, kind: int, data: bytes, pack: Callable[[bytes], bytes]
) -> None:
    is_colour = len(sizes) == 4 and sizes[3] == 3
    fits = kind == 8 and (is_colour if channels == 3 else len(sizes) == 3)
    fits = fits and math.prod(sizes) == len(data)
    pixels = read_or_refuse(pack(idx(*sizes, kind=kind, data=data)), channels)
    if pixels is not None:
        assert fits
        assert (pixels.shape, pixels.tobytes()) == (tuple(sizes), data)
    elif fits:
        assert 0 in sizes


@given(
    descr=st.sampled_from(["|u1", "<u1", "u1", "|b1", "<u2", "|O", "|V3", "x", [("a", "u1")], 7]),
    order=st.sampled_from([False, True, None, 1]),
    shape=st.lists(SIZES | st.sampled_from([-1, 1.0, True, "2", 3]), max_size=4).map(tuple),
    data=st.binary(max_size=70) | st.integers(0, 70).map(bytes),
    version=st.sampled_from([b"\1\0", b"\2\0", b"\3\0", b"\1\1"]),
    channels=st.integers(1, 4),
)
@settings(deadline=None)
def test_any_npy_is_read_exactly_or_refused(
    descr: object, order: object, shape: tuple, data: bytes, version: bytes, channels: int
) -> None:
    text = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    width = 2 if version[0] == 1 else 4
    pixels = read_or_refuse(
        b"\x93NUMPY" + version + len(text).to_bytes(width, "little") + text + data, channels
    )
    if pixels is not None:
        assert pixels.shape == (shape if len(shape) == (3 if channels == 1 else 4) else (1, *shape))
        assert channels in (1, shape[-1])
        assert pixels.tobytes(order="F" if order else "C") == data


@given(
    header=st.tuples(SIZES, SIZES, *[st.integers(0, 9)] * 5)
    | st.tuples(
        *[st.integers(1, 5)] * 2,
        st.sampled_from([1, 2, 4, 8, 8, 8]),
        st.sampled_from([0, 0, 2, 3, 3, 4, 6]),
        *[st.just(0)] * 2,
        st.integers(0, 1),
    ),
    rows=st.binary(max_size=40) | st.integers(0, 40).map(bytes),
    extra=st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=9)), max_size=2),
    behind=st.just(b"") | st.binary(max_size=8),
)
@settings(deadline=None)
def test_any_png_is_whole_or_refused(
    header: tuple[int, ...], rows: bytes, extra: list[tuple[bytes, bytes]], behind: bytes
) -> None:
    chunks = [(b"IHDR", struct.pack(">2I5B", *header)), *extra, (b"IDAT", zlib.compress(rows))]
    file = b"".join(chunk(*parts) for parts in [*chunks, (b"IEND", b"")])
    pixels = read_or_refuse(b"\x89PNG\r\n\x1a\n" + file + behind)
    if pixels is not None:
        assert not behind
        width, height = header[:2]
        depth, colour = header[2:4]
        samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        before = [kind for kind, _ in chunks[: [kind for kind, _ in chunks].index(b"IDAT")]]
        channels = 3 if colour == 3 else samples
        channels += b"tRNS" in before and colour in (0, 2, 3)
        assert pixels.shape == (1, height, width, *([channels] if channels > 1 else []))
        assert depth == 8 or (depth in (1, 2, 4) and colour in (0, 3))
        assert header[4:6] == (0, 0)
        assert header[6] or len(rows) == height * (1 + -(-width * samples * depth // 8))
        assert not {kind for kind, _ in extra} & {b"IHDR", b"acTL"}
