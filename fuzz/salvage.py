"""Target: the salvage of a damaged `.recvae` file, without a model."""

import io
import zlib
from collections.abc import Iterable, Iterator

from fuzz import container
from fuzz.invariants import refusal_is_one_line
from recvae.codec.container import ContainerReader, Group
from recvae.codec.container.salvage import salvage_files
from recvae.errors import InputError

seeds = container.seeds


def check(data: bytes) -> None:
    """Check that a salvaged file has no faults, and that all of an undamaged file is saved."""
    strictness, rest = data[:1], data[1:]
    if strictness and strictness[0] & 1:
        rest = container.reseal(rest)
    mask = strictness[0] >> 4 if strictness else 0

    def accepts(groups: Iterable[Group]) -> Iterator[bool]:
        """As a model would: some groups, for some numbers of images; all if `mask` is 0."""
        for group in groups:
            yield not zlib.crc32(b"".join(group.streams), group.num_images) & mask

    with refusal_is_one_line():
        found = salvage_files(rest, [(container.HASH, 2, 3)], lambda header: accepts)
        stream = io.BytesIO()
        found.write_to(stream)
        found.as_dict()
        with ContainerReader(stream.getvalue()) as reader:
            reader.verify()
            assert reader.num_images == found.num_recovered
            saved = list(reader.payloads())
        intact = _split_payloads(rest)
        if intact is not None:
            assert found.is_complete, "nothing was damaged"
            assert not found.damaged
            assert saved == intact


def _split_payloads(data: bytes) -> list[bytes] | None:
    """Split the payloads of a file without faults."""
    try:
        with ContainerReader(data) as reader:
            reader.verify()
            return list(reader.payloads())
    except InputError:
        return None
