"""Salvages what damaged files still hold."""

from collections.abc import Iterable, Iterator
from functools import cache
from os import PathLike

from recvae.codec.codec import DEFAULT_BATCH_SIZE
from recvae.codec.compressed_images import check_header
from recvae.codec.compression import Progress, no_progress
from recvae.codec.container import Group, Header
from recvae.codec.container.joined import Rescue
from recvae.codec.container.salvage import salvage_files
from recvae.codec.container.salvaged import Check
from recvae.codec.container.source import Data, to_bytes
from recvae.codec.device import on_device
from recvae.codec.image_coder import ImageCoder
from recvae.codec.limits import check_claim
from recvae.codec.models import load_model, shipped_model_for, shipped_models


def salvage(
    data: Data,
    name: str = "recvae data",
    model: str | PathLike[str] | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
    progress: Progress = no_progress,
) -> Rescue:
    """Find what is left of a damaged .recvae file, or of several concatenated files.

    Where checksums leave doubt, groups are decoded: those that no encoder can have written are
    given up.

    Args:
        data: the bytes of the file or files.
        name: its name in messages.
        model: name or folder; by default, the shipped model that the file names.
        device: where networks run, as in `Codec`.
        batch_size: images per batch, as in `Codec`.
        progress: called after each batch with the images and bytes checked so far.

    Raises:
        InputError: if the header is damaged beyond repair, no group is left, the model is missing,
            or the data are not bytes.
    """
    known = shipped_models().values() if model is None else [model]
    models = (load_model(path) for path in known)
    specs = ((one.file_id, one.spec) for one in models)
    likely = ((file_id, spec.height, spec.width) for file_id, spec in specs if spec)

    @cache
    def coder(header: Header) -> ImageCoder:
        found = shipped_model_for(header, name) if model is None else model
        loaded = on_device(load_model(found), device, batch_size)
        check_header(loaded, header, name)
        return loaded

    images = num_bytes = 0

    def check_for(header: Header) -> Check:
        def check(groups: Iterable[Group]) -> Iterator[bool]:
            nonlocal images, num_bytes
            for batch in _batches(groups, batch_size):
                for group in batch:
                    check_claim(group)
                yield from coder(header).written(batch)
                images += sum(group.num_images for group in batch)
                num_bytes += sum(group.num_bytes for group in batch)
                progress(images, num_bytes)

        return check

    return salvage_files(to_bytes(data), likely, check_for, name)


def _batches(groups: Iterable[Group], batch_size: int) -> Iterator[list[Group]]:
    """Batches of groups of one spec, up to `batch_size` images or one group."""
    batch: list[Group] = []
    images = 0
    for group in groups:
        if batch and (images + group.num_images > batch_size or group.spec != batch[0].spec):
            yield batch
            batch, images = [], 0
        batch.append(group)
        images += group.num_images
    if batch:
        yield batch
