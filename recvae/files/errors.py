"""Errors of the operating system as bad input."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from recvae.errors import InputError


@contextmanager
def translate_os_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` of the block (no space, no permission, ...) into an `InputError`.

    The message is `<path>: <reason>`, whatever temporary file the block was using. A pipe without a
    reader is not bad input: `BrokenPipeError` passes through.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
