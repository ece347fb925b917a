"""Gzip around a file of images."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

GZIP_MAGIC = b"\x1f\x8b"
GZIP_ENDING = ".gz"


def unpacked(file: BinaryIO) -> BinaryIO:
    """Return what a gzip file holds, to be read once and in order."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


@contextmanager
def packed(file: BinaryIO) -> Iterator[BinaryIO]:
    """Compress what is written; the same bytes always give the same file."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as inner:
        yield cast(BinaryIO, inner)
