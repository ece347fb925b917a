"""The figures of the picture experiment, from measured rows and from pictures."""

from recvae.experiments.pictures.figures.inr_blocks import inr_blocks
from recvae.experiments.pictures.figures.inr_partitions import inr_partitions
from recvae.experiments.pictures.figures.layers import layers
from recvae.experiments.pictures.figures.partitions import partitions
from recvae.experiments.pictures.figures.rates import cifar10, kodak
from recvae.experiments.pictures.figures.side_by_side import side_by_side

__all__ = [
    "cifar10",
    "inr_blocks",
    "inr_partitions",
    "kodak",
    "layers",
    "partitions",
    "side_by_side",
]
