"""Images to .recvae files and back: the library's public interface."""

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
DEFAULT_GROUP_SIZE = 64  # for lossless coders; lossy ones code each picture separately
GROUP_PIXELS = 1 << 16  # bounds groups of large pictures: decoding one decodes all
DEFAULT_BATCH_SIZE = 64  # larger ones exceed the cache: half the speed on CPU
MAX_EFFORT, MAX_QUALITY = 256, 100


class Codec:
    """Compresses and decompresses with one model.

    Args:
        model: from `load_model`.
        device: where networks run: "cpu", "cuda", or "auto": cuda if available and batches have 64
            images or more. Files do not depend on it: any device decodes them.
        batch_size: images per batch, rounded up to whole groups; bounds memory, changes no byte. If
            GPU memory runs out, batches are halved as often as needed.

    Raises:
        InputError: for an unavailable device or a batch size below 1.
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
        """Compress images to a .recvae file, in memory.

        Args:
            images: uint8 (n, height, width), numpy or torch, or an iterable of these.
            group_size: images that share one entropy coder: larger groups make smaller files, but
                decoding one image decodes its whole group. Default: 64; for pictures of any size,
                as many as fit 65,536 pixels; for lossy models, 1.
            effort: 1 to 256, candidates of each block of latents that are tried with the decoder,
                for smaller files, or better pictures with lossy models; encoding takes longer,
                decoding does not.
            channels: 3 for RGB images, (n, height, width, 3); 2 or 4 for grey or RGB with alpha as
                the last channel.
            quality: 1 to 100, for lossy models; None for the model's own.

        Raises InputError for images that do not fit the model.
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
        """Write a .recvae file to a binary stream, batch by batch; it need not be seekable.

        Args:
            stream: the stream to write to.
            images: uint8 (n, height, width), numpy or torch; or an iterable of such arrays or of
                single images, held in memory one at a time, which may differ in size if the model
                allows; or an `ImageStream`.
            group_size, effort, quality: as in `compress`.
            names: a file name to store for each image.
            progress: called after each batch.
            channels: 3 if arrays are RGB, (n, height, width, 3); 2 or 4 if they are grey or RGB
                with alpha; ignored for an `ImageStream`, which states its own.
            arrays: further arrays to store, by name, such as labels: numbers of 8 to 64 bits, or
                sequences of strings.

        Raises InputError for images that do not fit the model, and for a path instead of a stream.
        """
        if isinstance(stream, str | PathLike):
            raise InputError(
                f"{os.fspath(stream)}: pass a binary stream, or call compress_file with the path"
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
        """The task of `compress_to`, checked as far as possible before the first byte."""
        if names is not None:
            check_names(names, len(names))
        _check_integer("effort", effort, MAX_EFFORT)
        if quality is not None:
            _check_integer("quality", quality, MAX_QUALITY)
        if arrays is not None and NAMES in arrays:
            raise InputError(f"arrays: {NAMES!r} is reserved for the file names: pass names")
        check_arrays(arrays or {})  # before the slow part, the images
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
        groups_at_once = max(-(-self.batch_size // group_size), coder.groups_at_once)
        sender = (effort, quality)
        return Task(
            coder,
            header,
            given.chunks,
            groups_at_once * group_size,
            *sender,
            names,
            arrays or {},
        )

    def compress_chunk(self, images: Pixels, channels: int = GREY) -> bytes:
        """Compress images of one spec (n, ...) to a compact payload: groups, no header or index.

        For containers that store the spec of their images themselves, such as Zarr arrays; see
        docs/format.md. n is 1 to 1,024. Raises InputError for images that do not fit the model.
        """
        if not 1 <= len(images) <= MAX_GROUP_SIZE:
            raise InputError(f"{len(images)} images: a chunk has 1 to {MAX_GROUP_SIZE}")
        given = images_for(self.model, images, channels)
        header = self._chunk_header(given.spec, len(images))
        groups = [group for part in given.chunks for group in self.model.encode(part, len(part))[0]]
        return pack_compact(groups, header)

    def decompress_chunk(self, data: Data, spec: ImageSpec, num_images: int) -> Pixels:
        """Decompress the output of `compress_chunk` to images (n, *spec.shape).

        Raises InputError unless the data hold `num_images` images of this spec.
        """
        groups = unpack_compact(to_bytes(data), self._chunk_header(spec, num_images))
        count = sum(group.num_images for group in groups)
        if count != num_images or any(group.spec != spec for group in groups):
            raise InputError(f"the payload is not {num_images} images of {spec}")
        return self.model.decode(groups)

    def one_image_file_sizes(self, images: Pixels) -> list[int]:
        """File sizes in bytes if each image (n, height, width) had a file of its own."""
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
        """Decompress a .recvae file to uint8 (n, height, width); a list if images differ in size.

        Raises InputError for a damaged file or one made with another model.
        """
        with self.open(data) as images:
            return images[:]

    def open(self, source: Source, max_pixels: int = MAX_PIXELS) -> CompressedImages:
        """Open a .recvae file (path, bytes or stream); images are decoded on access.

        `max_pixels` bounds the memory a file can make it allocate; see `CompressedImages`.
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
    """Load a codec with a shipped model, by name, or one in a folder.

    Raises InputError if the model is missing or damaged.
    """
    return Codec(load_model(model), device, batch_size)


def open_images(
    source: Source,
    model: str | PathLike[str] | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
) -> CompressedImages:
    """Open a .recvae file, by default with the shipped model it names; decode images on access.

    `max_pixels` bounds the memory a file can make it allocate; see `CompressedImages`. Raises
    InputError if the file is damaged or the model is missing.
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
    """The default group size for images of at most `most_pixels` pixels."""
    if coder.group_size is not None:
        return coder.group_size
    if coder.lossy:
        return 1
    if coder.spec is not None:
        return DEFAULT_GROUP_SIZE
    return max(1, min(DEFAULT_GROUP_SIZE, GROUP_PIXELS // most_pixels))


def _check_integer(name: str, value: int, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InputError(f"{name} is {value!r}: it must be an integer from 1 to {most}")
