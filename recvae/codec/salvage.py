"""Saving what a damaged file still holds."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from os import PathLike

from recvae.codec.codec import DEFAULT_BATCH_SIZE
from recvae.codec.compressed_images import check_header
from recvae.codec.compression import Progress, no_progress
from recvae.codec.container import Group
from recvae.codec.container.repair import find_header
from recvae.codec.container.salvage import salvage_groups
from recvae.codec.container.salvaged import Salvage
from recvae.codec.container.source import Data, to_bytes
from recvae.codec.device import find_device
from recvae.codec.image_coder import ImageCoder
from recvae.codec.models import load_model, shipped_model_for, shipped_models
from recvae.errors import InputError


def salvage(
    data: Data,
    name: str = "recvae data",
    model: str | PathLike[str] | None = None,
    device: str = "cpu",
    batch_size: int = DEFAULT_BATCH_SIZE,
    progress: Progress = no_progress,
) -> Salvage:
    """Find what a damaged .recvae file still holds.

    Where checksums leave a doubt, groups are decoded: what no encoder can have written is given up.

    Args:
        data: the bytes of the file.
        name: what messages call it.
        model: name or folder; without it, the shipped model that the file names is taken.
        device: where networks run, as in `Codec`.
        batch_size: images worked on at once, as in `Codec`.
        progress: called after each batch with the images and bytes checked so far.

    Raises:
        InputError: if the header is damaged beyond repair, no group is left, or the model that is
            needed is not at hand, or for data that are no bytes.
    """
    known = shipped_models().values() if model is None else [model]
    models = (load_model(path) for path in known)
    specs = ((one.file_id, one.spec) for one in models)
    likely = ((file_id, spec.height, spec.width) for file_id, spec in specs if spec)
    data = to_bytes(data)
    try:
        header, start, is_damaged = find_header(data, likely)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error

    @cache
    def coder() -> ImageCoder:
        found = shipped_model_for(header, name) if model is None else model
        loaded = load_model(found).to(find_device(device))
        check_header(loaded, header, name)
        return loaded

    def check(groups: Iterable[Group]) -> Iterator[bool]:
        images = num_bytes = 0
        for batch in _batches(groups, batch_size):
            yield from coder().written(batch)
            images += sum(group.num_images for group in batch)
            num_bytes += sum(group.num_bytes for group in batch)
            progress(images, num_bytes)

    try:
        found = salvage_groups(data[start:], header, check)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return replace(found, damaged=["header"] * is_damaged + found.damaged)


def _batches(groups: Iterable[Group], batch_size: int) -> Iterator[list[Group]]:
    """At least one group at a time, and as many of one spec as make `batch_size` images."""
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
