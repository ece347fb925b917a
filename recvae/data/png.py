"""One 8-bit grey image as the bytes of a PNG, and back."""

import struct
from io import BytesIO

import numpy as np
from PIL import Image

from recvae.errors import InputError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}


def decode_png(data: bytes, source: object) -> np.ndarray:
    """Return the pixels, uint8 (height, width), of an 8-bit grey PNG; `source` names it in errors.

    Raises `InputError` for damaged data, and for every other kind of PNG: those would not come back
    as they were. Text, time and colour profile of the PNG are not pixels and are left behind.
    """
    if data[:8] != PNG_MAGIC or data[12:16] != b"IHDR":
        raise InputError(f"{source}: not a PNG file")
    try:
        Image.open(BytesIO(data)).verify()  # checksums: reading the pixels does not look at them
        with Image.open(BytesIO(data)) as image:
            pixels = np.asarray(image)
            animated = getattr(image, "is_animated", False)
            transparent = "transparency" in image.info
    except Image.DecompressionBombError as error:
        raise InputError(f"{source}: too many pixels ({error})") from error
    except Exception as error:  # Pillow tells of damage by nearly every type of exception
        raise InputError(f"{source}: damaged PNG file") from error
    depth, colour = struct.unpack_from("BB", data, 24)
    if (depth, colour) != (8, 0) or transparent or animated:
        kind = "transparent" if transparent else "animated" if animated else f"{depth}-bit"
        raise InputError(
            f"{source}: a PNG of kind {kind} {_COLOURS[colour]}; only 8-bit grey is supported: "
            'convert it first, for example with Pillow\'s Image.open(...).convert("L").save(...)'
        )
    return pixels


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 (height, width) as the bytes of an 8-bit grey PNG."""
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()
