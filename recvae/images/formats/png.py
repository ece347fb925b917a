"""One 8-bit grey image as the bytes of a PNG, and back."""

import struct
import zlib
from collections import defaultdict
from io import BytesIO

import numpy as np
from PIL import Image

from recvae.errors import InputError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_DEFLATE_RATIO = 1032  # no deflate stream expands more (zlib's technical notes)
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
_HEADER = struct.Struct(">2I5B")
_WHOLE = [(0, 0, 1, 1)]  # first row and column of a pass, and the steps between them
_ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def decode_png(data: bytes, source: object) -> np.ndarray:
    """Return the pixels, uint8 (height, width), of an 8-bit grey PNG; `source` names it in errors.

    Raises `InputError` for damaged data, and for every other kind of PNG: those would not come back
    as they were. Text, time and colour profile of the PNG are not pixels and are left behind.
    """
    if data[:8] != PNG_MAGIC or data[12:16] != b"IHDR":
        raise InputError(f"{source}: not a PNG file")
    try:
        chunks = _chunks(data)
        depth, colour = _HEADER.unpack(chunks[b"IHDR"])[2:4]
        is_grey = (depth, colour) == (8, 0) and not {b"tRNS", b"acTL"} & chunks.keys()
        if is_grey:
            _check_length(chunks)
            pixels = _pixels(chunks)
    except Image.DecompressionBombError as error:
        raise InputError(f"{source}: too many pixels ({error})") from error
    except Exception as error:  # Pillow tells of damage by nearly every type of exception
        raise InputError(f"{source}: damaged PNG file") from error
    if not is_grey:
        kinds = {"transparent": b"tRNS" in chunks, "animated": b"acTL" in chunks}
        kind = next((kind for kind, is_so in kinds.items() if is_so), f"{depth}-bit")
        raise InputError(
            f"{source}: a PNG of kind {kind} {_COLOURS.get(colour, 'unknown')}; only 8-bit grey is "
            "supported: convert it first, for example with Pillow's "
            'Image.open(...).convert("L").save(...)'
        )
    return pixels


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 (height, width) as the bytes of an 8-bit grey PNG."""
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """What the chunks hold, by kind, chunks of one kind joined.

    Raises `ValueError` or `struct.error` for a damaged or missing one.
    """
    chunks: dict[bytes, list[bytes]] = defaultdict(list)
    position = len(PNG_MAGIC)
    while b"IEND" not in chunks:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        (crc,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[position + 4 : end]) != crc:
            raise ValueError("checksum")
        chunks[kind].append(data[position + 8 : end])
        position = end + 4
    return {kind: b"".join(parts) for kind, parts in chunks.items()}


def _check_length(chunks: dict[bytes, bytes]) -> None:
    """Raise `ValueError` unless the pixels are all there: Pillow makes zeros of those missing."""
    width, height, _, _, compression, filtering, interlaced = _HEADER.unpack(chunks[b"IHDR"])
    if compression or filtering or interlaced > 1:
        raise ValueError("unknown method")
    passes = _ADAM7 if interlaced else _WHOLE
    sizes = [
        (len(range(top, height, down)), len(range(left, width, right)))
        for top, left, down, right in passes
    ]
    expected = sum(rows * (1 + columns) for rows, columns in sizes if columns)
    stream = chunks[b"IDAT"]
    decoder = zlib.decompressobj()
    if expected > MAX_DEFLATE_RATIO * len(stream):  # before anything of that size is allocated
        raise ValueError("too short")
    if len(decoder.decompress(stream, expected + 1)) != expected or not decoder.eof:
        raise ValueError("not as many pixels as its header announces")


def _pixels(chunks: dict[bytes, bytes]) -> np.ndarray:
    """The pixels of a grey PNG whose chunks are whole; Pillow sees those alone that matter."""
    needed = [(kind, chunks[kind]) for kind in (b"IHDR", b"IDAT", b"IEND")]
    file = PNG_MAGIC + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in needed
    )
    with Image.open(BytesIO(file)) as image:
        return np.asarray(image)
