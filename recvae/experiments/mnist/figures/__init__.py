"""The figures of the MNIST experiment: from models and images, and from the measured rows."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from recvae.codec import CodecModel
from recvae.experiments.drawing import Drawing
from recvae.experiments.mnist.figures.bits import bits
from recvae.experiments.mnist.figures.block_kl import block_kl
from recvae.experiments.mnist.figures.images import images
from recvae.experiments.mnist.figures.information import information
from recvae.experiments.mnist.figures.rates import rates
from recvae.experiments.mnist.figures.weights import weights
from recvae.experiments.tables import Table

__all__ = ["Drawing", "bits", "block_kl", "drawings", "images", "information", "rates", "weights"]


def drawings(
    main_model: str,
    rows: Table,
    models: Mapping[str, CodecModel],
    train_images: Tensor,
    test_images: Tensor,
) -> list[Callable[[], Drawing]]:
    """Functions that make the figures, in order.

    Args:
        main_model: name of the model of most figures.
        rows: measured rows, any of them.
        models: by name: the main one, and those of `weights` if available.
        train_images, test_images: (n, h, w) uint8.
    """
    model = models[main_model]
    return [
        partial(information, model, train_images, test_images),
        partial(block_kl, model, train_images),
        partial(rates, rows, main_model),
        partial(bits, rows, main_model),
        partial(weights, rows, models, train_images),
        partial(images, model, test_images),
    ]
