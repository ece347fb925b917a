"""Compresses to a file such that an interrupted run can be resumed.

After each batch of whole groups the journal gets a line: the length of the file so far, the CRC-32
of its groups, the SHA-256 of their images, and the figures for the report. Lines that are complete
and match the groups in the file count as done, however the run ended; so no step has to wait for
the disk. To resume, the groups are counted again, which restores the writer's state, and the images
are read again, to check that they are the same.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from os import PathLike
from typing import Any

import numpy as np

from recvae.codec.codec import Codec
from recvae.codec.compression import DEFAULT_EFFORT, Compression, Progress, no_progress
from recvae.codec.container import Group, Header
from recvae.codec.container.framing import read_extent, unpack_group
from recvae.codec.image_coder import Pixels
from recvae.codec.report import CompressionReport
from recvae.codec.sources import ImageSource
from recvae.errors import InputError
from recvae.files.partial import Partial, resumable_file
from recvae.images.spec import GREY, ImageSpec


@dataclass(frozen=True)
class Checkpoint:
    """A line of the journal: the state of the file up to a byte between two groups.

    `effort` and `quality` are those of its run; lines by versions without them have the defaults.
    """

    num_images: int
    num_bytes: int
    groups_crc: int
    images_sha256: str
    bits: dict[str, float]
    effort: int = DEFAULT_EFFORT
    quality: int | None = None

    @classmethod
    def of(cls, work: Compression, digest: "_Digest") -> "Checkpoint":
        """The current state of the work, and the digest of its images."""
        writer = work.writer
        return cls(
            writer.num_images,
            writer.num_bytes,
            writer.groups_crc,
            digest.hexdigest(),
            dict(work.bits),
            work.task.effort,
            work.task.quality,
        )

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Checkpoint | None":
        """Read a line; None if it is incomplete."""
        try:
            return cls(**json.loads(line)) if line.endswith(b"\n") else None
        except (ValueError, TypeError):
            return None


def compress_file(
    codec: Codec,
    path: str | PathLike[str],
    images: ImageSource,
    group_size: int | None = None,
    names: Sequence[str] | None = None,
    progress: Progress = no_progress,
    force: bool = False,
    resume: bool = False,
    effort: int = DEFAULT_EFFORT,
    channels: int = GREY,
    arrays: Mapping[str, Any] | None = None,
    quality: int | None = None,
) -> CompressionReport:
    """Write a .recvae file as `Codec.compress_to` does; it appears when it is complete.

    An interrupted run leaves its progress beside `path`; with `resume`, this one continues from
    there, to the same bytes. See `resumable_file`.

    Raises:
        InputError: if the progress has another model, group size, effort, quality or images.
    """
    task = codec.task(images, group_size, names, effort, channels, arrays, quality)
    with resumable_file(path, force, resume) as partial, open(os.devnull, "wb") as nowhere:
        work = Compression(task, nowhere)
        done = _replay(partial, work)
        work.writer.redirect(partial.part)
        digest = _Digest(task.header)
        journal = _Journal(partial, work, digest)
        rest = _skip(task.chunks, done, digest, partial)
        work.add_all(rest, progress, journal.note)
        return replace(work.finish(), resumed_images=done.num_images)


class _Journal:
    """Records the progress after each batch that ends where any run would end a group.

    A group that is not full counts only if images of another spec follow it.
    """

    def __init__(self, partial: Partial, work: Compression, digest: "_Digest") -> None:
        self._partial, self._work, self._digest = partial, work, digest
        self._waiting = b""

    def note(self, batch: Pixels) -> None:
        """Record a batch that has been written."""
        self._digest.add(batch)
        lines = self._waiting  # of a group that was not full: this batch has another spec
        self._waiting = Checkpoint.of(self._work, self._digest).to_line()
        if len(batch) % self._work.task.header.group_size == 0:
            lines, self._waiting = lines + self._waiting, b""
        if lines:
            self._partial.part.flush()
            self._partial.journal.write(lines)
            self._partial.journal.flush()


class _Digest:
    """SHA-256 of the images done; in version 2 also of their specs."""

    def __init__(self, header: Header) -> None:
        self._sha256, self._with_specs = hashlib.sha256(), header.version > 1

    def add(self, images: Pixels) -> None:
        """Add images."""
        if not self._with_specs:
            self._sha256.update(np.ascontiguousarray(images).data)
            return
        spec = repr(ImageSpec.from_shape(images.shape)).encode()
        for image in images:
            self._sha256.update(spec)
            self._sha256.update(np.ascontiguousarray(image).data)

    def hexdigest(self) -> str:
        """The digest of all images so far."""
        return self._sha256.hexdigest()


def _replay(partial: Partial, work: Compression) -> Checkpoint:
    """Restore `work` to the last valid checkpoint, and truncate both files there."""
    done = Checkpoint.of(work, _Digest(work.task.header))
    journal_bytes = 0
    if _continues(partial, work.task.header):
        for line in partial.journal:
            checkpoint = Checkpoint.from_line(line)
            groups = checkpoint and _read_groups(partial, work, checkpoint)
            if not checkpoint or not groups:
                break
            if checkpoint.effort != done.effort:
                raise _begun_with_another(partial, f"effort, {checkpoint.effort}")
            if checkpoint.quality != done.quality:
                own = "the model's own" if checkpoint.quality is None else checkpoint.quality
                raise _begun_with_another(partial, f"quality, {own}")
            for group in groups:
                work.writer.add(group)
            work.bits = dict(checkpoint.bits)
            done, journal_bytes = checkpoint, journal_bytes + len(line)
    for file, end in ((partial.journal, journal_bytes), (partial.part, done.num_bytes)):
        file.seek(0)
        file.truncate(end)
    partial.part.write(work.task.header.to_bytes())  # unchanged, or the first time
    partial.part.seek(done.num_bytes)
    partial.journal.seek(journal_bytes)
    return done


def _continues(partial: Partial, header: Header) -> bool:
    """Whether there is progress with this header; InputError if it has another."""
    data = partial.part.read(header.num_bytes)
    if data == header.to_bytes():
        return True
    try:
        begun = Header.from_bytes(data)
    except InputError:
        return False
    if begun.models != header.models:
        raise _begun_with_another(partial, "model")
    if begun.version != header.version:
        raise _begun_with_another(partial, "kind of images or arrays")
    if begun.group_size != header.group_size:
        raise _begun_with_another(partial, f"group size, {begun.group_size}")
    raise _made_from_other_images(partial)


def _begun_with_another(partial: Partial, what: str) -> InputError:
    return InputError(
        f"{partial.path}: the interrupted run had another {what}: pass the same to resume it, or "
        "--force without --resume to start over"
    )


def _made_from_other_images(partial: Partial) -> InputError:
    return InputError(
        f"{partial.path}: the interrupted run had other images: pass the same to resume it, or "
        "--force without --resume to start over"
    )


def _read_groups(partial: Partial, work: Compression, checkpoint: Checkpoint) -> list[Group] | None:
    """The groups between `work` and the checkpoint; None if some are missing."""
    size, header = checkpoint.num_bytes - work.writer.num_bytes, work.task.header
    if not 0 < size <= os.fstat(partial.part.fileno()).st_size:
        return None
    data = partial.part.read(size)
    if len(data) < size or zlib.crc32(data, work.writer.groups_crc) != checkpoint.groups_crc:
        return None
    groups, start = [], 0
    while start < size:
        extent, _ = read_extent(lambda begin, end: data[begin:end], start, size, header)
        groups.append(unpack_group(data[start : start + extent], header, header.group_size))
        start += extent
    return groups


def _skip(
    chunks: Iterator[Pixels], done: Checkpoint, digest: _Digest, partial: Partial
) -> Iterable[Pixels]:
    """Skip the images already done, adding them to the digest."""
    missing, rest = done.num_images, []
    while missing and (chunk := next(chunks, None)) is not None:
        digest.add(chunk[:missing])
        rest = [chunk[missing:]]
        missing -= min(missing, len(chunk))
    if missing or digest.hexdigest() != done.images_sha256:
        raise _made_from_other_images(partial)
    return chain(rest, chunks)
