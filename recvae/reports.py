"""What programs say: it can neither fail the work that it tells of nor be lost unseen.

While a program runs, no print to standard output or error fails: what nobody can be told, as on a
full disk or behind a pipe that was closed, is dropped. What was asked for, as by `info`, goes
through `show`, which tells if it did not arrive.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, BinaryIO, TextIO

from recvae.files import translate_os_errors


class _Forgiving(io.TextIOBase):
    """A text stream, maybe none, on which no write fails; what it cannot encode is escaped.

    `failure` is what kept a text from arriving. `buffer` is the binary stream below, which does
    fail, if there is one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None where the program was started without
        self.failure: OSError | ValueError | None = None
        if stream is None:
            self.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))

    @property
    def buffer(self) -> BinaryIO:
        return self._stream.buffer  # type: ignore[union-attr]

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        return self._stream.fileno() if self._stream else super().fileno()

    def isatty(self) -> bool:
        with suppress(ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._try("write", shown)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, method: str, *arguments: Any) -> None:
        if self._stream is None:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except (OSError, ValueError) as error:  # the latter if it is closed
            self.silence()
            self.failure = error

    def silence(self) -> None:
        """Let what the stream still holds go nowhere, instead of failing once more at the end."""
        with suppress(OSError, ValueError):  # a stream of another kind has no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        self._stream = None


@contextmanager
def forgiving_streams() -> Iterator[None]:
    """Let no print fail; what was printed is on its way when the block ends."""
    with redirect_stdout(_Forgiving(sys.stdout)), redirect_stderr(_Forgiving(sys.stderr)):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def silence_output() -> None:
    """Let what a program's standard output still holds go nowhere."""
    if isinstance(sys.stdout, _Forgiving):
        sys.stdout.silence()


def show(text: str) -> None:
    """Print on standard output what was asked for.

    Raises `InputError` if it does not arrive, `BrokenPipeError` if nobody reads it.
    """
    print(text, flush=True)
    if failure := getattr(sys.stdout, "failure", None):
        with translate_os_errors("standard output"):
            raise failure
