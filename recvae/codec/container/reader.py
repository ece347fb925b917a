"""Reading a .recvae file, in any order of its groups."""

import shutil
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_END, BytesIO
from itertools import accumulate, groupby, pairwise
from os import PathLike
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Self

from recvae.codec.container.group import group_extent, unpack_group
from recvae.codec.container.header import HEADER_BYTES, Header
from recvae.codec.container.index import (
    FOOTER_BYTES,
    GROUPS_PER_RUN,
    ContainerSizes,
    Index,
    index_bytes,
)
from recvae.codec.container.names import unpack_names
from recvae.codec.container.numbers import MAX_SHORT_BYTES
from recvae.errors import InputError
from recvae.files.errors import translate_os_errors

Source = str | PathLike[str] | bytes | BinaryIO
_SPOOL_BYTES = 1 << 24  # what a pipe may hold in memory; more goes to a temporary file


class ContainerReader:
    """Checks header, index and footer when it is made, and each group when it is read.

    Args:
        source: a path, the bytes of a file, or a binary stream that holds nothing else. A stream
            stays open after `close`; one that cannot seek is read to its end.

    `name` is the path, or what messages call a source without one.

    Every method raises `InputError` where the file is damaged or cannot be read: one line that says
    what and where. Memory is bounded by the size of the file, never by what it claims; names
    take at most 64 MiB of text.
    """

    def __init__(self, source: Source) -> None:
        self.name = _name(source)
        with _naming(self.name):
            self._stream, self._ours = _open(source)
            try:
                self._read_ends()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, unless the source was a stream."""
        if self._ours:
            self._stream.close()

    @property
    def num_images(self) -> int:
        """Images in the file."""
        return self._index.num_images

    @property
    def num_groups(self) -> int:
        """Groups in the file."""
        return self.header.num_groups(self.num_images)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The file names of the images if it has any; unpacked at each call."""
        with _naming(self.name):
            return unpack_names(self._index.packed_names, self.num_images)

    def group_images(self, group: int) -> int:
        """Return how many images a group holds: the last one may hold fewer than the others."""
        first = self._checked(group) * self.header.group_size
        return min(self.header.group_size, self.num_images - first)

    def payload(self, group: int) -> bytes:
        """Return the payload of a group, 0 to num_groups - 1; `IndexError` beyond."""
        self._checked(group)
        (payload,) = self.payloads(group, group + 1)
        return payload

    def payloads(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the payloads of the groups from `start` to before `stop`, as a slice would.

        With all groups the checksum of the whole file is compared too, after the last one.
        """
        groups = range(self.num_groups)[start:stop]
        crc = 0
        with _naming(self.name):
            for run, members in groupby(groups, lambda group: group // GROUPS_PER_RUN):
                bounds = self._walk(run)
                for group in members:
                    begin, end = bounds[(place := group % GROUPS_PER_RUN) : place + 2]
                    data = self._read(begin, end)
                    yield self._unpacked(group, begin, data)
                    crc = zlib.crc32(data, crc)
            if len(groups) == self.num_groups and crc != self._index.groups_crc:
                raise InputError(
                    f"damaged between byte {HEADER_BYTES} and {self._offsets[-1]}: the checksum of "
                    "all groups does not match"
                )

    def sizes(self) -> ContainerSizes:
        """Return where the bytes of the file go; reads and checks all groups."""
        return ContainerSizes.of(self._index, sum(map(len, self.payloads())))

    def verify(self) -> None:
        """Read the whole file and compare all its checksums."""
        self.sizes()
        _ = self.names

    def _read_ends(self) -> None:
        size = self._stream.seek(0, SEEK_END)
        self.header = Header.from_bytes(self._read(0, min(HEADER_BYTES, size)))
        if size < HEADER_BYTES + FOOTER_BYTES:
            raise InputError(f"truncated file: the index is missing, it ends at byte {size}")
        footer = size - FOOTER_BYTES
        start = footer - index_bytes(self._read(footer, size), size)
        try:
            self._index = Index.from_bytes(
                self._read(start, size), self.header, start - HEADER_BYTES
            )
        except InputError as error:
            raise InputError(f"{error} (bytes {start} to {size - 1})") from error
        self._offsets = array("Q", accumulate(self._index.run_lengths, initial=HEADER_BYTES))

    def _walk(self, run: int) -> list[int]:
        """Return where the groups of a run begin, and where the last ends.

        All of the run, whichever group is wanted: that the lengths lead where the index says finds
        a damaged one that the CRC-16, read at the wrong place, misses once in 65536 times.
        """
        begin, end = self._offsets[run : run + 2]
        first = run * GROUPS_PER_RUN
        count = min(GROUPS_PER_RUN, self.num_groups - first)
        bounds = [begin]
        while len(bounds) <= count and bounds[-1] < end:
            head = self._read(bounds[-1], bounds[-1] + MAX_SHORT_BYTES)
            bounds.append(bounds[-1] + group_extent(head, self.header))
        if len(bounds) > count and bounds[-1] == end:
            return bounds
        for group, (start, stop) in enumerate(pairwise(bounds), first):
            if stop > end:
                raise InputError(f"group {group} is damaged at byte {start}: its length")
            self._unpacked(group, start, self._read(start, stop))
        last = first + count - 1
        raise InputError(f"groups {first} to {last} do not fill the bytes {begin} to {end - 1}")

    def _unpacked(self, group: int, begin: int, data: bytes) -> bytes:
        try:
            return unpack_group(data, self.header)
        except InputError as error:
            raise InputError(f"group {group} is damaged at byte {begin}: {error}") from error

    def _read(self, start: int, stop: int) -> bytes:
        self._stream.seek(start)
        data = self._stream.read(stop - start)
        if len(data) < stop - start:
            raise InputError(f"cut while it was read: bytes {start} to {stop - 1} are gone")
        return data

    def _checked(self, group: int) -> int:
        if not 0 <= group < self.num_groups:
            raise IndexError(f"group {group} of a file with {self.num_groups}")
        return group


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Put the file's name before the message of an error."""
    with translate_os_errors(name):
        try:
            yield
        except InputError as error:
            raise InputError(f"{name}: {error}") from error


def _name(source: Source) -> str:
    if isinstance(source, bytes):
        return "recvae data"
    return str(getattr(source, "name", "recvae data") if hasattr(source, "read") else source)


def _open(source: Source) -> tuple[IO[bytes], bool]:
    """Return a stream that can seek, and whether it is ours to close."""
    if isinstance(source, bytes):
        return BytesIO(source), True
    if isinstance(source, str | PathLike):
        stream = open(source, "rb")  # noqa: SIM115 the reader closes it
        if stream.seekable():
            return stream, True
        with stream:
            return _spool(stream), True
    return (source, False) if source.seekable() else (_spool(source), True)


def _spool(pipe: BinaryIO) -> IO[bytes]:
    spool = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 likewise
    shutil.copyfileobj(pipe, spool)
    return spool
