"""Images to .recvae files and back: the library's public face."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.compression import Compression, Progress, no_progress
from recvae.codec.container import ContainerReader, ContainerWriter, Header
from recvae.codec.container.reader import Source
from recvae.codec.device import find_device
from recvae.codec.report import CompressionReport
from recvae.codec.vae.groups import decode_groups, encode_groups
from recvae.codec.vae.latents import BlockLatents, LatentCodec
from recvae.codec.vae.min_cost import MinCostSender, can_choose
from recvae.codec.vae.model import CodecModel, load_model, shipped_model_name
from recvae.codec.vae.pixel_cost import PixelCost, pixel_cost_of
from recvae.errors import InputError
from recvae.images import check_names, regroup

DEFAULT_MODEL = "mnist-scans"
DEFAULT_GROUP_SIZE = 64
DEFAULT_BATCH_SIZE = 64  # larger ones leave the cache: half the speed on CPU
DEFAULT_EFFORT, MAX_EFFORT = 1, 256

Pixels = NDArray[np.uint8]
ImageSource = Pixels | Tensor | Iterable[Pixels]
"""Images uint8 (n, height, width): an array, a tensor, or arrays of any number of them."""


class Codec:
    """Compresses and decompresses with one model.

    Args:
        model: from `load_model`.
        device: where networks run: "cpu", "cuda", or "auto" for cuda where there is one. The bytes
            do not tell: any device decodes them.
        batch_size: images worked on at once, though never less than a group; bounds memory, changes
            no byte.

    Raises:
        InputError: for a device that is not there or a batch size below 1.
    """

    def __init__(
        self, model: CodecModel, device: str = "cpu", batch_size: int = DEFAULT_BATCH_SIZE
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch size is {batch_size}: it must be at least 1")
        self.model = model.to(find_device(device))
        self.batch_size = batch_size

    def __repr__(self) -> str:
        return f"Codec(model={self.model.name!r}, batch_size={self.batch_size})"

    def compress(
        self,
        images: Pixels | Tensor,
        group_size: int = DEFAULT_GROUP_SIZE,
        effort: int = DEFAULT_EFFORT,
    ) -> bytes:
        """A .recvae file of images, uint8 (n, height, width), numpy or torch.

        `group_size` images share one entropy coder: larger groups are smaller, and it takes a whole
        group to decode one image of it. `effort`, 1 to 256, is how many candidates for each block
        of latents are tried with the decoder: more take longer and make a smaller file, which
        decodes as fast. Raises InputError for images that do not fit the model.
        """
        stream = io.BytesIO()
        self.compress_to(stream, images, group_size, effort=effort)
        return stream.getvalue()

    def compress_to(
        self,
        stream: BinaryIO,
        images: ImageSource,
        group_size: int = DEFAULT_GROUP_SIZE,
        names: Sequence[str] | None = None,
        progress: Progress = no_progress,
        effort: int = DEFAULT_EFFORT,
    ) -> CompressionReport:
        """Write a .recvae file to a binary stream, batch by batch; the stream need not seek.

        Args:
            stream: to write to.
            images: uint8 (n, height, width), numpy or torch; or an iterable of such arrays,
                of which one is in memory at a time.
            group_size, effort: as in `compress`.
            names: a file name for each image, to be kept.
            progress: called after each batch.
        """
        if names is not None:
            check_names(names, len(names))
        work = Compression(self.model, stream, group_size, self.latents(effort))
        for batch in regroup(self.checked(images), self.images_at_once(group_size)):
            work.add(batch)
            progress(work.writer.num_images, work.writer.num_bytes)
        return work.finish(names)

    def latents(self, effort: int) -> LatentCodec:
        """What codes latents with an effort; InputError if it is out of its range."""
        if type(effort) is not int or not 1 <= effort <= MAX_EFFORT:
            raise InputError(f"effort is {effort!r}: it must be an integer from 1 to {MAX_EFFORT}")
        latents = self.model.latents
        if effort == 1:
            return latents
        if not isinstance(latents, BlockLatents) or not can_choose(latents):
            raise InputError(
                f"effort is {effort}: model {self.model.name!r} codes its latents in a way that "
                "leaves no candidates to choose from; leave effort at 1"
            )
        return replace(latents, sender=MinCostSender(self._pixel_cost, effort))

    @cached_property
    def _pixel_cost(self) -> PixelCost:
        return pixel_cost_of(self.model)

    def checked(self, images: ImageSource) -> Iterator[Pixels]:
        """The images in chunks; InputError where one does not fit the model."""
        if isinstance(images, Tensor):
            images = images.cpu().numpy()
        return map(self._checked, [images] if isinstance(images, np.ndarray) else images)

    def images_at_once(self, group_size: int) -> int:
        """The batch size, made to whole groups."""
        return -(-self.batch_size // group_size) * group_size

    def one_image_file_sizes(self, images: Pixels) -> list[int]:
        """Bytes of a file for each image (n, height, width) on its own."""
        payloads, _ = encode_groups(self.model, np.array(images), 1)
        sizes = []
        for payload in payloads:
            writer = ContainerWriter(
                io.BytesIO(), Header(self.model.file_id, *self.model.image_shape, 1)
            )
            writer.add_group(payload, 1)
            sizes.append(writer.finish().total)
        return sizes

    def decompress(self, data: bytes) -> Pixels:
        """The images of a .recvae file, uint8 (n, height, width).

        Raises InputError for a damaged file or one made with another model.
        """
        with self.open(data) as images:
            return images[:]

    def open(self, source: Source) -> "CompressedImages":
        """The images of a .recvae file (path, bytes or stream), decoded when asked for."""
        reader = ContainerReader(source)
        try:
            return CompressedImages(reader, self)
        except BaseException:
            reader.close()
            raise

    def check_header(self, header: Header, name: str) -> None:
        """Raise InputError unless the file `name` with this header was made with this model."""
        if header.model_hash != self.model.file_id:
            raise InputError(
                f"{name}: made with another model (hash {header.model_hash.hex()}) than "
                f"{self.model.name!r} ({self.model.file_id.hex()}): pass the right one by --model"
            )
        if (header.height, header.width) != self.model.image_shape:
            raise InputError(f"{name}: its header states another image size than its model")

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise InputError unless the model codes images of this shape (n, height, width)."""
        height, width = self.model.image_shape
        if len(shape) != 3 or shape[1:] != (height, width):
            raise InputError(
                f"images have shape {shape}: model {self.model.name!r} codes "
                f"(n, {height}, {width}); train a model for other sizes"
            )

    def _checked(self, pixels: NDArray[Any]) -> Pixels:
        if pixels.dtype != np.uint8:
            raise InputError(f"images are {pixels.dtype}: they must be uint8; convert them first")
        self.check_shape(pixels.shape)
        levels = self.model.architecture.levels
        if levels < 256 and pixels.size and (brightest := int(pixels.max())) >= levels:
            raise InputError(
                f"images have pixels of {brightest}: model {self.model.name!r} codes {levels} grey "
                f"levels, 0 to {levels - 1}"
            )
        return pixels


class CompressedImages:
    """The images of a .recvae file: `len`, indexing, slices and iteration decode what they need.

    An index gives (height, width), a slice (n, height, width), uint8. Close it, or use it in a
    `with` statement.
    """

    def __init__(self, reader: ContainerReader, codec: Codec) -> None:
        self.reader, self.codec = reader, codec
        codec.check_header(reader.header, reader.name)

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
    def shape(self) -> tuple[int, int, int]:
        """(n, height, width)."""
        return (len(self), *self.codec.model.image_shape)

    def __len__(self) -> int:
        return self.reader.num_images

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> Pixels: ...
    def __getitem__(self, index: int | slice) -> Pixels:
        if isinstance(index, slice):
            wanted = range(len(self))[index]
            if not len(wanted):
                return np.zeros((0, *self.codec.model.image_shape), dtype=np.uint8)
            first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
            size = self.reader.header.group_size
            decoded = np.concatenate(
                [batch for batch, _ in self._sized_batches(first // size, last // size + 1)]
            )
            return decoded[np.asarray(wanted) - first // size * size]
        position = range(len(self))[index]  # raises IndexError, counts negative ones from the end
        return self[position : position + 1][0]

    def __iter__(self) -> Iterator[Pixels]:
        for batch in self.batches():
            yield from batch

    def batches(self, progress: Progress = no_progress) -> Iterator[Pixels]:
        """All images in order, (k, height, width) at a time."""
        done = payload_bytes = 0
        for batch, num_bytes in self._sized_batches(0, self.reader.num_groups):
            done, payload_bytes = done + len(batch), payload_bytes + num_bytes
            progress(done, payload_bytes)
            yield batch

    def _sized_batches(self, start: int, stop: int) -> Iterator[tuple[Pixels, int]]:
        """Decoded groups start .. stop - 1, as many at a time as fit a batch, and their bytes."""
        groups_at_once = max(1, self.codec.batch_size // self.reader.header.group_size)
        payloads, counts = [], []
        for group, payload in zip(
            range(start, stop), self.reader.payloads(start, stop), strict=True
        ):
            payloads.append(payload)
            counts.append(self.reader.group_images(group))
            if len(payloads) == groups_at_once or group == stop - 1:
                try:
                    batch = decode_groups(self.codec.model, payloads, counts)
                except InputError as error:
                    where = f"groups {group - len(payloads) + 1} to {group}"
                    raise InputError(f"{self.reader.name}: {where}: {error}") from error
                yield batch, sum(map(len, payloads))
                payloads, counts = [], []


def load(
    model: str | Path = DEFAULT_MODEL, device: str = "cpu", batch_size: int = DEFAULT_BATCH_SIZE
) -> Codec:
    """A codec with a model that ships, by name, or one in a folder.

    Raises InputError if there is no such model, or it is damaged.
    """
    return Codec(load_model(model), device, batch_size)


def open_images(
    source: Source,
    model: str | Path | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> CompressedImages:
    """The images of a .recvae file, decoded when asked for; without `model`, by `model_of` it.

    Raises InputError if the file is damaged or there is no such model.
    """
    reader = ContainerReader(source)
    try:
        model = model or model_of(reader.header, reader.name)
        return CompressedImages(reader, load(model, device, batch_size))
    except BaseException:
        reader.close()
        raise


def model_of(header: Header, name: str) -> str:
    """The shipped model that the file `name` was made with; InputError if it is none of them."""
    if model := shipped_model_name(header.model_hash):
        return model
    raise InputError(
        f"{name}: made with a model that does not ship (hash {header.model_hash.hex()}): "
        "pass its folder by --model"
    )
