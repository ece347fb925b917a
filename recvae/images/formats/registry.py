"""The formats that images are read from and written to.

Reading tells the format of a file by its first bytes, writing by the ending of its name. What a
format is called, begins with and ends in stands in its own file alone.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.images.spec import GREY, MAX_PIXELS, RGB, ImageSpec

HEAD_BYTES = 16  # enough to tell every format
Arrays = tuple[ImageSpec, int, Iterator[np.ndarray]]


@dataclass(frozen=True)
class PictureFormat:
    """Files of one picture each, which may lie in folders and name images.

    Fields:
        name: what messages call such a file, as "PNG".
        endings: of the names of such files, in lower case.
        matches: whether a file that begins with these bytes, up to `HEAD_BYTES`, is of this format.
        decode: the bytes of a file to pixels, uint8 (height, width) or (height, width, channels).
            Raises InputError for what is not supported, any other exception for damage.
        encode: such pixels to the bytes of a file, which decodes to the same pixels.
        channels: of the images that `encode` takes, and `decode` gives.
        peek: what an open file will decode to, from a look at its beginning, or None where that
            does not tell. Raises as `decode` does. By default all of the file is decoded to know.
        end: where the picture ends within the bytes of a file that could be decoded: what trails it
            would be lost, and is refused. By default it is all of them, as where `decode` sees to
            that.
    """

    name: str
    endings: tuple[str, ...]
    matches: Callable[[bytes], bool]
    decode: Callable[[bytes], np.ndarray]
    encode: Callable[[np.ndarray], bytes]
    channels: tuple[int, ...] = (GREY, RGB)
    peek: Callable[[BinaryIO], ImageSpec | None] = lambda _: None
    end: Callable[[bytes], int] = len

    def read(self, data: bytes, source: object, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """Return the pixels of a file; raises InputError that names `source`.

        It does so, too, for more than `max_pixels` before they are decoded, if a peek tells.
        """
        with self._damage_told(source):
            _check_size(self.peek(BytesIO(data)), max_pixels)
            pixels = self.decode(data)
            _check_size(pixel_spec(pixels), max_pixels)
            check_end(self.end(data), data)
        return pixels

    def look(self, file: BinaryIO, source: object, max_pixels: int = MAX_PIXELS) -> ImageSpec:
        """Return what `read` will give of an open file; raises InputError that names `source`."""
        with self._damage_told(source):
            if not self.matches(file.read(HEAD_BYTES)):
                raise InputError(f"not a {self.name} file")
            file.seek(0)
            spec = self.peek(file)
            _check_size(spec, max_pixels)
        if spec is None:
            file.seek(0)
            spec = pixel_spec(self.read(file.read(), source, max_pixels))
        return spec

    def write(self, pixels: np.ndarray, path: object) -> bytes:
        """Return the bytes of a file; raises InputError that names `path` if none can hold them."""
        try:
            return self.encode(np.ascontiguousarray(pixels))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except ValueError as error:  # of a size, say, beyond the limits of the format
            size = pixel_spec(pixels)
            raise InputError(f"{path}: a {self.name} cannot hold {size} pixels") from error

    @contextmanager
    def _damage_told(self, source: object) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        except Exception as error:  # decoders tell of damage by nearly every type of exception
            raise InputError(f"{source}: damaged {self.name} file") from error


@dataclass(frozen=True)
class ArrayFormat:
    """Files of many images of one spec, which are streamed; also within gzip.

    Fields:
        name, endings, matches: as of a `PictureFormat`.
        read: an open file, its name for messages and the channels that its array is said to have,
            to the spec, the number and the chunks of its images, as `ImageStream` has them. Raises
            InputError that names the file.
        write: images, as `read` gives them, to an open file.
        channels: of the images that it reads and writes.
    """

    name: str
    endings: tuple[str, ...]
    matches: Callable[[bytes], bool]
    read: Callable[[BinaryIO, str, int], Arrays]
    write: Callable[[BinaryIO, ImageSpec, int, Iterable[np.ndarray]], None]
    channels: tuple[int, ...] = (GREY, RGB)


Format = PictureFormat | ArrayFormat
FORMATS: dict[str, Format] = {}


def register_format(new: Format) -> None:
    """Make a format known. Raises ValueError if its name or an ending is taken."""
    endings = {ending for known in FORMATS.values() for ending in known.endings}
    if new.name in FORMATS:
        raise ValueError(f"name: got {new.name!r}, need one that is not taken")
    if taken := endings & set(new.endings):
        raise ValueError(f"endings: got {min(taken)!r}, need such that are not taken")
    FORMATS[new.name] = new


def picture_formats() -> list[PictureFormat]:
    """Return the formats whose files may lie in a folder."""
    return [known for known in FORMATS.values() if isinstance(known, PictureFormat)]


def format_by_head(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes; what was registered last is asked first."""
    return next((known for known in reversed(FORMATS.values()) if known.matches(head)), None)


def format_by_ending(name: str) -> Format | None:
    """Return the format that a file's name asks for."""
    for known in reversed(FORMATS.values()):
        if name.lower().endswith(known.endings):
            return known
    return None


def pixel_spec(pixels: np.ndarray) -> ImageSpec:
    """Return the spec of one image; raises ValueError unless it is uint8 of a right shape."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}")
    return ImageSpec.from_shape((1, *pixels.shape))


def check_end(end: int, data: bytes) -> None:
    """Raise InputError if a picture ends before its file does."""
    if end < len(data):
        raise InputError(
            f"bytes trail the picture, which ends at byte {end:,} of {len(data):,}: save each "
            "picture as a file of its own"
        )


def _check_size(spec: ImageSpec | None, max_pixels: int) -> None:
    if spec and spec.num_pixels > max_pixels:
        raise InputError(
            f"a picture of {spec} pixels is beyond the limit of {max_pixels} pixels: if it is "
            "meant, raise max_pixels (--max-pixels)"
        )


def joined(words: Iterable[str], last: str = "or") -> str:
    """Return a list in words: a, b or c."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def with_article(word: str) -> str:
    """Return a word behind its article: a PNG, an idx file."""
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
