"""File names of images: checks of given names, and default ones."""

import os
from collections import Counter
from collections.abc import Sequence

from recvae.errors import InputError
from recvae.images.formats.registry import PictureFormat, format_by_ending, joined, picture_formats

MAX_NAME_BYTES = 255  # the limit of common file systems
_ON_WINDOWS = os.name == "nt"


def default_names(count: int) -> tuple[str, ...]:
    """Return `00000.png`, `00001.png`, ...: `count` names, wide enough to sort in this order."""
    digits = max(5, len(str(count - 1)))
    return tuple(f"{index:0{digits}}.png" for index in range(count))


def check_names(names: Sequence[str], count: int) -> None:
    """Raise `InputError` unless these are `count` distinct, bare, visible picture names.

    Names come in files made by others, so none may lead out of the folder they are written to.
    """
    if len(names) != count:
        raise InputError(f"{len(names)} names for {count} images")
    for name in names:
        if problem := _problem(name):
            raise InputError(f"the image name {name!r} {problem}")
    if len(set(names)) < len(names):
        (double, times), *_ = Counter(names).most_common(1)
        raise InputError(f"the image name {double!r} occurs {times} times")


def check_names_here(names: Sequence[str], count: int) -> None:
    """Raise `InputError` unless `check_names` passes and this system can create such files.

    On Windows a colon leads to another drive, or to a stream that no folder shows.
    """
    check_names(names, count)
    if _ON_WINDOWS and (strange := next((name for name in names if ":" in name), None)):
        raise InputError(
            f"the image name {strange!r} has a colon, which no file name can have on Windows: "
            "write an array, such as .npy, or decompress on another system"
        )


def _problem(name: str) -> str | None:
    if any(character in "/\\" or character < " " or character == "\x7f" for character in name):
        return "is not a bare file name: it has a separator or a control character"
    if name.startswith("."):
        return "begins with a dot"
    if not isinstance(format_by_ending(name), PictureFormat):
        endings = (ending for known in picture_formats() for ending in known.endings)
        return f"does not end in {joined(endings)}"
    try:
        too_long = len(name.encode()) > MAX_NAME_BYTES
    except UnicodeEncodeError:  # surrogates stand for undecodable bytes in a name
        return "is not valid Unicode"
    return f"is longer than {MAX_NAME_BYTES} bytes" if too_long else None
