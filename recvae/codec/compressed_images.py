"""The images of a .recvae file, decoded on access."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, overload

import numpy as np

from recvae.codec.compression import MAX_BATCH_PIXELS, Progress, no_progress
from recvae.codec.container import ContainerReader, Group, Header
from recvae.codec.container.group import streams_of_area
from recvae.codec.device import Parts
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.codec.limits import MAX_PIXELS, check_claim
from recvae.errors import InputError
from recvae.images.spec import ImageSpec


class CompressedImages:
    """The images of a .recvae file: `len`, indexing, slices and iteration decode what they need.

    An index gives (height, width) or (height, width, channels), uint8. A slice gives one array
    (n, ...), or a list if images of the file differ in size or channels. The group last used by an
    index is kept, so that reading images one by one in order decodes each group once. Close it, or
    use it in a `with` statement.

    A group is decoded only if each of its images has at most `max_pixels`, and all of them together
    at most as many, or 256 for each byte of the group: a few bytes must not fill the memory.
    It can serve as the dataset of a DataLoader, however its workers start: threads, forked
    processes and processes that unpickle it may all use it at once; see `ContainerReader`.
    """

    def __init__(
        self,
        reader: ContainerReader,
        model: ImageCoder,
        batch_size: int,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.reader, self.model, self.batch_size = reader, model, batch_size
        self.max_pixels = max_pixels
        self._parts = Parts()
        self._kept: tuple[int, Any] = -1, None  # the group last used by an index, decoded
        check_header(model, reader.header, reader.name)

    def __enter__(self) -> "CompressedImages":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reader, self.model, self.batch_size, self.max_pixels)

    def close(self) -> None:
        """Close the file; no more images can be decoded."""
        self.reader.close()
        self._kept = -1, None

    @property
    def names(self) -> tuple[str, ...] | None:
        """The file names of the images, or None if the file has none."""
        return self.reader.names

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays stored beside the images, by name."""
        return self.reader.arrays

    @property
    def spec(self) -> ImageSpec | None:
        """Size and channels of the images; None if they differ."""
        return self.reader.spec

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width) or (n, height, width, channels); InputError if they differ."""
        if self.spec is None:
            raise InputError(f"{self.reader.name}: holds images of different sizes")
        return (len(self), *self.spec.shape)

    def runs(self) -> tuple[tuple[ImageSpec, int], ...]:
        """Runs of consecutive images of the same spec: (spec, number) pairs."""
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
            return self._gathered(wanted)
        (image,) = self.__getitems__([index])
        return image

    def __getitems__(self, indices: Sequence[int]) -> list[Pixels]:
        """Images by index, in the given order, for a DataLoader; each group is decoded once."""
        images: list[Any] = [None] * len(indices)
        wanted: dict[int, list[tuple[int, int]]] = {}  # by group: positions in images and group
        for place, index in enumerate(indices):
            group, at = self._place(index)
            wanted.setdefault(group, []).append((place, at))
        for group, decoded in self._each_group(sorted(wanted)):
            for place, at in wanted[group]:
                images[place] = decoded[at].copy()
        return images

    def __iter__(self) -> Iterator[Pixels]:
        for batch in self.batches():
            yield from batch

    def preview(self, index: int, layers: int) -> Pixels:
        """Decode the first `layers` layers of an image, coarse to fine; read only their streams.

        `layers` is 1 to the number of layers of the model; InputError beyond.
        """
        self._check_layers(layers)
        number, at = self._place(index)

        def first_layers(group: Group) -> range:
            return range(min(layers, group.layers) * (len(group.streams) // group.layers))

        group = self.reader.part(number, first_layers)
        return self._decoded([(number, group)], partial(self.model.preview, layers=layers))[at]

    def region(self, index: int, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Rows y0 to y1 - 1 and columns x0 to x1 - 1 of an image.

        If the model's tiles are independent, only the tiles that overlap the region are read and
        decoded. InputError unless the region lies within the image.
        """
        number, at = self._place(index)
        rows, columns = slice(y0, y1), slice(x0, x1)

        def needed(group: Group) -> Sequence[int]:
            if self.model.tiles_apart:
                return streams_of_area(group, rows, columns)
            return range(len(group.streams))

        group = self.reader.part(number, needed)
        height, width = group.spec.height, group.spec.width
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise InputError(
                f"{self.reader.name}: rows {y0} to {y1}, columns {x0} to {x1} are not a region of "
                f"image {index}, which is {group.spec}"
            )
        area = self._decoded(
            [(number, group)], lambda some: self.model.decode_area(some[0], rows, columns)
        )
        return area[at]

    def batches(
        self, progress: Progress = no_progress, layers: int | None = None
    ) -> Iterator[Pixels]:
        """All images in order, in batches of one spec each; only the first `layers`, if given."""
        decode: _Decode = self.model.decode
        if layers is not None:
            self._check_layers(layers)
            decode = partial(self.model.preview, layers=layers)
        done = payload_bytes = 0
        for batch, num_bytes in self._sized_batches(0, self.reader.num_groups, decode):
            done, payload_bytes = done + len(batch), payload_bytes + num_bytes
            progress(done, payload_bytes)
            yield batch

    def _gathered(self, wanted: range) -> Any:
        """One or more images by index; only the groups that hold them are decoded."""
        ascending = wanted if wanted.step > 0 else wanted[::-1]
        images: Any = [None] * len(wanted)
        if self.spec is not None:
            images = _room((len(wanted), *self.spec.shape), self.reader.name)
        for start, stop, first in self._runs_of_groups(ascending):
            for batch, _ in self._sized_batches(start, stop, self.model.decode):
                begin, end = (bisect_left(ascending, n) for n in (first, first + len(batch)))
                images[begin:end] = batch[np.asarray(ascending[begin:end], dtype=int) - first]
                first += len(batch)
        return images if wanted.step > 0 else images[::-1]

    def _runs_of_groups(self, ascending: range) -> Iterator[tuple[int, int, int]]:
        """Runs of groups start .. stop - 1 that each hold wanted images, and the first image."""
        at, start, stop, begins = 0, -1, -1, 0
        while at < len(ascending):
            group, first = self.reader.find(ascending[at])
            if group != stop:
                if start >= 0:
                    yield start, stop, begins
                start, begins = group, first
            stop = group + 1
            at = bisect_left(ascending, first + self.reader.group_images(group))
        yield start, stop, begins

    def _each_group(self, numbers: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """Decoded groups by ascending number; the last one is kept for the next call."""
        kept = self._kept
        if kept[0] in numbers:
            yield kept
        others = [number for number in numbers if number != kept[0]]
        groups = (self.reader.group(number) for number in others)
        for batch in self._sized_groups(others, groups):
            images, first = self._decoded(batch, self.model.decode), 0
            for number, group in batch:
                kept = number, images[first : first + group.num_images]
                first += group.num_images
                yield kept
        self._kept = kept

    def _sized_batches(
        self, start: int, stop: int, decode: "_Decode"
    ) -> Iterator[tuple[Pixels, int]]:
        """Decode groups start .. stop - 1 in batches; yield each with its size in bytes."""
        for batch in self._sized_groups(range(start, stop), self.reader.groups(start, stop)):
            yield self._decoded(batch, decode), sum(group.num_bytes for _, group in batch)

    def _sized_groups(
        self, numbers: Sequence[int], groups: Iterable[Group]
    ) -> Iterator[list[tuple[int, Group]]]:
        """Batches of numbered groups of one spec, as many as fit."""
        group_size = self.reader.header.group_size
        at_once = max(self.model.groups_at_once, self.batch_size // group_size)
        waiting: list[tuple[int, Group]] = []
        for number, group in zip(numbers, groups, strict=True):
            if waiting and group.spec != waiting[0][1].spec:
                yield waiting
                waiting = []
            waiting.append((number, group))
            with_next = (len(waiting) + 1) * group_size * group.spec.num_pixels
            is_full = len(waiting) == at_once or with_next > MAX_BATCH_PIXELS
            if is_full or number == numbers[-1]:
                yield waiting
                waiting = []

    def _decoded(self, numbered: list[tuple[int, Group]], decode: "_Decode") -> Pixels:
        """Decode some groups of one spec with `decode`."""
        groups = [group for _, group in numbered]
        try:
            for group in groups:
                check_claim(group, self.max_pixels)
            parts = list(self._parts(lambda some: decode(groups[some]), len(groups)))
        except InputError as error:
            where = f"groups {numbered[0][0]} to {numbered[-1][0]}"
            raise InputError(f"{self.reader.name}: {where}: {error}") from error
        images = parts[0] if len(parts) == 1 else np.concatenate(parts)
        levels = groups[0].spec.levels
        if levels < 256 and (brightest := int(images.max())) >= levels:
            raise InputError(
                f"{self.reader.name}: a pixel of {brightest} in images of {levels} levels"
            )
        return images

    def _place(self, index: int) -> tuple[int, int]:
        """The group of an image, whose index may count from the end, and its position there."""
        position = range(len(self))[index]  # raises IndexError
        group, first = self.reader.find(position)
        return group, position - first

    def _check_layers(self, layers: int) -> None:
        most = self.model.layers
        if type(layers) is not int or not 1 <= layers <= most:
            need = f"1 to {most}" if most > 1 else "1, as it codes pictures in one layer"
            raise InputError(f"layers is {layers!r}: model {self.model.name!r} needs {need}")


_Decode = Callable[[Sequence[Group]], Pixels]


def _room(shape: tuple[int, ...], name: str) -> Pixels:
    try:
        return np.empty(shape, np.uint8)
    except (MemoryError, ValueError) as error:  # the latter beyond the address space
        raise InputError(
            f"{name}: its images, {shape}, do not fit in memory: decode fewer at a time"
        ) from error


def check_header(model: ImageCoder, header: Header, name: str) -> None:
    """Raise InputError unless the file `name` with this header was made with this model."""
    if header.model_hash != model.file_id:
        raise InputError(
            f"{name}: made with another model (hash {header.model_hash.hex()}) than "
            f"{model.name!r} ({model.file_id.hex()}): pass the right one by --model"
        )
    if header.more_models:
        raise InputError(f"{name}: made with {len(header.models)} models: only one can be passed")
    if model.spec and header.spec.shape != model.spec.shape:
        raise InputError(f"{name}: its header states another image size than its model")
