"""A .recvae file in the making: images in, batch by batch; at the end a report."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from recvae.codec.container import ContainerWriter, Header
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.codec.report import CompressionReport
from recvae.images import regroup
from recvae.images.spec import GREY, ImageSpec

Progress = Callable[[int, int], None]
"""Is told after each batch how many images are done, and the bytes written or read."""


def no_progress(images: int, num_bytes: int) -> None:
    """Tell nobody."""


def container_header(coder: ImageCoder, spec: ImageSpec, group_size: int, plain: bool) -> Header:
    """The header of a file of this coder, of version 1 where that can say what is to come.

    Args:
        coder: what will code the images.
        spec: of the first image.
        group_size: images per group.
        plain: there will be images of this spec alone, and no arrays beside them.
    """
    version = 1 if plain and coder.plain and spec.channels == GREY and spec.levels == 256 else 2
    fields = (spec.height, spec.width, group_size, spec.channels, spec.levels)
    return Header(coder.file_id, *fields, version)


@dataclass(frozen=True)
class Task:
    """What is to be written.

    Fields:
        coder: what codes the images.
        header: of the file.
        chunks: the images, checked, uint8 arrays of one spec each; to be taken once.
        batch_size: images to code at once.
        names: a file name for each image, or None.
        arrays: others beside the images, by name.
    """

    coder: ImageCoder
    header: Header
    chunks: Iterator[Pixels]
    batch_size: int
    names: Sequence[str] | None = None
    arrays: Mapping[str, Any] = field(default_factory=dict)


class Compression:
    """Writes a .recvae file to a buffered binary stream, which need not seek.

    `bits` are the sums, by part, that its report tells.
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
        """Code images, batch by batch; `note` is given each batch when it is written."""
        for batch in regroup(chunks, self.task.batch_size):
            self._add(batch)
            note(batch)
            progress(self.writer.num_images, self.writer.num_bytes)

    def finish(self) -> CompressionReport:
        """Write the index."""
        return CompressionReport(
            num_images=self.writer.num_images,
            num_pixels=self.writer.num_pixels,
            raw_bytes=self.writer.raw_bytes,
            sizes=self.writer.finish(self.task.names, self.task.arrays),
            bits=self.bits,
        )

    def _add(self, images: Pixels) -> None:
        groups, bits = self.task.coder.encode(images, self.task.header.group_size)
        for group in groups:
            self.writer.add(group)
        for part, image_bits in bits.items():
            self.bits[part] += float(image_bits.sum())
