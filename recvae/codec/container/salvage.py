"""What a damaged file still holds, of either version."""

from collections.abc import Callable

from recvae.codec.container import salvage_v1, salvage_v2
from recvae.codec.container.header import Header
from recvae.codec.container.salvaged import Check, Salvage

_BY_VERSION: dict[int, Callable[[bytes, Header, Check], Salvage]] = {
    1: salvage_v1.salvage_groups,
    2: salvage_v2.salvage_groups,
}


def salvage_groups(data: bytes, header: Header, check: Check) -> Salvage:
    """Find what is left in `data`, whose first bytes are a header, damaged or not.

    Time and memory are linear in the bytes, but for what `check` takes. Raises `InputError` if no
    group is left.
    """
    return _BY_VERSION[header.version](data, header, check)
