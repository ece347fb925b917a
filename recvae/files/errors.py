"""The operating system's refusals, told as bad input."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from recvae.errors import InputError


@contextmanager
def translate_os_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` of the block (no space, no permission, ...) into an `InputError`.

    The message is `<path>: <reason>`, whatever temporary file the block was busy with. That nobody
    reads what goes to a pipe any more is no bad input: `BrokenPipeError` passes.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
