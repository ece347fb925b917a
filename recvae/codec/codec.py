"""Images to .recvae files and back: the library's public face."""

import io
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, BinaryIO

from recvae.codec.compressed_images import CompressedImages
from recvae.codec.compression import (
    DEFAULT_EFFORT,
    Compression,
    Progress,
    Task,
    container_header,
    no_progress,
)
from recvae.codec.container import ContainerReader, ContainerWriter, Header
from recvae.codec.container.arrays import check_arrays
from recvae.codec.container.compact import pack_compact, unpack_compact
from recvae.codec.container.header import MAX_GROUP_SIZE
from recvae.codec.container.names import NAMES
from recvae.codec.container.source import Data, Source, to_bytes
from recvae.codec.device import on_device
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.codec.limits import MAX_PIXELS
from recvae.codec.models import DIGITS_MODEL, load_model, shipped_model_for
from recvae.codec.report import CompressionReport
from recvae.codec.sources import ImageSource, images_for
from recvae.errors import InputError
from recvae.images import check_names
from recvae.images.spec import GREY, ImageSpec

DEFAULT_MODEL = DIGITS_MODEL
DEFAULT_GROUP_SIZE = 64  # of lossless coders; lossy ones code each picture on its own
GROUP_PIXELS = 1 << 16  # of larger pictures fewer share a group: one is decoded with all of them
DEFAULT_BATCH_SIZE = 64  # larger ones leave the cache: half the speed on CPU
MAX_EFFORT, MAX_QUALITY = 256, 100


class Codec:
    """Compresses and decompresses with one model.

    Args:
        model: from `load_model`.
        device: where networks run: "cpu", "cuda", or "auto" for cuda where there is one and
            batches have 64 images or more. The bytes do not tell: any device decodes them.
        batch_size: images worked on at once, though never less than a group; bounds memory, changes
            no byte. Where a GPU's memory does not suffice, half as many, and so on.

    Raises:
        InputError: for a device that is not there or a batch size below 1.
    """

    def __init__(
        self, model: ImageCoder, device: str = "cpu", batch_size: int = DEFAULT_BATCH_SIZE
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch size is {batch_size}: it must be at least 1")
        self.model = on_device(model, device, batch_size)
        self.batch_size = batch_size

    def __repr__(self) -> str:
        return f"Codec(model={self.model.name!r}, batch_size={self.batch_size})"

    def compress(
        self,
        images: ImageSource,
        group_size: int | None = None,
        effort: int = DEFAULT_EFFORT,
        channels: int = GREY,
        quality: int | None = None,
    ) -> bytes:
        """A .recvae file of images, uint8 (n, height, width), numpy or torch, or many of these.

        With `channels=3` they are RGB, (n, height, width, 3), with 2 grey and with 4 RGB, each with
        alpha last. `group_size` images share one entropy coder: larger groups are smaller, and it
        takes a whole group to decode one image of it. Without it, it is 64, of pictures of any size
        as many as have 65,536 pixels, and 1 with a lossy model.
        `effort`, 1 to 256, is how many candidates for each block of latents are tried with the
        decoder: more take longer and make a smaller file, which decodes as fast; with a lossy model
        it is better pictures that more effort makes. `quality`, 1 to
        100, is for lossy models, which have one of their own without it. Raises InputError for
        images that do not fit the model.
        """
        stream = io.BytesIO()
        self.compress_to(
            stream, images, group_size, effort=effort, channels=channels, quality=quality
        )
        return stream.getvalue()

    def compress_to(
        self,
        stream: BinaryIO,
        images: ImageSource,
        group_size: int | None = None,
        names: Sequence[str] | None = None,
        progress: Progress = no_progress,
        effort: int = DEFAULT_EFFORT,
        channels: int = GREY,
        arrays: Mapping[str, Any] | None = None,
        quality: int | None = None,
    ) -> CompressionReport:
        """Write a .recvae file to a binary stream, batch by batch; the stream need not seek.

        Args:
            stream: to write to.
            images: uint8 (n, height, width), numpy or torch; or an iterable of such or of single
                images, of which one is in memory at a time, and whose images may differ in size
                where the model takes them; or an `ImageStream`.
            group_size, effort, quality: as in `compress`.
            names: a file name for each image, to be kept.
            progress: called after each batch.
            channels: 3 if arrays are RGB, (n, height, width, 3); 2 or 4 if they are grey or RGB
                with alpha; a stream says itself what it is.
            arrays: others to keep beside the images, by name, such as labels: numbers of 8 to 64
                bits, or sequences of strings.

        Raises InputError for images that do not fit the model, and a path in place of a stream.
        """
        if isinstance(stream, str | PathLike):
            raise InputError(
                f"{os.fspath(stream)}: give a binary stream, or the path to compress_file"
            )
        task = self.task(images, group_size, names, effort, channels, arrays, quality)
        work = Compression(task, stream)
        work.add_all(task.chunks, progress)
        return work.finish()

    def task(
        self,
        images: ImageSource,
        group_size: int | None = None,
        names: Sequence[str] | None = None,
        effort: int = DEFAULT_EFFORT,
        channels: int = GREY,
        arrays: Mapping[str, Any] | None = None,
        quality: int | None = None,
    ) -> Task:
        """What `compress_to` writes, checked as far as can be before the first byte."""
        if names is not None:
            check_names(names, len(names))
        _check_integer("effort", effort, MAX_EFFORT)
        if quality is not None:
            _check_integer("quality", quality, MAX_QUALITY)
        if arrays is not None and NAMES in arrays:
            raise InputError(f"arrays: {NAMES!r} is what the file names are called: give names")
        check_arrays(arrays or {})  # before the images, which take long
        coder = self.model if quality is None else self.model.with_quality(quality)
        coder = coder.with_effort(effort)
        given = images_for(coder, images, channels)
        if group_size is None:
            group_size = _default_group_size(coder, given.most_pixels)
        if names is not None and given.count not in (None, len(names)):
            raise InputError(f"names: {len(names)} for {given.count} images")
        header = container_header(
            coder, given.spec, group_size, plain=given.one_spec and not arrays
        )
        at_once = -(-self.batch_size // group_size) * group_size  # whole groups
        sender = (effort, quality)
        return Task(coder, header, given.chunks, at_once, *sender, names, arrays or {})

    def compress_chunk(self, images: Pixels, channels: int = GREY) -> bytes:
        """Images of one spec (n, ...) as a compact payload: groups without header and index.

        For what keeps the spec of its images itself, as a Zarr array does of its chunks; see
        docs/format.md. n is 1 to 1,024. Raises InputError for images that do not fit the model.
        """
        if not 1 <= len(images) <= MAX_GROUP_SIZE:
            raise InputError(f"{len(images)} images: a chunk has 1 to {MAX_GROUP_SIZE}")
        given = images_for(self.model, images, channels)
        header = self._chunk_header(given.spec, len(images))
        groups = [group for part in given.chunks for group in self.model.encode(part, len(part))[0]]
        return pack_compact(groups, header)

    def decompress_chunk(self, data: Data, spec: ImageSpec, num_images: int) -> Pixels:
        """The images that `compress_chunk` made bytes of, (n, *spec.shape).

        Raises InputError unless the data are so many images of this spec.
        """
        groups = unpack_compact(to_bytes(data), self._chunk_header(spec, num_images))
        count = sum(group.num_images for group in groups)
        if count != num_images or any(group.spec != spec for group in groups):
            raise InputError(f"the payload is not {num_images} images of {spec}")
        return self.model.decode(groups)

    def one_image_file_sizes(self, images: Pixels) -> list[int]:
        """Bytes of a file for each image (n, height, width) on its own."""
        given = images_for(self.model, images)
        header = container_header(self.model, given.spec, 1, plain=True)
        sizes = []
        for part in given.chunks:
            for group in self.model.encode(part, 1)[0]:
                writer = ContainerWriter(io.BytesIO(), header)
                writer.add(group)
                sizes.append(writer.finish().total)
        return sizes

    def decompress(self, data: Data) -> Pixels | list[Pixels]:
        """The images of a .recvae file, uint8 (n, height, width); a list if they differ in size.

        Raises InputError for a damaged file or one made with another model.
        """
        with self.open(data) as images:
            return images[:]

    def open(self, source: Source, max_pixels: int = MAX_PIXELS) -> CompressedImages:
        """The images of a .recvae file (path, bytes or stream), decoded when asked for.

        `max_pixels` bounds what a file can make it allocate; see `CompressedImages`.
        """
        reader = ContainerReader(source)
        try:
            return CompressedImages(reader, self.model, self.batch_size, max_pixels)
        except BaseException:
            reader.close()
            raise

    def _chunk_header(self, spec: ImageSpec, num_images: int) -> Header:
        return container_header(self.model, spec, num_images, plain=False)


def load(
    model: str | PathLike[str] = DEFAULT_MODEL,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> Codec:
    """A codec with a model that ships, by name, or one in a folder.

    Raises InputError if there is no such model, or it is damaged.
    """
    return Codec(load_model(model), device, batch_size)


def open_images(
    source: Source,
    model: str | PathLike[str] | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
) -> CompressedImages:
    """The images of a .recvae file, decoded when asked for; without `model`, by the one that ships.

    `max_pixels` bounds what a file can make it allocate; see `CompressedImages`. Raises InputError
    if the file is damaged or there is no such model.
    """
    reader = ContainerReader(source)
    try:
        if model is None:
            model = shipped_model_for(reader.header, reader.name)
        codec = load(model, device, batch_size)
        return CompressedImages(reader, codec.model, batch_size, max_pixels)
    except BaseException:
        reader.close()
        raise


def _default_group_size(coder: ImageCoder, most_pixels: int) -> int:
    """For images of so many pixels at most."""
    if coder.lossy:
        return 1
    if coder.spec is not None:
        return DEFAULT_GROUP_SIZE
    return max(1, min(DEFAULT_GROUP_SIZE, GROUP_PIXELS // most_pixels))


def _check_integer(name: str, value: int, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InputError(f"{name} is {value!r}: it must be an integer from 1 to {most}")
