"""Reads a .recvae file, its groups in any order."""

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, groupby
from typing import Any, NamedTuple, Self

from recvae.codec.container.footer import (
    FOOTER_BYTES,
    ContainerSizes,
    TruncatedError,
    index_bytes,
)
from recvae.codec.container.framing import (
    Wanted,
    index_type,
    read_extent,
    read_part,
    unpack_group,
)
from recvae.codec.container.group import Group
from recvae.codec.container.header import MAX_HEADER_BYTES, Header
from recvae.codec.container.index_v1 import GROUPS_PER_RUN
from recvae.codec.container.names import NAMES
from recvae.codec.container.source import Source, naming, open_source, source_name
from recvae.errors import InputError
from recvae.files.positions import UnreadableError
from recvae.images.spec import ImageSpec


class Span(NamedTuple):
    """A group's bytes, `begin` to `end` - 1, and its number of images."""

    begin: int
    end: int
    num_images: int


class ContainerReader:
    """Checks header, index and footer when created, and each group when it is read.

    Args:
        source: a path, the bytes of a file, or a binary stream that holds nothing else. A stream
            stays open after `close`; one that is not seekable is read to its end.

    `name` is the path, or a name for messages if there is none.

    Threads and forked processes may read at the same time, except streams that are not regular
    files: only the process that opened these may read them. A copy, as by pickle, opens the path
    again, from any folder, or holds the bytes; other streams cannot be copied, and a copy is
    refused if the path holds another file by then.

    Every method raises `InputError` if the file is damaged or cannot be read: one line that says
    what and where. Memory is bounded by the size of the file, whatever its fields state; names
    take at most 64 MiB of text.
    """

    def __init__(self, source: Source) -> None:
        self.name = source_name(source)
        self._kept_spans: tuple[int, list[Span]] = -1, []
        with naming(self.name):
            self._positions = open_source(source)
            try:
                self._read_ends()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        with naming(self.name):
            return _copied, (type(self), self._positions.origin(), self.name, self._seal)

    def close(self) -> None:
        """Close the file, unless the source was a stream; no more can be read."""
        self._positions.close()

    @property
    def num_images(self) -> int:
        """Number of images in the file."""
        return self._index.num_images

    @property
    def num_groups(self) -> int:
        """Number of groups in the file."""
        return self._index.num_groups(self.header)

    @property
    def spec(self) -> ImageSpec | None:
        """The spec of all images; None if they differ."""
        return self.header.spec if self._index.own_specs == 0 else None

    @property
    def raw_bytes(self) -> int:
        """Bytes of all images, uncompressed, according to the index."""
        return self._index.raw_bytes(self.header)

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays beside the images, by name; unpacked on each access."""
        with naming(self.name):
            return self._index.arrays()

    @property
    def names(self) -> tuple[str, ...] | None:
        """The file names of the images, if any; unpacked on each access."""
        return self.arrays.get(NAMES)

    def runs(self) -> tuple[tuple[ImageSpec, int], ...]:
        """Runs of consecutive images of the same spec: (spec, number) pairs.

        Reads all groups if they differ.
        """
        if self.spec is not None:
            return ((self.spec, self.num_images),)
        runs: list[tuple[ImageSpec, int]] = []
        for group in self.groups():
            before = runs.pop()[1] if runs and runs[-1][0] == group.spec else 0
            runs.append((group.spec, before + group.num_images))
        return tuple(runs)

    def group_images(self, group: int) -> int:
        """Return the number of images in a group."""
        self._checked(group)
        with naming(self.name):
            return self.spans(group // GROUPS_PER_RUN)[group % GROUPS_PER_RUN].num_images

    def find(self, image: int) -> tuple[int, int]:
        """Return the group that holds an image, and the index of its first image."""
        if not 0 <= image < self.num_images:
            raise IndexError(f"image {image} of a file with {self.num_images}")
        if self.header.version == 1:
            group = image // self.header.group_size
            return group, group * self.header.group_size
        with naming(self.name):
            run = bisect_right(self._first_images, image) - 1
            first = self._first_images[run]
            for place, span in enumerate(self.spans(run)):
                if image < first + span.num_images:
                    return run * GROUPS_PER_RUN + place, first
                first += span.num_images
        raise AssertionError("a run holds the number of images in the index")

    def group(self, number: int) -> Group:
        """Read a group, 0 to num_groups - 1; `IndexError` beyond."""
        self._checked(number)
        (group,) = self.groups(number, number + 1)
        return group

    def part(self, number: int, wanted: Wanted) -> Group:
        """Read only the `wanted` streams of a group; the others are empty.

        A group of one stream is read whole. The checksums of the head and of what is read are
        checked. `IndexError` for a group that does not exist.
        """
        self._checked(number)
        with naming(self.name):
            span = self.spans(number // GROUPS_PER_RUN)[number % GROUPS_PER_RUN]
            with _damage_told(number, span.begin):
                group = read_part(self._positions.read, *span[:2], self.header, span[2], wanted)
            self._check_spec(number, group)
            return group

    def payload(self, group: int) -> bytes:
        """Return the streams of a group, joined, 0 to num_groups - 1; `IndexError` beyond."""
        return b"".join(self.group(group).streams)

    def payloads(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the joined streams of each group; see `groups`."""
        for group in self.groups(start, stop):
            yield b"".join(group.streams)

    def groups(self, start: int = 0, stop: int | None = None) -> Iterator[Group]:
        """Yield the groups `start` to `stop` - 1, as a slice would.

        If these are all groups, the checksum of the whole file and the index's statements about
        them are also checked, after the last one.
        """
        groups = range(self.num_groups)[start:stop]
        crc = raw_bytes = own_specs = 0
        with naming(self.name):
            for run, members in groupby(groups, lambda group: group // GROUPS_PER_RUN):
                spans = self.spans(run)
                for number in members:
                    span = spans[number % GROUPS_PER_RUN]
                    data = self._positions.read(span.begin, span.end)
                    group = self._unpacked(number, span.begin, data, span.num_images)
                    self._check_spec(number, group)
                    crc = zlib.crc32(data, crc)
                    raw_bytes += group.raw_bytes
                    own_specs += group.spec != self.header.spec
                    yield group
            if len(groups) == self.num_groups:
                self._compare(crc, raw_bytes, own_specs)

    def sizes(self) -> ContainerSizes:
        """Return the sizes of the file's parts; reads and checks all groups."""
        payload = sum(group.num_bytes for group in self.groups())
        group_bytes = self._offsets[-1] - self.header.num_bytes
        return ContainerSizes(
            header=self.header.num_bytes,
            payload=payload,
            framing=group_bytes - payload,
            index=self._index_bytes - self._index.beside,
            names=self._index.beside,
        )

    def verify(self) -> None:
        """Read the whole file and check all its checksums."""
        self.sizes()
        _ = self.arrays

    def _read_ends(self) -> None:
        size = self._positions.size
        self.header = Header.from_bytes(self._positions.read(0, min(MAX_HEADER_BYTES, size)))
        if size < self.header.num_bytes + FOOTER_BYTES:
            raise TruncatedError(f"truncated file: the index is missing, it ends at byte {size}")
        footer = size - FOOTER_BYTES
        sealed = self._positions.read(footer, size)
        self._seal = size, self.header, sealed
        self._index_bytes = index_bytes(sealed, self.header, size)
        start = footer - self._index_bytes
        begin = self.header.num_bytes
        index = self._positions.read(start, size)
        try:
            self._index = index_type(self.header).from_bytes(index, self.header, start - begin)
        except InputError as error:
            raise InputError(f"{error} (bytes {start} to {size - 1})") from error
        self._offsets = array("Q", accumulate(self._index.run_lengths, initial=begin))
        run_images = self._index.run_images(self.header)
        self._first_images = array("Q", accumulate(run_images, initial=0))

    def spans(self, run: int) -> list[Span]:
        """The spans of the groups of a run; those of the last run are cached."""
        kept = self._kept_spans
        if kept[0] != run:
            kept = self._kept_spans = run, self._read_spans(run)
        return kept[1]

    def _read_spans(self, run: int) -> list[Span]:
        """The spans of the groups of a run, from their heads.

        All heads are read, whichever is wanted: checking that the lengths lead where the index says
        finds damage that the CRC-16, read at the wrong place, misses once in 65536 times.
        """
        begin, end = self._offsets[run : run + 2]
        first = run * GROUPS_PER_RUN
        count = min(GROUPS_PER_RUN, self.num_groups - first)
        left = self._first_images[run + 1] - self._first_images[run]
        spans: list[Span] = []
        while len(spans) < count and begin < end:
            with _damage_told(first + len(spans), begin):
                extent, images = read_extent(
                    self._positions.read, begin, self._offsets[-1], self.header
                )
            images = min(self.header.group_size, left) if images is None else images
            spans.append(Span(begin, begin + extent, images))
            begin, left = begin + extent, left - images
        if len(spans) == count and begin == end and left == 0:
            return spans
        for group, span in enumerate(spans, first):
            if span.end > end:
                raise InputError(f"group {group} is damaged at byte {span.begin}: its length")
            data = self._positions.read(span.begin, span.end)
            self._unpacked(group, span.begin, data, span.num_images)
        last = first + count - 1
        begin, end = self._offsets[run : run + 2]
        raise InputError(f"groups {first} to {last} do not fill the bytes {begin} to {end - 1}")

    def _unpacked(self, group: int, begin: int, data: bytes, num_images: int) -> Group:
        with _damage_told(group, begin):
            return unpack_group(data, self.header, num_images)

    def _check_spec(self, number: int, group: Group) -> None:
        if self.spec is not None and group.spec != self.spec:
            raise InputError(f"group {number} holds images of another spec than the header's")

    def _compare(self, crc: int, raw_bytes: int, own_specs: int) -> None:
        """Raise `InputError` unless all groups agree with the index."""
        begin, end = self.header.num_bytes, self._offsets[-1]
        if crc != self._index.groups_crc:
            raise InputError(
                f"damaged between byte {begin} and {end}: the checksum of all groups does not match"
            )
        if (raw_bytes, own_specs) != (self.raw_bytes, self._index.own_specs):
            raise InputError("the groups hold images of other sizes than the index states")

    def _checked(self, group: int) -> int:
        if not 0 <= group < self.num_groups:
            raise IndexError(f"group {group} of a file with {self.num_groups}")
        return group


@contextmanager
def _damage_told(group: int, begin: int) -> Iterator[None]:
    """Name the damaged group in an InputError."""
    try:
        yield
    except UnreadableError:
        raise
    except InputError as error:
        raise InputError(f"group {group} is damaged at byte {begin}: {error}") from error


def _copied(
    kind: type[ContainerReader], source: str | bytes, name: str, seal: tuple[int, Header, bytes]
) -> ContainerReader:
    """A reader of the same file; the seal, with the checksum of the index, identifies it."""
    copy = kind(source)
    copy.name = name
    if copy._seal != seal:
        copy.close()
        raise InputError(f"{name}: has changed since it was opened: open it again")
    return copy
