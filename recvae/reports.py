"""Output of programs, which can neither fail the work it reports nor get lost unnoticed.

While a program runs, printing to standard output or error never fails: text that cannot be
delivered, as on a full disk or into a closed pipe, is dropped. Requested results, as of `info`, go
through `show`, which raises if they did not arrive.
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
    """A text stream, possibly none, whose writes never fail; unencodable characters are escaped.

    `failure` is the error that kept a text from arriving. `buffer` is the binary stream below, if
    there is one, which does fail.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None if the program was started without it
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
        """Discard what the stream still buffers, so that it does not fail again at the end."""
        with suppress(OSError, ValueError):  # a stream of another kind has no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        self._stream = None


@contextmanager
def forgiving_streams() -> Iterator[None]:
    """Make printing never fail; flush when the block ends."""
    with redirect_stdout(_Forgiving(sys.stdout)), redirect_stderr(_Forgiving(sys.stderr)):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def silence_output() -> None:
    """Discard what standard output still buffers."""
    if isinstance(sys.stdout, _Forgiving):
        sys.stdout.silence()


def show(text: str) -> None:
    """Print a requested result on standard output.

    Raises `InputError` if it does not arrive, `BrokenPipeError` if the reader is gone.
    """
    print(text, flush=True)
    if failure := getattr(sys.stdout, "failure", None):
        with translate_os_errors("standard output"):
            raise failure
