"""The file names of the images in the index: joined by NUL, UTF-8, compressed."""

import zlib
from collections.abc import Sequence

from recvae.errors import InputError

NAMES = "names"  # their name among the arrays of version 2
MAX_NAMES_BYTES = 1 << 26  # of the text of all names
MAX_NAME_BYTES = 255  # on average, so that the number of images bounds the text as well


def pack_names(names: Sequence[str]) -> bytes:
    """Return the names as written; no names give no bytes.

    Raises `InputError` for a name with a NUL or invalid Unicode, and if they are too long together.
    """
    if not names:
        return b""
    try:
        text = "\0".join(names).encode()
    except UnicodeEncodeError as error:  # surrogates stand for undecodable bytes in a name
        raise InputError("an image name is not valid Unicode") from error
    if text.count(0) != len(names) - 1:
        raise InputError("an image name contains a NUL character")
    if len(text) > (limit := _limit(len(names))):
        raise InputError(f"the image names take {len(text)} bytes; the limit is {limit}")
    return zlib.compress(text, 9)


def unpack_names(packed: bytes, num_images: int) -> tuple[str, ...] | None:
    """Return the names of the images, None if they have none; `InputError` if they are damaged.

    The cost of a hostile file is bounded: decompression stops at the limit of the text.
    """
    if not packed:
        return None
    limit = _limit(num_images)
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, limit + 1)
        if len(text) > limit:
            raise InputError(f"the image names take more than {limit} bytes")
        if not stream.eof:
            raise InputError("the image names do not end before the index does")
        if stream.unused_data:
            raise InputError("bytes follow the image names within the index")
        if (found := text.count(0) + 1) != num_images:
            raise InputError(f"the index has {found} image names for {num_images} images")
        return tuple(text.decode().split("\0"))
    except zlib.error as error:
        raise InputError("the image names are damaged: not a zlib stream") from error
    except UnicodeDecodeError as error:
        raise InputError("the image names are damaged: not UTF-8") from error


def _limit(num_images: int) -> int:
    return min((MAX_NAME_BYTES + 1) * num_images, MAX_NAMES_BYTES)
