"""The network that gives the law of a pixel's values: a small one, run once for each pixel.

Three dense layers turn the context of a pixel into a mixture of discretised logistic distributions
(PixelCNN++, Salimans et al., ICLR 2017, section 2). The mean of a channel starts at its median edge
prediction and follows, as far as the network determines, the earlier channels and the prediction of
its adaptive filter.
"""

import math
from itertools import chain

import torch
from torch import Tensor, nn

from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.tables import LEAST_LOG_SCALE, MOST_LOG_SCALE, UNIT

INPUT_UNIT = 32  # an input of 1 is the integer 32
MEAN_UNIT = 8  # grey values by which an output of 1 moves a mean
FIRST_LOG_SCALE = 1.5
MOST_ACTIVATION = 31.9  # slightly below that in integers
LEAST_PROBABILITY = 2.0**-23


class PixelNetwork(nn.Sequential):
    """Inputs (n, inputs), divided by 32, to outputs (n, outputs)."""

    def __init__(self, arguments: PixelArguments, channels: int) -> None:
        *hidden, last = (nn.Linear(*sizes) for sizes in arguments.layer_sizes(channels))
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.zero_()
        bounded = ((layer, nn.Hardtanh(0, MOST_ACTIVATION)) for layer in hidden)
        super().__init__(*chain.from_iterable(bounded), last)


def law_bits(
    outputs: Tensor, values: Tensor, medians: Tensor, predictions: Tensor, components: int
) -> Tensor:
    """Bits of pixels, (n,), all channels together.

    Outputs of c channels and K components, K numbers each: logarithms of weights; for each channel
    means, in 8 grey values from the median prediction; for each channel logarithms of scales,
    minus 1.5; for each channel how far its means follow its filter; for each pair of channels,
    (1, 0), (2, 0), (2, 1), how far the means of the first follow the second.

    Args:
        outputs: (n, outputs).
        values, medians: (n, c), grey values.
        predictions: those of the filters, (n, c), grey values.
        components: K.
    """
    channels = values.shape[1]
    values, medians = values.float(), medians.float()
    parts = outputs.reshape(len(outputs), -1, components)
    num_pairs = channels * (channels - 1) // 2
    weights, means, log_scales, follow, of_pairs = parts.split(
        [1, channels, channels, channels, num_pairs], dim=1
    )
    means = MEAN_UNIT * means + follow * (predictions - medians)[:, :, None]
    moved = list(means.unbind(1))
    pairs = ((c, before) for c in range(channels) for before in range(c))
    for pair, (c, before) in enumerate(pairs):
        moved[c] = moved[c] + of_pairs[:, pair] * (values - medians)[:, before, None]
    x = (values - medians)[:, :, None] - torch.stack(moved, dim=1)
    bounds = (LEAST_LOG_SCALE / UNIT, MOST_LOG_SCALE / UNIT)
    inverse = torch.exp(-(log_scales + FIRST_LOG_SCALE).clamp(*bounds))
    above = torch.sigmoid((x + 0.5) * inverse)
    below = torch.sigmoid((x - 0.5) * inverse)
    above = torch.where(values[:, :, None] == 255, 1.0, above)
    below = torch.where(values[:, :, None] == 0, 0.0, below)
    log_probability = (above - below).clamp_min(LEAST_PROBABILITY).log().sum(1)
    nats = -torch.logsumexp(torch.log_softmax(weights[:, 0], dim=1) + log_probability, dim=1)
    return nats / math.log(2)
