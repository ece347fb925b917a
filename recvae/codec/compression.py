"""Writing a .recvae file: images in, batch by batch; finally a report."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO

from recvae.codec.container import ContainerWriter, Group, Header
from recvae.codec.device import Parts
from recvae.codec.image_coder import Bits, ImageCoder, Pixels
from recvae.codec.report import CompressionReport
from recvae.images import regroup
from recvae.images.spec import GREY, ImageSpec

DEFAULT_EFFORT = 1
MAX_BATCH_PIXELS = 1 << 24  # coded at once unless one image is larger; bounds memory
Progress = Callable[[int, int], None]
"""Called after each batch with the images done and the bytes written or read."""


def no_progress(images: int, num_bytes: int) -> None:
    """No-op progress callback."""


def container_header(coder: ImageCoder, spec: ImageSpec, group_size: int, plain: bool) -> Header:
    """The header of a file by this coder; of version 1 if that can represent the file.

    Args:
        coder: the coder of the images.
        spec: spec of the first image.
        group_size: images per group.
        plain: whether all images have this spec and there are no arrays beside them.
    """
    version = 1 if plain and coder.plain and spec.channels == GREY and spec.levels == 256 else 2
    fields = (spec.height, spec.width, group_size, spec.channels, spec.levels)
    return Header(coder.file_id, *fields, version)


@dataclass(frozen=True)
class Task:
    """A file to write.

    Fields:
        coder: codes the images.
        header: the file's header.
        chunks: the images, checked, uint8 arrays of one spec each; to be consumed once.
        batch_size: images per batch, a multiple of the group size; fewer if they are large.
        effort, quality: the sender's; None is the coder's own quality.
        names: a file name for each image, or None.
        arrays: further arrays, by name.
    """

    coder: ImageCoder
    header: Header
    chunks: Iterator[Pixels]
    batch_size: int
    effort: int = DEFAULT_EFFORT
    quality: int | None = None
    names: Sequence[str] | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)


class Compression:
    """Writes a .recvae file to a buffered binary stream, which need not be seekable.

    `bits` are the sums by part for the report.
    """

    def __init__(self, task: Task, stream: BinaryIO) -> None:
        self.task = task
        self.writer = ContainerWriter(stream, task.header)
        self.bits = dict.fromkeys(task.coder.parts, 0.0)

    def add_all(
        self,
        chunks: Iterable[Pixels],
        progress: Progress = no_progress,
        note: Callable[[Pixels], None] = lambda batch: None,
    ) -> None:
        """Code images, batch by batch; `note` is called with each batch after it is written."""
        some = (chunk for chunk in chunks if len(chunk))
        for shape, same in groupby(some, key=lambda chunk: chunk.shape[1:]):
            parts = Parts()
            for batch in regroup(same, self._at_once(shape[0] * shape[1])):
                self._add(batch, parts)
                note(batch)
                progress(self.writer.num_images, self.writer.num_bytes)

    def finish(self) -> CompressionReport:
        """Write the index and return the report."""
        return CompressionReport(
            num_images=self.writer.num_images,
            num_pixels=self.writer.num_pixels,
            raw_bytes=self.writer.raw_bytes,
            sizes=self.writer.finish(self.task.names, self.task.arrays),
            bits=self.bits,
            quality=self.task.quality,
        )

    def _at_once(self, image_pixels: int) -> int:
        """The number of images of this size to code at once: whole groups."""
        group_size = self.task.header.group_size
        fitting = MAX_BATCH_PIXELS // image_pixels // group_size * group_size
        return max(group_size, min(self.task.batch_size, fitting))

    def _add(self, images: Pixels, parts: Parts) -> None:
        coder, group_size = self.task.coder, self.task.header.group_size

        def encode(some: slice) -> tuple[list[Group], Bits]:
            return coder.encode(images[some], group_size)

        for groups, bits in parts(encode, len(images), group_size):
            for group in groups:
                self.writer.add(group)
            for part, image_bits in bits.items():
                self.bits[part] += float(image_bits.sum())
