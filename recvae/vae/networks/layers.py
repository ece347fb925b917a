"""The building blocks of every decoder network.

All computation in a decoder is in `Dense`, `Residual` and `Embedding`; everything else moves data
(reshape, pad, concatenate, gather). Replacing these by their integer counterparts (`recvae.exact`)
therefore makes the bits of a trained decoder agree on every machine. Images are channels-last,
(batch, height, width, channels), so that a pixelwise layer is one matrix product.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dense(nn.Module):
    """Affine map of the last dimension, (..., inputs) -> (..., outputs), then ReLU if `relu`."""

    def __init__(self, inputs: int, outputs: int, relu: bool = True) -> None:
        super().__init__()
        self.relu = relu
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu" if relu else "linear")

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        y = functional.linear(x, self.weight, self.bias)
        return functional.relu(y) if self.relu else y


class Residual(nn.Module):
    """`x + second(relu(first(x)))` on the last dimension of (..., width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Dense(width, width)
        self.second = Dense(width, width, relu=False)
        nn.init.zeros_(self.second.weight)  # starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        return x + self.second(self.first(x))


class Embedding(nn.Module):
    """Integers (...) below `len(given)` to vectors (..., columns), partly given, partly learned.

    Args:
        given: (count, m) float, the first columns.
        learned: number of further columns.
    """

    given: Tensor

    def __init__(self, given: Tensor, learned: int) -> None:
        super().__init__()
        self.count, self.columns = len(given), given.shape[1] + learned
        self.register_buffer("given", given, persistent=False)
        self.weight = nn.Parameter(torch.empty(len(given), learned).normal_(std=0.3))

    @property
    def table(self) -> Tensor:
        """All vectors, (count, columns)."""
        return torch.cat([self.given, self.weight], dim=1)

    def forward(self, values: Tensor) -> Tensor:
        """(...) int64 to (..., columns)."""
        return functional.embedding(values, self.table)


def windows_2x2(x: Tensor) -> Tensor:
    """Zero-padded 2x2 windows: (b, h, w, c) -> (b, h + 1, w + 1, 4c)."""
    x = functional.pad(x, (0, 0, 1, 1, 1, 1))
    return torch.cat([x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]], dim=-1)


def shuffle_2x2(x: Tensor) -> Tensor:
    """Turn windows into 2x2 pixels, crop the border: (b, h + 1, w + 1, 4c) -> (b, 2h, 2w, c).

    `shuffle_2x2(dense(windows_2x2(x)))` is a transposed convolution with kernel 4 and stride 2.
    """
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c // 4)
    return x[:, 1:-1, 1:-1]


def neighbourhoods(maps: Tensor, sites: Tensor, radius: int) -> Tensor:
    """The (2 radius + 1)^2 entries around each site, zeros outside the image.

    maps: (b, h, w); sites: (n,) indices into b*h*w. Returns (n, (2 radius + 1)^2).
    """
    height, width = maps.shape[1:]
    side = 2 * radius + 1
    padded = functional.pad(maps, (radius, radius, radius, radius))
    padded_width = width + 2 * radius
    image, pixel = sites // (height * width), sites % (height * width)
    corner = (image * (height + 2 * radius) + pixel // width) * padded_width + pixel % width
    steps = torch.arange(side, device=maps.device)
    offsets = (steps[:, None] * padded_width + steps).flatten()
    return padded.flatten()[corner[:, None] + offsets]
