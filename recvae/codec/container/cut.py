"""A truncated file of version 2: its complete groups and the complete layers of the next one."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from recvae.codec.container import index_v2
from recvae.codec.container.footer import TruncatedError
from recvae.codec.container.framing import read_head
from recvae.codec.container.group import Group
from recvae.codec.container.group_v2 import read_streams
from recvae.codec.container.header import MAX_HEADER_BYTES, Header
from recvae.codec.container.locate import Checksums, Shorts
from recvae.codec.container.placing import Placed
from recvae.codec.container.walk import Places, unbroken
from recvae.errors import InputError


@dataclass(frozen=True)
class CutFile:
    """The contents of a truncated file.

    Fields:
        header: the file's header.
        groups: the complete groups' extents.
        last: the truncated group after them, if at least one of its layers is complete; streams of
            other layers are empty.
        layers: number of its complete layers.
    """

    header: Header
    groups: Sequence[Placed]
    last: Group | None = None
    layers: int = 0


def read_cut_file(data: bytes) -> CutFile:
    """Return the contents of a truncated file.

    Raises `TruncatedError` for version 1, `InputError` for other damage than the cut.
    """
    header = Header.from_bytes(data[:MAX_HEADER_BYTES])
    if header.version == 1:
        raise TruncatedError("truncated file: groups of version 1 have no layers")
    places = Places(data, header, Checksums(data), Shorts(data))
    groups = list(unbroken(places, header.num_bytes, len(data)))
    end = groups[-1][1] if groups else header.num_bytes
    if data[end : end + 1] in (b"", index_v2.BEGIN):
        return CutFile(header, groups)
    try:
        return CutFile(header, groups, *_cut_group(data, end, header))
    except InputError as error:
        raise InputError(f"group {len(groups)} is damaged at byte {end}: {error}") from error


def _cut_group(data: bytes, begin: int, header: Header) -> tuple[Group | None, int]:
    """The truncated group, or None if no layer is complete, and its number of complete layers."""

    def read(start: int, stop: int) -> bytes:
        return data[start:stop]

    try:
        head, start = read_head(read, begin, len(data), header)
    except IndexError:
        return None, 0
    ends = [stop for _, stop in head.stream_spans(start)]
    if ends[-1] <= len(data):
        raise InputError("its checksum does not match")
    tiles = len(ends) // head.layers
    layers = bisect_right(ends, len(data)) // tiles
    if not layers:
        return None, 0
    return read_streams(read, start, head, header, range(layers * tiles)), layers
