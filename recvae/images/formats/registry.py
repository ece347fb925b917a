"""The formats that images are read from and written to.

Reading recognises a file by its first bytes, writing by the ending of its name. The name, first
bytes and endings of a format are stated in its own module only.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.images.spec import GREY, MAX_PIXELS, RGB, ImageSpec

HEAD_BYTES = 16  # enough to recognise every format
Arrays = tuple[ImageSpec, int, Iterator[np.ndarray]]


@dataclass(frozen=True)
class PictureFormat:
    """A format of files with one picture each, which may lie in folders and name images.

    Fields:
        name: of such a file in messages, as "PNG".
        endings: of the names of such files, in lower case.
        matches: whether a file that begins with these bytes, up to `HEAD_BYTES`, is of this format.
        decode: from the bytes of a file to pixels, uint8 (height, width) or (height, width,
            channels). Raises InputError for unsupported files, any other exception for damage.
        encode: from such pixels to the bytes of a file, which decodes to the same pixels.
        channels: the numbers of channels that `encode` accepts and `decode` gives.
        peek: what an open file will decode to, judged by its beginning, or None if that does not
            tell. Raises as `decode` does. By default, all of the file is decoded to find out.
        end: where the picture ends within the bytes of a file that could be decoded: trailing bytes
            would be lost and are refused. By default, at the end of the file: for formats whose
            `decode` checks this.
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
        """Return the pixels of a file; raise InputError that names `source`.

        More than `max_pixels` are refused before decoding if a peek tells, else after.
        """
        with self._damage_told(source):
            _check_size(self.peek(BytesIO(data)), max_pixels)
            pixels = self.decode(data)
            _check_size(pixel_spec(pixels), max_pixels)
            check_end(self.end(data), data)
        return pixels

    def look(self, file: BinaryIO, source: object, max_pixels: int = MAX_PIXELS) -> ImageSpec:
        """Return the spec of what `read` will return; raise InputError that names `source`."""
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
        """Return the bytes of a file; raise InputError that names `path` if the format cannot."""
        try:
            return self.encode(np.ascontiguousarray(pixels))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except ValueError as error:  # for example a size beyond the format's limits
            size = pixel_spec(pixels)
            raise InputError(f"{path}: a {self.name} cannot hold {size} pixels") from error

    @contextmanager
    def _damage_told(self, source: object) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        except Exception as error:  # decoders report damage by nearly every type of exception
            raise InputError(f"{source}: damaged {self.name} file") from error


@dataclass(frozen=True)
class ArrayFormat:
    """A format of files with many images of one spec, which are streamed; also within gzip.

    Fields:
        name, endings, matches: as in `PictureFormat`.
        read: from an open file, its name for messages and the channels of its array to the spec,
            number and chunks of its images, as in `ImageStream`. Raises InputError that names the
            file.
        write: writes images, as `read` gives them, to an open file.
        channels: the numbers of channels that it reads and writes.
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
    """Register a format. Raises ValueError if its name or an ending is taken."""
    endings = {ending for known in FORMATS.values() for ending in known.endings}
    if new.name in FORMATS:
        raise ValueError(f"name: got {new.name!r}, need one that is not taken")
    if taken := endings & set(new.endings):
        raise ValueError(f"endings: got {min(taken)!r}, need endings that are not taken")
    FORMATS[new.name] = new


def picture_formats() -> list[PictureFormat]:
    """Return the formats whose files may lie in a folder."""
    return [known for known in FORMATS.values() if isinstance(known, PictureFormat)]


def format_by_head(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes; the last registered is asked first."""
    return next((known for known in reversed(FORMATS.values()) if known.matches(head)), None)


def format_by_ending(name: str) -> Format | None:
    """Return the format for the ending of a file's name, or None."""
    for known in reversed(FORMATS.values()):
        if name.lower().endswith(known.endings):
            return known
    return None


def pixel_spec(pixels: np.ndarray) -> ImageSpec:
    """Return the spec of one image; raise ValueError for other arrays than uint8 images."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}")
    return ImageSpec.from_shape((1, *pixels.shape))


def check_end(end: int, data: bytes) -> None:
    """Raise InputError if a picture ends before its file does."""
    if end < len(data):
        raise InputError(
            f"bytes follow the picture, which ends at byte {end:,} of {len(data):,}: save each "
            "picture as a separate file"
        )


def _check_size(spec: ImageSpec | None, max_pixels: int) -> None:
    if spec and spec.num_pixels > max_pixels:
        raise InputError(
            f"a picture of {spec} pixels is beyond the limit of {max_pixels} pixels: if it is "
            "genuine, raise max_pixels (--max-pixels)"
        )


def joined(words: Iterable[str], last: str = "or") -> str:
    """Join words to a list: a, b or c."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def with_article(word: str) -> str:
    """Put an article before a word: a PNG, an idx file."""
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
