"""Outputs that appear whole or not at all.

What is being written lives under a temporary name beside its destination, so that the last step is
a rename on one file system. Any exception, `KeyboardInterrupt` included, removes the temporary.
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
"""How file systems say that they have no such operation."""


@contextmanager
def atomic_file(path: str | PathLike[str], force: bool = False) -> Iterator[BinaryIO]:
    """Open `path` for writing in binary; it exists only once the block has ended well.

    Raises `InputError` if `path` exists and `force` is false, if it is no regular file, if its
    folder is missing, and for every `OSError` of the block. A symbolic link is followed.
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
    """Make a folder to fill; it takes the name `path` once the block has ended well.

    With `force` an old folder stays until the new one is complete. Raises `InputError` as
    `atomic_file` does, if the old folder holds anything but files of the `replaceable` kinds, what
    messages call one, and the endings of its name in lower case, and if it is one that cannot be
    replaced, whatever it holds: a mount point, or a folder that the process works in.
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
    """Let a folder take another's name and permissions; the old one returns if it cannot."""
    aside = _temporary_beside(old)
    try:
        old.rename(aside)
        new.rename(old)
        take_mode(old, aside)
    except BaseException:
        with suppress(OSError):  # another process may have put its own there
            aside.rename(old)
        raise
    finally:
        if old.exists():
            _remove_folder(aside)


def _remove_folder(folder: Path) -> None:
    """One of ours, even if it has taken the permissions of one that may not be written to."""
    with suppress(OSError):
        folder.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def sync(file: BinaryIO) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in CANNOT:
            raise


def take_mode(new: Path, old: Path, at_least: int = 0) -> None:
    """Give a file the permissions of the one that it is to replace, if there is one."""
    with suppress(FileNotFoundError, PermissionError):  # the latter where a file system has none
        os.chmod(new, stat.S_IMODE(os.stat(old).st_mode) | at_least)


def put_in_place(new: Path, target: Path, path: str | PathLike[str], force: bool) -> None:
    """Let a file that is on the disk take its name, and wait until that is there too.

    It takes the permissions of the file that it replaces. Raises `InputError` as `refuse_file`
    does: another process may have been faster.
    """
    refuse_file(path, target, force)
    if force or not _is_linked(new, target, path):
        take_mode(new, target)
        os.replace(new, target)
    _sync_folder(target.parent)


def _is_linked(new: Path, target: Path, path: str | PathLike[str]) -> bool:
    """Give a file a name that must be free to the very end; False if the file system cannot."""
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
    """Whether a file that was to be put in place is."""
    try:
        return os.path.samefile(new, target)  # between the link and its end
    except OSError:
        return not new.exists() and target.exists()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can, and the output is there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def refuse_file(path: str | PathLike[str], target: Path, force: bool) -> None:
    """Raise `InputError` unless a file can be written to `target`, which the user calls `path`."""
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
                f"{path} holds {entry.name}, which is no {' or '.join(kinds)}: --force replaces "
                f"a folder of {' or '.join(f'{kind}s' for kind in kinds)} only, choose another "
                "output name"
            )


def _fixed(target: Path) -> str | None:
    """Why a folder must stay where it is; None if it need not."""
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
