"""The images of a .recvae file, decoded when they are asked for."""

from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from recvae.codec.compression import Progress, no_progress
from recvae.codec.container import ContainerReader, Group, Header
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.errors import InputError
from recvae.images.spec import ImageSpec


class CompressedImages:
    """The images of a .recvae file: `len`, indexing, slices and iteration decode what they need.

    An index gives (height, width) or, of RGB, (height, width, 3), uint8. A slice gives them in one
    array (n, ...), or in a list if images of the file differ in size or channels. Close it, or use
    it in a `with` statement.
    """

    def __init__(self, reader: ContainerReader, model: ImageCoder, batch_size: int) -> None:
        self.reader, self.model, self.batch_size = reader, model, batch_size
        check_header(model, reader.header, reader.name)

    def __enter__(self) -> "CompressedImages":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    @property
    def names(self) -> tuple[str, ...] | None:
        """The file names of the images, None if the file keeps none."""
        return self.reader.names

    @property
    def arrays(self) -> dict[str, Any]:
        """What the file keeps beside the images, by name."""
        return self.reader.arrays

    @property
    def spec(self) -> ImageSpec | None:
        """Size and channels of the images; None if they differ."""
        return self.reader.spec

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width) or, of RGB, (n, height, width, 3); InputError if they differ."""
        if self.spec is None:
            raise InputError(f"{self.reader.name}: holds images of different sizes")
        return (len(self), *self.spec.shape)

    def runs(self) -> tuple[tuple[ImageSpec, int], ...]:
        """The specs of the images in order, and how many follow one another."""
        return self.reader.runs()

    def __len__(self) -> int:
        return self.reader.num_images

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> Any: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            wanted = range(len(self))[index]
            if not len(wanted):
                return [] if self.spec is None else np.zeros((0, *self.spec.shape), np.uint8)
            first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
            (start, begins), (stop, _) = self.reader.find(first), self.reader.find(last)
            batches = [batch for batch, _ in self._sized_batches(start, stop + 1)]
            places = np.asarray(wanted) - begins
            if self.spec is not None:
                return np.concatenate(batches)[places]
            images = [image for batch in batches for image in batch]
            return [images[place] for place in places]
        position = range(len(self))[index]  # raises IndexError, counts negative ones from the end
        return self[position : position + 1][0]

    def __iter__(self) -> Iterator[Pixels]:
        for batch in self.batches():
            yield from batch

    def batches(self, progress: Progress = no_progress) -> Iterator[Pixels]:
        """All images in order, some at a time, each time of one spec."""
        done = payload_bytes = 0
        for batch, num_bytes in self._sized_batches(0, self.reader.num_groups):
            done, payload_bytes = done + len(batch), payload_bytes + num_bytes
            progress(done, payload_bytes)
            yield batch

    def _sized_batches(self, start: int, stop: int) -> Iterator[tuple[Pixels, int]]:
        """Decoded groups start .. stop - 1, as many at a time as fit a batch, and their bytes."""
        groups_at_once = max(1, self.batch_size // self.reader.header.group_size)
        waiting: list[Group] = []
        for number, group in zip(range(start, stop), self.reader.groups(start, stop), strict=True):
            if waiting and group.spec != waiting[0].spec:
                yield self._decoded(waiting, number)
                waiting = []
            waiting.append(group)
            if len(waiting) == groups_at_once or number + 1 == stop:
                yield self._decoded(waiting, number + 1)
                waiting = []

    def _decoded(self, groups: list[Group], stop: int) -> tuple[Pixels, int]:
        """The images of the groups before group `stop`, and their bytes."""
        try:
            images = self.model.decode(groups)
        except InputError as error:
            where = f"groups {stop - len(groups)} to {stop - 1}"
            raise InputError(f"{self.reader.name}: {where}: {error}") from error
        levels = groups[0].spec.levels
        if levels < 256 and (brightest := int(images.max())) >= levels:
            raise InputError(
                f"{self.reader.name}: a pixel of {brightest} in images of {levels} levels"
            )
        return images, sum(group.num_bytes for group in groups)


def check_header(model: ImageCoder, header: Header, name: str) -> None:
    """Raise InputError unless the file `name` with this header was made with this model."""
    if header.model_hash != model.file_id:
        raise InputError(
            f"{name}: made with another model (hash {header.model_hash.hex()}) than "
            f"{model.name!r} ({model.file_id.hex()}): pass the right one by --model"
        )
    if header.more_models:
        raise InputError(f"{name}: made with {len(header.models)} models: only one can be given")
    if model.spec and header.spec.shape != model.spec.shape:
        raise InputError(f"{name}: its header states another image size than its model")
