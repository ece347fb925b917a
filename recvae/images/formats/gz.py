"""Gzip around a file of images."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import BinaryIO, cast

GZIP_MAGIC = b"\x1f\x8b"
GZIP_ENDING = ".gz"


def unpacked(file: BinaryIO) -> BinaryIO:
    """Return the contents of a gzip file, to be read once, in order."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


@contextmanager
def packed_by_name(file: BinaryIO, path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Compress the output if `path` ends in .gz; the same bytes always give the same file."""
    if not os.fspath(path).lower().endswith(GZIP_ENDING):
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as inner:
        yield cast(BinaryIO, inner)
