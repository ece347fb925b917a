"""TIFF, uncompressed or by any compression that Pillow supports."""

from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image

from recvae.images.formats.pillow import PillowFormat
from recvae.images.formats.tiff_directories import referred_end
from recvae.images.spec import KINDS

_BITS, _SAMPLES, _PLANES, _COLOURS, _EXTRA, _SAMPLE_FORMAT = 258, 277, 284, 320, 338, 339
_UNSIGNED, _PREMULTIPLIED = 1, 1
_ALIGNMENT_BYTES = 16  # Photoshop leaves up to 4 zeros at the end


def _detail(image: Image.Image, _: BinaryIO) -> str | None:
    if getattr(image, "n_frames", 1) > 1:
        return "multi-page"
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        return None
    tags, bands = image.tag_v2, len(image.getbands())  # type: ignore[attr-defined]
    bits, samples = max(tags.get(_BITS, (1,))), tags.get(_SAMPLES, bands)
    if bits > 8:  # Pillow drops the lower half of 16 bits
        return f"{bits}-bit"
    if image.mode == "P" and not _is_8_bit(tags.get(_COLOURS, ())):
        return "16-bit"
    if _PREMULTIPLIED in tags.get(_EXTRA, ()):  # Pillow divides these by alpha
        return "premultiplied"
    if set(tags.get(_SAMPLE_FORMAT, ())) - {_UNSIGNED}:
        return "signed"
    if samples != bands:
        return f"{samples}-channel"
    boxes = [tile[1] for tile in image.tile if tile[0] == "raw"]  # type: ignore[attr-defined]
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes if boxes)
    planes = bands if tags.get(_PLANES) == 2 else 1
    if boxes and covered != planes * image.width * image.height:
        raise ValueError("strips are missing")  # Pillow fills them with zeros
    return None


def _is_8_bit(colours: Sequence[int]) -> bool:
    """Whether a palette fits 8 bits: the lower 8 bits are zeros or repeat the upper ones."""
    return any(all(c == (c >> 8) * step for c in colours) for step in (256, 257))


def _end(image: Image.Image, data: bytes) -> int:
    """The end of the last byte that anything refers to, plus zeros for alignment."""
    end = referred_end(data)
    for codec, box, begin, arguments in image.tile:  # type: ignore[attr-defined]
        if codec == "raw":  # byte counts may be missing or wrong
            (left, top, right, bottom), (arrangement, row_bytes, _) = box, arguments
            bits = len(arrangement.partition(";")[0]) * max(image.tag_v2.get(_BITS, (1,)))  # type: ignore[attr-defined]
            row_bytes = row_bytes or -(-(right - left) * bits // 8)
            end = max(end, begin + (bottom - top) * row_bytes)
    padding = data[end:]
    return end if any(padding) or len(padding) >= _ALIGNMENT_BYTES else len(data)


PillowFormat(
    "TIFF",
    end=_end,
    channels=tuple(KINDS),
    max_ratio=1 << 15,  # for zstd; the others expand less
    detail=_detail,
).register(
    endings=(".tif", ".tiff"),
    matches=lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
