"""Opens a file whose end is missing.

Layers go from coarse to fine, so the last picture, if only part of it is there, can be decoded from
its complete layers. For lossless models, `recvae.codec.salvage` saves the complete groups.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import ClassVar, Self

from recvae.codec.codec import DEFAULT_BATCH_SIZE, load
from recvae.codec.compressed_images import CompressedImages, check_header
from recvae.codec.compression import Progress, no_progress
from recvae.codec.container import ContainerReader, ContainerWriter, Group
from recvae.codec.container.cut import CutFile, read_cut_file
from recvae.codec.container.footer import TruncatedError
from recvae.codec.container.framing import unpack_group
from recvae.codec.container.source import Source, naming, open_source, source_name
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.codec.limits import MAX_PIXELS, check_claim
from recvae.codec.models import shipped_model_for
from recvae.errors import InputError
from recvae.images.stream import Runs


@dataclass(frozen=True)
class TruncatedImages:
    """The images of a file whose end is missing; their total number and their names are lost.

    Fields:
        whole: the complete images.
        last: the truncated group after them, if at least one of its layers is complete.
        layers: number of its complete layers.
    """

    whole: CompressedImages
    last: Group | None
    layers: int
    names: ClassVar[None] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.whole.close()

    def __len__(self) -> int:
        return len(self.whole) + (self.last.num_images if self.last else 0)

    def runs(self) -> Runs:
        """Runs of consecutive images of the same spec: (spec, number) pairs."""
        runs = [run for run in self.whole.runs() if run[1]]
        if self.last:
            same = runs.pop()[1] if runs and runs[-1][0] == self.last.spec else 0
            runs.append((self.last.spec, same + self.last.num_images))
        return tuple(runs)

    def batches(
        self, progress: Progress = no_progress, layers: int | None = None
    ) -> Iterator[Pixels]:
        """All images in order, in batches; from at most `layers` layers, if given."""
        yield from self.whole.batches(progress, layers)
        if self.last:
            yield self.preview_last(layers)

    def preview_last(self, layers: int | None = None) -> Pixels:
        """Decode the last group, (n, ...), from its complete layers or at most `layers` of them.

        Raises InputError if there is none.
        """
        if self.last is None:
            raise InputError(f"{self.whole.reader.name}: no further image has a complete layer")
        return self.whole.model.preview([self.last], min(layers or self.layers, self.layers))


def open_truncated(
    source: Source,
    model: str | PathLike[str] | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
) -> TruncatedImages:
    """Open a file whose end is missing, made with a lossy model or one with several layers.

    Reads the whole file into memory. Arguments are as in `recvae.open`. Raises TruncatedError for
    other models, InputError for other damage than the cut, and if nothing is left.
    """
    name = source_name(source)
    with naming(name):
        positions = open_source(source)
        try:
            data = positions.read(0, positions.size)
        finally:
            positions.close()
        cut = read_cut_file(data)
    coder = load(model or shipped_model_for(cut.header, name), device, batch_size).model
    check_header(coder, cut.header, name)
    if not coder.lossy and coder.layers == 1:
        raise TruncatedError(f"{name}: truncated file: salvage can save its complete groups")
    if not cut.groups and cut.last is None:
        raise InputError(f"{name}: truncated file: it holds no complete layer of an image")
    if cut.last:
        with naming(name):
            check_claim(cut.last, max_pixels)
    return TruncatedImages(
        _whole(data, cut, coder, name, batch_size, max_pixels), cut.last, cut.layers
    )


def _whole(
    data: bytes, cut: CutFile, coder: ImageCoder, name: str, batch_size: int, max_pixels: int
) -> CompressedImages:
    """The complete groups as a file in memory."""
    stream = io.BytesIO()
    writer = ContainerWriter(stream, cut.header)
    for begin, end, count in cut.groups:
        writer.add(unpack_group(data[begin:end], cut.header, count))
    writer.finish()
    reader = ContainerReader(stream.getvalue())
    reader.name = name
    return CompressedImages(reader, coder, batch_size, max_pixels)
