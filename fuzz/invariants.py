"""Invariants of every parser, and a place for its files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from recvae.errors import InputError

MAX_MESSAGE = 5000  # characters: three file names whose characters are all escaped


@contextmanager
def refusal_is_one_line() -> Iterator[None]:
    """Swallow an `InputError` of the block, whose message must be one printable line."""
    try:
        yield
    except InputError as error:
        message = str(error)
        assert message, "refused without a message"
        assert message.isprintable(), f"a message that cannot be printed: {message!r}"
        assert len(message) <= MAX_MESSAGE, f"a message of {len(message)} characters"


def scratch(name: str) -> Path:
    """A path of this name in a folder that is removed when the interpreter ends."""
    return Path(_folder().name) / name


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="recvae-fuzz-")
