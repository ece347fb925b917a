"""A slow output whose progress survives an interruption, under a hidden name.

Until `x` is complete, `.x.part` beside it holds its beginning and `.x.journal` what the writer
needs to continue. A lock on the journal, released when the process ends, keeps other processes out.
On a file system without locks nothing is kept: the two then have names unknown to other processes.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from recvae.errors import InputError, gpu_failure, tell_of_interrupt
from recvae.files.atomic import (
    CANNOT,
    NOTHING,
    is_in_place,
    put_in_place,
    refuse_file,
    sync,
    take_mode,
)
from recvae.files.errors import translate_os_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

KEPT = "progress is kept, --resume continues"
_KINDS = ("part", "journal")
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Partial:
    """Two files to read and write, positioned at their beginnings; empty for a new run.

    Bytes of the part that the journal does not cover are to be ignored.
    """

    path: str
    part: BinaryIO
    journal: BinaryIO

    def begin_anew(self) -> None:
        """Discard all progress."""
        for file in (self.journal, self.part):  # in this order: no journal without its part
            file.seek(0)
            file.truncate()


@contextmanager
def resumable_file(
    path: str | PathLike[str], force: bool = False, resume: bool = False
) -> Iterator[Partial]:
    """Open a file that becomes `path` after the block has succeeded, as `atomic_file` does.

    If the block is interrupted, the disk is full or a GPU fails, part and journal are kept, unless
    the journal is empty or the file system has no locks. The next call continues with them if
    `resume` is set, and starts over if only `force` is; otherwise, and while another process uses
    them, it raises `InputError`. Bad input, an `InputError` of the block, leaves nothing behind
    that was not there before.
    """
    path = os.fspath(path)
    with translate_os_errors(path):
        target = Path(os.path.realpath(path))
        refuse_file(path, target, force)
        with _claimed(target, path, force, resume) as (part, journal, journal_file):
            with _opened(part) as part_file:
                partial = Partial(path, part_file, journal_file)
                goes_on = _has_begun(part, journal, path, force, resume)
                if not goes_on:
                    partial.begin_anew()
                take_mode(part, target, at_least=0o600)
                try:
                    yield partial
                except InputError:
                    if not goes_on:
                        partial.begin_anew()
                    raise
                sync(part_file)
            put_in_place(part, target, path, force)


@contextmanager
def _claimed(
    target: Path, path: str, force: bool, resume: bool
) -> Iterator[tuple[Path, Path, BinaryIO]]:
    """Claim part and journal: the names of both, and the journal, open.

    They are removed when the block ends, unless it fails and the next run can find and lock them.
    """
    part, journal = (_beside(target, kind) for kind in _KINDS)
    with _opened(journal) as file:
        if _is_locked(file, journal, path):
            with _kept_on_failure(target, part, journal, path):
                yield part, journal, file
            return
    if not _size(journal):
        _remove(journal)
    elif resume or not force:
        raise InputError(
            f"{path}: an interrupted run left its progress, which cannot be resumed on a file "
            "system without locks: --force starts over"
        )
    part, journal = (target.parent / f".recvae-{secrets.token_hex(8)}.{kind}" for kind in _KINDS)
    try:
        with _opened(journal) as file:
            yield part, journal, file
    except BaseException as error:
        tell_of_interrupt(error, NOTHING)
        raise
    finally:
        _remove(part)
        _remove(journal)


@contextmanager
def _kept_on_failure(target: Path, part: Path, journal: Path, path: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if is_in_place(part, target):
            _remove(part)
            _remove(journal)
        elif not _size(journal):
            _remove(part)
            _remove(journal)
            tell_of_interrupt(error, NOTHING)
        elif isinstance(error, OSError):
            raise InputError(f"{path}: {error.strerror or error}; {KEPT}") from error
        elif line := gpu_failure(error):
            raise InputError(f"{path}: {line}; {KEPT}") from error
        else:
            tell_of_interrupt(error, KEPT)
        raise
    _remove(journal)


def _size(name: Path) -> int:
    """Size of a file in bytes; 0 if it is missing."""
    try:
        return os.path.getsize(name)
    except FileNotFoundError:
        return 0


def _beside(target: Path, kind: str) -> Path:
    """The name of a file's part or journal; contains the file's own unless that is too long."""
    name = target.name
    try:
        longest = os.pathconf(target.parent, "PC_NAME_MAX")
    except (AttributeError, OSError):  # Windows, or a folder that does not tell
        longest = 255
    if len(os.fsencode(f".{name}.journal")) > longest:
        name = f"recvae-{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"
    return target.with_name(f".{name}.{kind}")


def _has_begun(
    part: Path, journal: Path, path: str | PathLike[str], force: bool, resume: bool
) -> bool:
    """Whether there is something to resume; InputError if no option says what to do with it."""
    has_begun = _size(part) > 0 and _size(journal) > 0
    if has_begun and not resume and not force:
        raise InputError(
            f"{path}: an interrupted run left its progress: --resume continues, --force starts over"
        )
    return has_begun and resume


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open for reading and writing; create it if missing, with default permissions."""
    file = os.fdopen(os.open(path, _FLAGS, 0o666), "r+b")
    try:
        yield file
    finally:
        with suppress(OSError):  # a full disk again, already reported by flush
            file.close()


def _is_locked(file: BinaryIO, name: Path, path: str) -> bool:
    """Lock a file; False if the file system has no locks."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), os.stat(name)):
            return True
    except (BlockingIOError, FileNotFoundError):  # the latter if the other process just finished
        pass
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        return False
    raise InputError(f"{path}: another process is writing it")


def _remove(name: Path) -> None:
    """Remove a file of ours, even while open, so that its lock holds until it is gone."""
    with suppress(OSError):
        if not name.is_symlink():
            name.unlink()
