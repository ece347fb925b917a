"""The figures of the MNIST experiment: from models and images, and from the measured rows."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from recvae.codec import CodecModel
from recvae.experiments.mnist.figures.bits import bits
from recvae.experiments.mnist.figures.block_kl import block_kl
from recvae.experiments.mnist.figures.drawing import Drawing
from recvae.experiments.mnist.figures.images import images
from recvae.experiments.mnist.figures.information import information
from recvae.experiments.mnist.figures.rates import rates
from recvae.experiments.mnist.figures.weights import weights
from recvae.experiments.tables import Table

__all__ = ["Drawing", "bits", "block_kl", "drawings", "images", "information", "rates", "weights"]


def drawings(
    rows: Table,
    models: Mapping[str, CodecModel],
    main_model: str,
    train_images: Tensor,
    test_images: Tensor,
) -> Iterator[Drawing]:
    """All figures in their order, each made when it is asked for.

    Args:
        rows: as measured, any of them.
        models: by name; the main one, and those of `weights` where they are.
        main_model: name of the one that most figures are about.
        train_images, test_images: (n, h, w) uint8.
    """
    model = models[main_model]
    yield information(model, train_images, test_images)
    yield block_kl(model, train_images)
    yield rates(rows, main_model)
    yield bits(rows, main_model)
    yield weights(rows, models, train_images)
    yield images(model, test_images)
