"""An output that takes long: what is done of it outlives an interruption, under a hidden name.

Beside `x` lie, until it is whole, `.x.part` with its beginning and `.x.journal` with what the
writer needs to go on. A lock on the journal, which ends with the process, keeps others from both.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from recvae.errors import InputError
from recvae.files.atomic import refuse_file, replace_file, sync
from recvae.files.errors import translate_os_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KEPT = "what is done is kept, --resume goes on"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Partial:
    """Two files to read and write, at their beginnings; empty where there is nothing to resume.

    What the part holds beyond what the journal tells of is worth nothing.
    """

    path: str
    part: BinaryIO
    journal: BinaryIO

    def begin_anew(self) -> None:
        """Forget what is done."""
        for file in (self.journal, self.part):  # in this order: no journal without its part
            file.seek(0)
            file.truncate()


@contextmanager
def resumable_file(
    path: str | PathLike[str], force: bool = False, resume: bool = False
) -> Iterator[Partial]:
    """Open what becomes `path` once the block has ended well, as `atomic_file` does.

    Where the block is interrupted or the disk is full, part and journal stay if the journal holds
    anything. With `resume` the next call goes on with them, with `force` alone it begins anew, with
    neither it raises `InputError`, as it does while another process has them. Bad input, an
    `InputError` of the block, leaves nothing behind that was not there before.
    """
    path = os.fspath(path)
    with translate_os_errors(path):
        target = Path(os.path.realpath(path))
        refuse_file(path, target, force)
        part, journal = (target.with_name(f".{target.name}.{kind}") for kind in ("part", "journal"))
        with _opened(journal) as journal_file:
            _lock(journal_file, journal, path)
            try:
                with _opened(part) as part_file:
                    partial = Partial(path, part_file, journal_file)
                    goes_on = _has_begun(part, journal, path, force, resume)
                    if not goes_on:
                        partial.begin_anew()
                    try:
                        yield partial
                    except InputError:
                        if not goes_on:
                            partial.begin_anew()
                        raise
                    sync(part_file)
                refuse_file(path, target, force)  # another process may have been faster
                replace_file(part, target)
            except BaseException as error:
                if not os.path.getsize(journal):
                    _remove(part)
                    _remove(journal)
                elif isinstance(error, KeyboardInterrupt):
                    raise KeyboardInterrupt(KEPT) from error
                elif isinstance(error, OSError):
                    raise InputError(f"{path}: {error.strerror or error}; {KEPT}") from error
                raise
            _remove(journal)


def _has_begun(
    part: Path, journal: Path, path: str | PathLike[str], force: bool, resume: bool
) -> bool:
    """Whether there is something to resume; InputError if nobody said what to do with it."""
    has_begun = part.stat().st_size > 0 and journal.stat().st_size > 0
    if has_begun and not resume and not force:
        raise InputError(
            f"{path}: an interrupted run left its part: --resume goes on, --force begins anew"
        )
    return has_begun and resume


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open to read and write; made if missing, with the permissions of any new file."""
    file = os.fdopen(os.open(path, _FLAGS, 0o666), "r+b")
    try:
        yield file
    finally:
        with suppress(OSError):  # of a full disk, once more: who wants to know has flushed
            file.close()


def _lock(file: BinaryIO, name: Path, path: str | PathLike[str]) -> None:
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), os.stat(name)):
            return
    except (BlockingIOError, FileNotFoundError):  # the latter if the other one has just finished
        pass
    raise InputError(f"{path}: another process is writing it")


def _remove(name: Path) -> None:
    """Remove what is ours, if need be while it is open: its lock must hold until it is gone."""
    with suppress(OSError):
        if not name.is_symlink():
            name.unlink()
