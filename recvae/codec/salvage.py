"""Saving what a damaged file still holds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from recvae.codec.codec import DEFAULT_BATCH_SIZE, Codec, load, model_of
from recvae.codec.compression import Progress, no_progress
from recvae.codec.container.repair import find_header
from recvae.codec.container.salvage import Salvage, salvage_groups
from recvae.codec.range_coder import CheckingDecoder
from recvae.codec.vae.groups import decode_streams
from recvae.codec.vae.model import CodecModel, load_model, shipped_models
from recvae.errors import InputError


def salvage(
    data: bytes,
    name: str = "recvae data",
    model: str | Path | None = None,
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
            needed is not at hand.
    """
    models = (load_model(path) for path in ([model] if model else shipped_models().values()))
    likely = ((one.file_id, *one.image_shape) for one in models)
    try:
        header, start, is_damaged = find_header(data, likely)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error

    @cache
    def codec() -> Codec:
        found = load(model or model_of(header, name), device, batch_size)
        found.check_header(header, name)
        return found

    def check(groups: Iterable[tuple[bytes, int]]) -> Iterator[bool]:
        images = num_bytes = 0
        for batch in _batches(groups, batch_size):
            yield from are_written(codec().model, batch)
            images += sum(count for _, count in batch)
            num_bytes += sum(len(payload) for payload, _ in batch)
            progress(images, num_bytes)

    try:
        found = salvage_groups(data[start:], header, check)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return replace(found, damaged=["header"] * is_damaged + found.damaged)


def are_written(model: CodecModel, groups: Sequence[tuple[bytes, int]]) -> list[bool]:
    """Whether an encoder can have written each of the payloads for so many images.

    It can if what the payload decodes to makes the same bytes when it is encoded again. Other bytes
    decode to images as the model would draw them, and their code has a length of its own.
    """
    height, width = model.image_shape
    coded = {
        index: CheckingDecoder(payload)
        for index, (payload, count) in enumerate(groups)
        if len(payload) < count * height * width
    }
    try:
        decode_streams(model, list(coded.values()), [groups[index][1] for index in coded])
    except ValueError:  # in one of them
        if len(groups) == 1:
            return [False]
        half = len(groups) // 2
        return are_written(model, groups[:half]) + are_written(model, groups[half:])
    return [
        coded[index].is_whole() if index in coded else len(payload) == count * height * width
        for index, (payload, count) in enumerate(groups)
    ]


def _batches(
    groups: Iterable[tuple[bytes, int]], batch_size: int
) -> Iterator[list[tuple[bytes, int]]]:
    """At least one group at a time, and as many as make `batch_size` images."""
    batch: list[tuple[bytes, int]] = []
    images = 0
    for payload, count in groups:
        if batch and images + count > batch_size:
            yield batch
            batch, images = [], 0
        batch.append((payload, count))
        images += count
    if batch:
        yield batch
