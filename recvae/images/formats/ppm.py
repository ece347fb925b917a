"""PPM, PGM and PBM, binary or text; writes PPM and PGM."""

import re
from itertools import islice
from typing import BinaryIO

from PIL import Image

from recvae.images.formats.pillow import PillowFormat


def _detail(image: Image.Image, _: BinaryIO) -> str | None:
    if image.mode == "I":
        return "16-bit grey"
    if image.mode not in ("L", "RGB"):
        return None
    codec, _, _, arguments = image.tile[0]  # type: ignore[attr-defined]
    if codec != "raw" and (maximum := arguments[1]) != 255:  # Pillow would scale
        return f"0-to-{maximum}" if maximum < 256 else "16-bit"
    return None


def _end(image: Image.Image, data: bytes) -> int:
    """After as many values as the header states; in text, also after space and comments."""
    codec, _, offset, _ = image.tile[0]  # type: ignore[attr-defined]
    count = image.width * image.height * len(image.getbands())
    has_bits = image.mode == "1"
    if codec == "raw":
        return offset + (-(-image.width // 8) * image.height if has_bits else count)
    text = re.sub(rb"#[^\r\n]*", lambda comment: b" " * len(comment[0]), data[offset:])
    value = rb"\S" if has_bits else rb"\S+"  # bits need not be separated
    behind = next(islice(re.finditer(value, text), count, None), None)
    return offset + behind.start() if behind else len(data)


PillowFormat(
    "PPM",
    end=_end,
    max_ratio=8,  # for bits
    detail=_detail,
).register(
    endings=(".ppm", ".pgm", ".pnm"),
    matches=lambda head: head[:1] == b"P" and head[1:2] in tuple(b"%d" % i for i in range(1, 7)),
)
