"""Compressing to a file so that an interrupted run can be resumed.

After each batch of whole groups the journal gets a line: how far the file has come, the CRC-32 of
its groups, the SHA-256 of the images in them, and what the report will tell. The lines that are
whole and fit the groups that are there are what is done, however the run ended; so nothing need
wait for the disk on the way. To resume, the groups are counted once more, which brings the writer
to where it was, and the images are read once more, to see that they are the same.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from recvae.codec.codec import (
    DEFAULT_EFFORT,
    DEFAULT_GROUP_SIZE,
    Codec,
    ImageSource,
    Pixels,
)
from recvae.codec.compression import Compression, Progress, no_progress
from recvae.codec.container import Header
from recvae.codec.container.group_v1 import group_extent, unpack_group
from recvae.codec.container.header import HEADER_BYTES
from recvae.codec.report import CompressionReport
from recvae.errors import InputError
from recvae.files.partial import Partial, resumable_file
from recvae.images import check_names, regroup

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True)
class Checkpoint:
    """A line of the journal: what holds for the file up to a byte between two groups.

    `effort` is that of its run; lines of versions that knew of none are of the default.
    """

    num_images: int
    num_bytes: int
    groups_crc: int
    images_sha256: str
    bits: dict[str, float]
    effort: int = DEFAULT_EFFORT

    @classmethod
    def of(cls, work: Compression, digest: "_Hash", effort: int) -> "Checkpoint":
        """How far the work of an effort has come, and the digest of its images."""
        writer = work.writer
        return cls(
            writer.num_images,
            writer.num_bytes,
            writer.groups_crc,
            digest.hexdigest(),
            dict(work.bits),
            effort,
        )

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Checkpoint | None":
        """Read a line; None if it is not whole."""
        try:
            return cls(**json.loads(line)) if line.endswith(b"\n") else None
        except (ValueError, TypeError):
            return None


def compress_file(
    codec: Codec,
    path: str | PathLike[str],
    images: ImageSource,
    group_size: int = DEFAULT_GROUP_SIZE,
    names: Sequence[str] | None = None,
    progress: Progress = no_progress,
    force: bool = False,
    resume: bool = False,
    effort: int = DEFAULT_EFFORT,
) -> CompressionReport:
    """Write a .recvae file as `Codec.compress_to` does; it appears when it is whole.

    An interrupted run leaves what it has done beside `path`; with `resume` this one goes on from
    there, to the same bytes. See `resumable_file`.

    Raises:
        InputError: if what is done has another model, group size or effort or other images.
    """
    if names is not None:
        check_names(names, len(names))
    latents = codec.latents(effort)
    with resumable_file(path, force, resume) as partial, open(os.devnull, "wb") as nowhere:
        work = Compression(codec.model, nowhere, group_size, latents)
        done = _replay(partial, work, effort)
        work.writer.redirect(partial.part)
        digest = hashlib.sha256()
        rest = _skip(codec.checked(images), done, digest, partial)
        for batch in regroup(rest, codec.images_at_once(group_size)):
            work.add(batch)
            digest.update(batch.data)
            if work.writer.num_images % group_size == 0:
                partial.part.flush()
                partial.journal.write(Checkpoint.of(work, digest, effort).to_line())
                partial.journal.flush()
            progress(work.writer.num_images, work.writer.num_bytes)
        return replace(work.finish(names), resumed_images=done.num_images)


def _replay(partial: Partial, work: Compression, effort: int) -> Checkpoint:
    """Bring `work` to the last checkpoint that holds, and both files to their ends there."""
    done = Checkpoint.of(work, hashlib.sha256(), effort)
    journal_bytes = 0
    if _is_of(partial, work.header):
        for line in partial.journal:
            checkpoint = Checkpoint.from_line(line)
            payloads = checkpoint and _read_groups(partial, work, checkpoint)
            if not checkpoint or not payloads:
                break
            if checkpoint.effort != effort:
                raise _begun_with_another(partial, f"effort, {checkpoint.effort}")
            for payload in payloads:
                work.writer.add_group(payload, work.header.group_size)
            work.bits = dict(checkpoint.bits)
            done, journal_bytes = checkpoint, journal_bytes + len(line)
    for file, end in ((partial.journal, journal_bytes), (partial.part, done.num_bytes)):
        file.seek(0)
        file.truncate(end)
    partial.part.write(work.header.to_bytes())  # the same again, or the first
    partial.part.seek(done.num_bytes)
    partial.journal.seek(journal_bytes)
    return done


def _is_of(partial: Partial, header: Header) -> bool:
    """Whether there is a part with this header; InputError if it has another."""
    data = partial.part.read(HEADER_BYTES)
    if data == header.to_bytes():
        return True
    try:
        begun = Header.from_bytes(data)
    except InputError:
        return False
    what = "model"
    if begun.model_hash == header.model_hash:
        what = f"group size, {begun.group_size}"
    raise _begun_with_another(partial, what)


def _begun_with_another(partial: Partial, what: str) -> InputError:
    return InputError(
        f"{partial.path}: its part was begun with another {what}: pass the same to resume it, or "
        "--force without --resume to begin anew"
    )


def _read_groups(partial: Partial, work: Compression, checkpoint: Checkpoint) -> list[bytes] | None:
    """The payloads from where `work` is to the checkpoint; None if they are not all there."""
    size = checkpoint.num_bytes - work.writer.num_bytes
    if not 0 < size <= os.fstat(partial.part.fileno()).st_size:
        return None
    data = partial.part.read(size)
    if len(data) < size or zlib.crc32(data, work.writer.groups_crc) != checkpoint.groups_crc:
        return None
    payloads, start = [], 0
    while start < size:
        stop = start + group_extent(data[start : start + 9], work.header)
        payloads.append(unpack_group(data[start:stop], work.header))
        start = stop
    return payloads


def _skip(
    chunks: Iterator[Pixels], done: Checkpoint, digest: "_Hash", partial: Partial
) -> Iterable[np.ndarray[Any, Any]]:
    """The images after those that are done, which go to the digest."""
    missing, rest = done.num_images, []
    while missing and (chunk := next(chunks, None)) is not None:
        digest.update(np.ascontiguousarray(chunk[:missing]).data)
        rest = [chunk[missing:]]
        missing -= min(missing, len(chunk))
    if missing or digest.hexdigest() != done.images_sha256:
        raise InputError(
            f"{partial.path}: its part was made from other images: pass the same to resume it, or "
            "--force without --resume to begin anew"
        )
    return chain(rest, chunks)
