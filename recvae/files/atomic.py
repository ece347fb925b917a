"""Outputs that appear whole or not at all.

Output is written under a temporary name beside its destination, so that the last step is a rename
within one file system. Any exception, `KeyboardInterrupt` included, removes the temporary.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from recvae.errors import InputError, tell_of_interrupt
from recvae.files.errors import translate_os_errors

Kinds = Sequence[tuple[str, tuple[str, ...]]]
NOTHING = "no output was written"
CANNOT = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""Errors of file systems that lack an operation."""


@contextmanager
def atomic_file(path: str | PathLike[str], force: bool = False) -> Iterator[BinaryIO]:
    """Open `path` for writing in binary; it appears only after the block has succeeded.

    Raises `InputError` if `path` exists and `force` is false, if it is not a regular file, if its
    folder is missing, and for every `OSError` of the block. Symbolic links are followed.
    """
    path = os.fspath(path)
    with translate_os_errors(path):
        target = Path(os.path.realpath(path))
        refuse_file(path, target, force)
        temporary = _temporary_beside(target)
        try:
            with open(temporary, "xb") as file:
                take_mode(temporary, target, at_least=0o600)
                yield file
                sync(file)
            put_in_place(temporary, target, path, force)
        except BaseException as error:
            if not is_in_place(temporary, target):
                tell_of_interrupt(error, NOTHING)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextmanager
def atomic_folder(
    path: str | PathLike[str], force: bool = False, replaceable: Kinds = ()
) -> Iterator[Path]:
    """Make a folder to fill; it is renamed to `path` after the block has succeeded.

    With `force`, an old folder stays until the new one is complete. Raises `InputError` as
    `atomic_file` does; also if the old folder holds anything but files of the `replaceable` kinds,
    which are pairs of a word for messages and lower-case name endings; and if it cannot be replaced
    whatever it holds: a mount point, or the working directory or a parent of it.
    """
    path = os.fspath(path)
    with translate_os_errors(path):
        target = Path(os.path.realpath(path))
        _refuse_folder(path, target, force, replaceable)
        temporary = _temporary_beside(target)
        try:
            temporary.mkdir()
            yield temporary
            _refuse_folder(path, target, force, replaceable)
            if target.exists():
                replace_folder(temporary, target)
            else:
                temporary.rename(target)
            _sync_folder(target.parent)
        except BaseException as error:
            if temporary.exists():
                tell_of_interrupt(error, NOTHING)
                _remove_folder(temporary)
            raise


def _temporary_beside(target: Path) -> Path:
    return target.parent / f".recvae-{secrets.token_hex(8)}.part"


def replace_folder(new: Path, old: Path) -> None:
    """Replace a folder, keeping its name and permissions; on failure, restore the old one."""
    aside = _temporary_beside(old)
    try:
        old.rename(aside)
        new.rename(old)
        take_mode(old, aside)
    except BaseException:
        with suppress(OSError):  # another process may have created one there
            aside.rename(old)
        raise
    finally:
        if old.exists():
            _remove_folder(aside)


def _remove_folder(folder: Path) -> None:
    """Remove a folder of ours, even if it has inherited read-only permissions."""
    with suppress(OSError):
        folder.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def sync(file: BinaryIO) -> None:
    """Wait until everything written is on disk."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in CANNOT:
            raise


def take_mode(new: Path, old: Path, at_least: int = 0) -> None:
    """Give a file the permissions of the one it will replace, if there is one."""
    with suppress(FileNotFoundError, PermissionError):  # the latter without permissions
        os.chmod(new, stat.S_IMODE(os.stat(old).st_mode) | at_least)


def put_in_place(new: Path, target: Path, path: str | PathLike[str], force: bool) -> None:
    """Move a file that is on disk to its final name, and wait until the rename is on disk too.

    It takes the permissions of the file it replaces. Raises `InputError` as `refuse_file` does:
    another process may have been faster.
    """
    refuse_file(path, target, force)
    if force or not _is_linked(new, target, path):
        take_mode(new, target)
        os.replace(new, target)
    _sync_folder(target.parent)


def _is_linked(new: Path, target: Path, path: str | PathLike[str]) -> bool:
    """Hard-link a file to a name that must still be free; False if links are unsupported."""
    try:
        os.link(new, target)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:
        return False
    with suppress(OSError):
        os.unlink(new)
    return True


def is_in_place(new: Path, target: Path) -> bool:
    """Whether `put_in_place` has moved the file."""
    try:
        return os.path.samefile(new, target)  # linked, but the temporary name is still there
    except OSError:
        return not new.exists() and target.exists()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not supported everywhere, and the output exists
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def refuse_file(path: str | PathLike[str], target: Path, force: bool) -> None:
    """Raise `InputError` unless a file can be written to `target`, which the user named `path`."""
    _refuse(path, target, force)
    if target.exists() and not target.is_file():
        raise InputError(f"{path} is not a regular file: choose another output name")


def _refuse_folder(
    path: str | PathLike[str], target: Path, force: bool, replaceable: Kinds
) -> None:
    if reason := _fixed(target):
        raise InputError(f"{path} {reason}, which cannot be replaced: choose another output name")
    _refuse(path, target, force)
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{path} is not a folder: choose another output name")
    endings = tuple(ending for _, endings in replaceable for ending in endings)
    for entry in target.iterdir():
        if not entry.name.lower().endswith(endings) or entry.is_dir():
            kinds = [kind for kind, _ in replaceable] or ["replaceable file"]
            raise InputError(
                f"{path} holds {entry.name}, which is not a {' or '.join(kinds)}: --force replaces "
                f"only a folder of {' or '.join(f'{kind}s' for kind in kinds)}, choose another "
                "output name"
            )


def _fixed(target: Path) -> str | None:
    """Why a folder cannot be replaced; None if it can."""
    with suppress(FileNotFoundError):  # if the working directory is gone
        here = Path.cwd()
        if target == here:
            return "is the working directory"
        if target in here.parents:
            return "holds the working directory"
    return "is a mount point" if os.path.ismount(target) else None


def _refuse(path: str | PathLike[str], target: Path, force: bool) -> None:
    if not target.parent.is_dir():
        raise InputError(f"{path}: the folder {target.parent} does not exist")
    if target.exists() and not force:
        raise _taken(path)


def _taken(path: str | PathLike[str]) -> InputError:
    return InputError(f"{path} exists: pass --force to replace it")
