"""Turns a trained predictor into a model in integers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recvae.codec.pixelwise.kernel import MOST_ACTIVATION
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.networks import MAX_SHIFT, MOST_INPUT, IntegerNetwork, largest_sum
from recvae.pixelwise.lightning import PixelPredictor
from recvae.pixelwise.network import INPUT_UNIT, PixelNetwork
from recvae.pixelwise.tables import UNIT

ACTIVATION_UNIT = 128
MAX_INT16 = (1 << 15) - 1


def quantise(module: PixelPredictor, name: str, metadata: Mapping[str, Any]) -> PixelwiseModel:
    """Make the model that approximates the predictor in integers.

    Raises ValueError for weights that are not finite or do not fit.
    """
    networks = {}
    for channels, arguments in module.arguments.items():
        network = module.networks[str(channels)]
        assert isinstance(network, PixelNetwork)
        start: torch.Tensor = getattr(module, f"filters_{channels}")
        networks[channels] = IntegerNetwork(
            arguments, *_integers(network), start.round().int().cpu().numpy()
        )
    return PixelwiseModel(name=name, networks=networks, metadata=dict(metadata))


def _integers(network: PixelNetwork) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]:
    """Weights, biases and shifts of the layers."""
    units = (INPUT_UNIT, ACTIVATION_UNIT, ACTIVATION_UNIT, UNIT)  # of inputs, layers, outputs
    linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    weights, biases, shifts = [], [], []
    for number, layer in enumerate(linear):
        gain, unit = units[number + 1] / units[number], units[number + 1]
        real = layer.weight.detach().double().numpy() * gain
        bias = layer.bias.detach().double().numpy() * unit
        if not (np.isfinite(real).all() and np.isfinite(bias).all()):
            raise ValueError("weights are not finite: training failed")
        most = MOST_INPUT if number == 0 else MOST_ACTIVATION
        shift = next(s for s in range(MAX_SHIFT, -2, -1) if s < 0 or _fits(real, bias, s, most))
        if shift < 0:
            raise ValueError(f"the weights of layer {number} are too large")
        weights.append(_rounded(real, shift).astype(np.int16))
        # Sums are rounded down; adding half a unit rounds them to nearest.
        biases.append((_rounded(bias, shift) + (1 << shift >> 1)).astype(np.int32))
        shifts.append(shift)
    return tuple(weights), tuple(biases), tuple(shifts)


def _rounded(values: NDArray[np.float64], shift: int) -> NDArray[np.float64]:
    return np.rint(values * (1 << shift))


def _fits(weights: NDArray[Any], bias: NDArray[Any], shift: int, most: int) -> bool:
    integers, added = _rounded(weights, shift), _rounded(bias, shift) + (1 << shift)
    fit_int16 = bool(np.abs(integers).max() <= MAX_INT16)
    return fit_int16 and largest_sum(integers, added, most) < 1 << 31
