"""Salvages damaged files of either version, one or several concatenated."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from recvae.codec.container import salvage_v1, salvage_v2
from recvae.codec.container.header import Header
from recvae.codec.container.joined import Left, Rescue
from recvae.codec.container.salvaged import Check, Salvage
from recvae.codec.container.split import split
from recvae.errors import InputError

OTHER_MODEL = "made with another model"

_BY_VERSION: dict[int, Callable[[bytes, Header, Check], Salvage]] = {
    1: salvage_v1.salvage_groups,
    2: salvage_v2.salvage_groups,
}


def salvage_groups(data: bytes, header: Header, check: Check) -> Salvage:
    """Find what is left in `data`, which begins with a header, damaged or not.

    Time and memory are linear in the bytes, apart from `check`. Raises `InputError` if no group is
    left.
    """
    return _BY_VERSION[header.version](data, header, check)


def salvage_files(
    data: bytes,
    models: Iterable[tuple[bytes, int, int]],
    check_for: Callable[[Header], Check],
    name: str = "recvae data",
) -> Rescue:
    """Find what is left of the files in `data` that share one model.

    It is the model of the first file with anything left. `models` are hash, height and width of
    those that a damaged header may name; `check_for` returns the check for the groups of a file;
    `name` is the name of the data in messages. Time and memory are as in `salvage_groups`.

    Raises `InputError` if nothing is left of any file.
    """
    files: list[Salvage] = []
    left: list[Left] = []
    try:
        pieces = split(data, models)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    for piece in pieces:
        reason, header = piece.problem, piece.header
        if header is not None:
            try:
                if files and header.models != files[0].header.models:
                    raise InputError(OTHER_MODEL)
                found = salvage_groups(data[piece.begin : piece.end], header, check_for(header))
                damaged = ["header"] * piece.repaired + found.damaged
                files.append(replace(found, damaged=damaged, begin=piece.begin))
                continue
            except InputError as error:
                reason = str(error).removeprefix(f"{name}: ")
        left.append(Left(piece.begin, piece.end, reason, header, piece.num_images))
    if not files:
        raise InputError(f"{name}: {next(rest.reason for rest in left if rest.reason)}")
    return Rescue(files, left)
