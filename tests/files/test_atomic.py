"""Outputs appear whole or not at all, whatever happens on the way."""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recvae.errors import InputError
from recvae.files import atomic_file, atomic_folder
from recvae.files.atomic import replace_folder
from recvae.files.partial import resumable_file
from recvae.images import Images, read_images, write_images
from recvae.images.formats.registry import FORMATS

OLD, NEW = Images(np.zeros((2, 3, 4), np.uint8)), Images(np.ones((3, 3, 4), np.uint8))
KINDS = ["x.npy", "x.idx", "x.idx.gz", "x"]
Atomic = Callable[..., AbstractContextManager]


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "some temporary name")


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", KINDS)
def test_force_replaces_and_its_absence_refuses(tmp_path: Path, kind: str) -> None:
    write_images(tmp_path / kind, OLD)
    with pytest.raises(InputError, match=f"{kind} exists: pass --force to replace it"):
        write_images(tmp_path / kind, NEW)
    np.testing.assert_array_equal(read_images(tmp_path / kind).pixels, OLD.pixels)
    write_images(tmp_path / kind, NEW, force=True)
    np.testing.assert_array_equal(read_images(tmp_path / kind).pixels, NEW.pixels)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("failure", [no_space, interrupt])
def test_a_failure_leaves_things_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, exists: bool, failure: Callable
) -> None:
    if exists:
        write_images(tmp_path / kind, OLD)
    encoded = [b"first image", failure]
    monkeypatch.setattr(os, "fsync", failure)  # the last thing before a file is renamed
    failing = replace(FORMATS["PNG"], encode=lambda _: encoded.pop(0) if encoded[1:] else failure())
    monkeypatch.setitem(FORMATS, "PNG", failing)
    with pytest.raises((InputError, KeyboardInterrupt)) as error:
        write_images(tmp_path / kind, NEW, force=True)
    if failure is no_space:
        assert str(error.value) == f"{tmp_path / kind}: No space left on device"
    assert [entry.name for entry in tmp_path.iterdir()] == [kind] * exists
    if exists:
        np.testing.assert_array_equal(read_images(tmp_path / kind).pixels, OLD.pixels)


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_bad_places_are_refused_before_any_work(tmp_path: Path, atomic: Atomic) -> None:
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"")
    places = {
        "missing/x": f"the folder {tmp_path / 'missing'} does not exist",
        "file/x": f"the folder {tmp_path / 'file'} does not exist",
        "folder" if atomic is atomic_file else "file": "choose another output name",
    }
    for place, message in places.items():
        with (
            pytest.raises(InputError, match=message),
            atomic(tmp_path / place, force=True),
        ):
            pytest.fail("the block was entered")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("strange", ["notes.txt", "sub.png/x"])
def test_force_does_not_remove_a_folder_of_other_things(tmp_path: Path, strange: str) -> None:
    (tmp_path / "out" / strange).parent.mkdir(parents=True)
    (tmp_path / "out" / strange).write_bytes(b"precious")
    with pytest.raises(InputError, match=f"holds {strange[:7]}.*, which is not a PNG"):
        write_images(tmp_path / "out", NEW, force=True)
    assert (tmp_path / "out" / strange).read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_what_appears_meanwhile_is_not_overwritten(tmp_path: Path, atomic: Atomic) -> None:
    with pytest.raises(InputError, match="x exists"), atomic(tmp_path / "x"):
        (tmp_path / "x").write_bytes(b"another process")
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"another process"]


def test_an_old_folder_returns_if_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    write_images(tmp_path / "out", OLD)
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "missing", tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("moment", [1, 2])
def test_an_old_folder_returns_if_a_signal_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    write_images(tmp_path / "out", OLD)
    rename, calls = Path.rename, []

    def rename_and_stop(source: Path, target: Path) -> None:
        calls.append(target)
        rename(source, target)
        if len(calls) == moment:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", rename_and_stop)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        write_images(tmp_path / "out", NEW, force=True)
    assert str(interrupt.value) == ("no output was written" if moment == 1 else "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    expected = OLD if moment == 1 else NEW
    np.testing.assert_array_equal(read_images(tmp_path / "out").pixels, expected.pixels)


def test_two_that_replace_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is faster wins, and nothing else is left."""
    write_images(tmp_path / "out", OLD)
    rename = Path.rename

    def rename_late(source: Path, target: Path) -> None:
        rename(source, target)
        if source.name == "out":
            monkeypatch.undo()
            write_images(tmp_path / "out", NEW)

    monkeypatch.setattr(Path, "rename", rename_late)
    with pytest.raises(InputError, match="out: Directory not empty"):
        write_images(tmp_path / "out", OLD, force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    np.testing.assert_array_equal(read_images(tmp_path / "out").pixels, NEW.pixels)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    write_images(tmp_path / "real.npy", OLD)
    (tmp_path / "link.npy").symlink_to("real.npy")
    write_images(tmp_path / "link.npy", NEW, force=True)
    assert (tmp_path / "link.npy").is_symlink()
    np.testing.assert_array_equal(read_images(tmp_path / "real.npy").pixels, NEW.pixels)


def test_an_output_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_images(tmp_path / "x.npy", OLD)
    assert (tmp_path / "x.npy").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("mode", [0o700, 0o775])
def test_a_replaced_folder_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    write_images(tmp_path / "out", OLD)
    (tmp_path / "out").chmod(mode)
    write_images(tmp_path / "out", NEW, force=True)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode
    np.testing.assert_array_equal(read_images(tmp_path / "out").pixels, NEW.pixels)


@pytest.mark.parametrize("force", [False, True])
def test_the_ground_that_one_stands_on_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    (tmp_path / "holds" / "here").mkdir(parents=True)
    (tmp_path / "mounted").mkdir()
    monkeypatch.chdir(tmp_path / "holds" / "here")
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "mounted")
    places = {".": "is the", "..": "holds the", "/": "holds the", f"{tmp_path / 'holds'}": "holds"}
    for place, reason in (places | {"../../mounted": "is a mount point"}).items():
        with pytest.raises(InputError, match=f"^{place} {reason}.*, which cannot be replaced"):
            write_images(place, NEW, force)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["holds", "here", "mounted"]


def test_a_working_directory_that_is_gone_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    write_images(tmp_path / "out", NEW)
    np.testing.assert_array_equal(read_images(tmp_path / "out").pixels, NEW.pixels)


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x.npy"
    write_images(path, OLD)
    path.chmod(mode)
    write_images(path, NEW, force=True)
    assert path.stat().st_mode & 0o777 == mode
    with resumable_file(path, force=True) as partial:
        partial.part.write(b"new")
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (mode, b"new")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_private_while_it_is_written_anew(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x.npy"
    for writer in (atomic_file, resumable_file):
        path.write_bytes(b"old")
        path.chmod(mode)
        with writer(path, force=True):
            hidden = [entry for entry in tmp_path.iterdir() if entry.name.endswith(".part")]
            assert [entry.stat().st_mode & 0o077 for entry in hidden] == [0]
        assert path.stat().st_mode & 0o777 == mode
        path.unlink()


@pytest.mark.parametrize("writer", [atomic_file, resumable_file])
def test_what_appears_at_the_last_moment_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: Atomic
) -> None:
    """Between the last look and the new name."""
    link = os.link

    def appear_first(new: Path, target: Path) -> None:
        target.write_bytes(b"another process")
        link(new, target)

    monkeypatch.setattr(os, "link", appear_first)
    with pytest.raises(InputError, match="x exists: pass --force"), writer(tmp_path / "x"):
        pass
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"another process"]


@pytest.mark.parametrize("writer", [atomic_file, resumable_file])
def test_an_interrupt_behind_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: Atomic
) -> None:
    """The output is there: nothing else is said, and nothing else is left."""
    link = os.link

    def stop_after(new: Path, target: Path) -> None:
        link(new, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", stop_after)

    def write() -> None:
        with writer(tmp_path / "x") as output:
            if writer is resumable_file:
                output.journal.write(b"some")
                output.journal.flush()

    with pytest.raises(KeyboardInterrupt) as interrupt:
        write()
    assert str(interrupt.value) == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def interrupted(path: Path, **options: bool) -> None:
    with resumable_file(path, **options) as partial:
        partial.part.write(b"half")
        partial.journal.write(b"some")
        partial.journal.flush()
        raise KeyboardInterrupt


def test_names_as_long_as_they_may_be(tmp_path: Path) -> None:
    write_images(tmp_path / f"{'n' * 251}.npy", OLD)
    write_images(tmp_path / ("f" * 255), OLD)
    for length in range(244, 256):
        path = tmp_path / ("x" * length)
        with resumable_file(path) as partial:
            partial.part.write(b"new")
        assert path.read_bytes() == b"new"
        with pytest.raises(KeyboardInterrupt, match="--resume continues"):
            interrupted(path, force=True)
        with resumable_file(path, force=True, resume=True) as partial:
            assert (partial.part.read(), partial.journal.read()) == (b"half", b"some")
    assert len(list(tmp_path.iterdir())) == 14


def test_two_long_names_are_two(tmp_path: Path) -> None:
    first, second = (tmp_path / ("x" * 249 + end) for end in "ab")
    with resumable_file(first) as one, resumable_file(second) as two:
        one.part.write(b"one")
        two.part.write(b"two")
    assert [first.read_bytes(), second.read_bytes()] == [b"one", b"two"]


def cannot(*_: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def test_a_file_system_that_can_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No locks, links, permissions or waiting: the output is written nevertheless."""
    for module, name in ((fcntl, "flock"), (os, "link"), (os, "fsync")):
        monkeypatch.setattr(module, name, cannot)
    for force in (False, True):
        write_images(tmp_path / "x.npy", NEW, force)
        with resumable_file(tmp_path / "x", force) as partial:
            partial.part.write(b"new")
            with resumable_file(tmp_path / "x", force=True) as other:  # neither knows the other
                other.part.write(b"other")
            if not force:
                (tmp_path / "x").unlink()
        assert (tmp_path / "x").read_bytes() == b"new"
        monkeypatch.setattr(os, "chmod", lambda *_: fail_with(PermissionError()))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x", "x.npy"]


def fail_with(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("resume", [False, True])
def test_without_locks_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    path = tmp_path / "x"
    with pytest.raises(KeyboardInterrupt, match="--resume continues"):
        interrupted(path, resume=resume)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 2
    monkeypatch.setattr(fcntl, "flock", cannot)
    with pytest.raises(
        InputError, match=r"cannot be resumed .* without locks: --force starts over"
    ):
        interrupted(path, resume=resume)
    assert sorted(tmp_path.iterdir()) == kept
    for name in kept:
        name.unlink()
    with pytest.raises(KeyboardInterrupt, match="no output was written"):
        interrupted(path, resume=resume)
    assert list(tmp_path.iterdir()) == []
