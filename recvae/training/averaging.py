"""The average of the weights over recent steps, which validation sees and export takes."""

from functools import partial

from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class EMAWithWarmup(WeightAveraging):
    """Exponential moving average of the weights, with a decay that rises to `decay`.

    With n averaged steps the decay is min(decay, (1 + n) / (10 + n)), as in TensorFlow's
    `ExponentialMovingAverage`: after a few hundred steps nothing is left of the first weights.

    Args:
        decay: the final decay; 0.998 averages over some 500 steps.
    """

    def __init__(self, decay: float = 0.998) -> None:
        super().__init__(avg_fn=partial(averaged, decay))


def averaged(decay: float, average: Tensor, weights: Tensor, num_averaged: Tensor | int) -> Tensor:
    """The average with the weights of one more step."""
    n = int(num_averaged)
    return average.lerp(weights, 1 - min(decay, (1 + n) / (10 + n)))
