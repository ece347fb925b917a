"""Everything this experiment needs of our codec, one small function each."""

import io
from dataclasses import dataclass

import numpy as np

import recvae
from recvae.codec import Codec
from recvae.codec.container import ContainerReader, ContainerWriter
from recvae.codec.hierarchy.ablation import partition_point
from recvae.codec.hierarchy.ideal import bits_by_layer, ideal_points
from recvae.codec.hierarchy.model import PictureModel
from recvae.errors import InputError
from recvae.experiments.pictures.classical import RGB
from recvae.experiments.pictures.rows import Partition


@dataclass(frozen=True)
class PartitionPoint:
    """Costs of latents with one way to partition.

    Fields:
        overhead_bits_per_block: bits of bins and ranks over the KL of the samples' posteriors.
        bits_per_pixel: those of bins and ranks.
        psnr_db: PSNR of the decoded pictures.
    """

    overhead_bits_per_block: float
    bits_per_pixel: float
    psnr_db: float


def load(model: str) -> Codec:
    """Load the codec of a model, by name or folder; InputError if it is missing or lossless."""
    codec = recvae.load(model)
    if not codec.model.lossy:
        raise InputError(f"--model {model}: it is lossless, choose a lossy one")
    return codec


def encode(codec: Codec, images: list[RGB], quality: int, effort: int) -> bytes:
    """Encode images of one size to a .recvae file, each as a separate group."""
    return codec.compress(
        np.stack(images), group_size=1, effort=effort, quality=quality, channels=3
    )


def decode(codec: Codec, file: bytes) -> list[RGB]:
    """Decode the images of such a file."""
    return list(codec.decompress(file))


def one_file_each(file: bytes) -> list[int]:
    """Sizes in bytes if each image of a file in groups of 1 had a file of its own."""
    sizes = []
    with ContainerReader(file) as reader:
        for group in reader.groups():
            writer = ContainerWriter(io.BytesIO(), reader.header)
            writer.add(group)
            sizes.append(writer.finish().total)
    return sizes


def stream_bytes(file: bytes) -> list[int]:
    """Bytes of the streams of each group: of each image, for a file in groups of 1."""
    with ContainerReader(file) as reader:
        return [group.num_bytes for group in reader.groups()]


def layer_bytes(codec: Codec, file: bytes) -> list[float]:
    """Bytes of each layer, coarse to fine, over all images of a file.

    For a hierarchy these are ideal code lengths, since layers of small images share a stream.
    """
    with ContainerReader(file) as reader:
        groups = list(reader.groups())
    if isinstance(codec.model, PictureModel):
        return [bits / 8 for bits in bits_by_layer(codec.model, groups)]
    lengths = [
        np.reshape([len(stream) for stream in group.streams], (group.layers, -1)).sum(1)
        for group in groups
    ]
    return np.sum(lengths, axis=0).tolist()


def ideal(codec: Codec, images: list[RGB], quality: int, seed: int) -> tuple[float, float]:
    """KL of the posteriors in bits per pixel, and PSNR in dB of samples of them, decoded."""
    model = _hierarchy(codec)
    by_size: dict[tuple[int, ...], list[RGB]] = {}
    for image in images:
        by_size.setdefault(image.shape, []).append(image)
    points = [
        (len(same), *ideal_points(model, np.stack(same), [quality], seed)[0])
        for same in by_size.values()
    ]
    count, bits_per_pixel, psnr_db = np.array(points).T
    return (
        float((count * bits_per_pixel).sum() / count.sum()),
        float((count * psnr_db).sum() / count.sum()),
    )


def partitioned(
    codec: Codec, images: list[RGB], quality: int, partition: Partition, seed: int
) -> PartitionPoint:
    """Costs of images with another partition of the latents than the model's."""
    way = (partition.strategy, partition.block_bits, partition.log2_candidates)
    return PartitionPoint(
        *partition_point(_hierarchy(codec), np.stack(images), quality, *way, seed)
    )


def _hierarchy(codec: Codec) -> PictureModel:
    """The codec's model; InputError if it is of another kind, which has no ideal."""
    if not isinstance(codec.model, PictureModel):
        raise InputError(
            f"model {codec.model.name!r} is not a hierarchical VAE: it has no KL to compare with"
        )
    return codec.model
