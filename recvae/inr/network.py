"""A picture as a small network from coordinates to colours, whose weights are latents.

    x = (cos pi w p, sin pi w p, e(p))      of a pixel's centre p in (-1, 1)^2; e is learned
    x <- sin((1, x) W_l)                    for each hidden layer l
    colour = (1, x) W + 1/2

The weights of a layer are W = g (h + h B / sqrt(n)): its n latents h, a constant g, and a matrix B
that all pictures share (linear reparametrisation, A = g (I + B / sqrt(n)) in the paper). The
positional encoding e is an upsampled grid of further latents. All latents are
h = mean + scale * z, with z ~ N(0, I) under the prior.

Source: He, Flamich, Guo & Hernandez-Lobato, "RECOMBINER: Robust and enhanced compression with
Bayesian implicit neural representations" (ICLR 2024), section 3. There sin(30 x W); here the 30 is
part of g.
"""

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recvae.errors import InputError

COLOURS = 3
HIGHEST_FREQUENCY = 1024.0  # of the Fourier features, in units of pi
FIRST_WEIGHT_SCALE, FIRST_GRID_SCALE = 0.3, 1.0  # of the prior
MAX_MAPPED = 1 << 13  # weights of a layer that a learned map gives
SLOPE = 0.01  # of the leaky rectifier
KERNELS = (5, 3)  # sides of the first convolution of the upsampler, and of the others


@dataclass(frozen=True)
class InrArguments:
    """Sizes of the network.

    Fields:
        side: height and width of the pictures, pixels.
        frequencies: frequencies of the Fourier features of each axis, from pi to 1024 pi.
        hidden: widths of the hidden layers.
        reparametrised: whether weights are a learned linear map of the latents, or the latents.
        grid: side of the grid of positional latents; `side` is 2, 4, 8, .. times it.
        grid_channels: latents at each position of the grid; 0 for no learned positional encoding.
        upsampler: channels of the convolutions between the grid and the encoding.

    Raises:
        InputError: if a size does not fit.
    """

    side: int = 32
    frequencies: int = 4
    hidden: tuple[int, ...] = (32, 32, 32)
    reparametrised: bool = True
    grid: int = 2
    grid_channels: int = 128
    upsampler: tuple[int, ...] = (64, 64, 16)

    def __post_init__(self) -> None:
        limits = {
            "side": (8, 256), "frequencies": (1, 16), "grid": (1, 128), "grid_channels": (0, 1024),
        }  # fmt: skip
        for field, (low, high) in limits.items():
            value = getattr(self, field)
            if type(value) is not int or not low <= value <= high:
                raise InputError(f"architecture.{field} is {value}: allowed: {low} to {high}")
        for field in ("hidden", "upsampler"):
            widths = tuple(getattr(self, field))
            object.__setattr__(self, field, widths)
            if not 1 <= len(widths) <= 8 or not all(
                type(width) is int and 1 <= width <= 1024 for width in widths
            ):
                raise InputError(
                    f"architecture.{field} is {list(widths)}: it needs 1 to 8 widths of 1 to 1024"
                )
        if type(self.reparametrised) is not bool:
            raise InputError(
                f"architecture.reparametrised is {self.reparametrised}: allowed: true, false"
            )
        if self.reparametrised and max(self.sizes[:-1]) > MAX_MAPPED:
            raise InputError(
                f"architecture.hidden is {list(self.hidden)}: a layer has {max(self.sizes[:-1])} "
                f"weights, a learned map takes at most {MAX_MAPPED}; pass reparametrised false"
            )
        if not _is_power_of_two(self.side) or self.side % self.grid or self.side == self.grid:
            raise InputError(
                f"architecture.side is {self.side}, grid {self.grid}: the side must be a power of "
                "two, and the grid a smaller one"
            )

    def plain(self) -> dict[str, Any]:
        """All fields as JSON has them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Inputs, one of them the constant 1, and outputs of each layer."""
        encoding = self.upsampler[-1] if self.grid_channels else 0
        widths = [4 * self.frequencies + encoding, *self.hidden, COLOURS]
        return [(i + 1, o) for i, o in pairwise(widths)]

    @property
    def sizes(self) -> list[int]:
        """Number of latents of each layer, then of the grid."""
        return [i * o for i, o in self.shapes] + [self.grid_channels * self.grid**2]

    @property
    def dim(self) -> int:
        """Number of latents of a picture."""
        return sum(self.sizes)

    @property
    def factors(self) -> list[int]:
        """Enlargement before each convolution of the upsampler; the first takes what is left."""
        doublings = (self.side // self.grid).bit_length() - 1
        later = [2] * min(doublings, len(self.upsampler) - 1)
        unchanged = [1] * (len(self.upsampler) - 1 - len(later))
        return [1 << (doublings - len(later)), *later, *unchanged]


class Inr(nn.Module):
    """From latents to pictures, many at once.

    Parameters:
        mean, log_scale: of the prior of all latents, (dim,).
        matrices: B of each layer, (n, n); none unless `reparametrised`.
        convolutions: of the upsampler; none without positional encoding.
    """

    def __init__(self, arguments: InrArguments) -> None:
        super().__init__()
        self.arguments = arguments
        *layers, grid = arguments.sizes
        self.mean = nn.Parameter(torch.cat([2 * torch.rand(sum(layers)) - 1, torch.zeros(grid)]))
        scales = torch.full((arguments.dim,), FIRST_WEIGHT_SCALE)
        scales[sum(layers) :] = FIRST_GRID_SCALE
        self.log_scale = nn.Parameter(scales.log())
        self.matrices = nn.ParameterList(
            nn.Parameter(torch.zeros(n, n)) for n in layers if arguments.reparametrised
        )
        widths = [arguments.grid_channels, *arguments.upsampler] * bool(grid)
        kernels = [KERNELS[0], *[KERNELS[1]] * len(arguments.upsampler)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel, padding=kernel // 2)
            for i, o, kernel in zip(widths[:-1], widths[1:], kernels, strict=False)
        )
        self.features: Tensor
        self.register_buffer("features", fourier_features(arguments), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Pictures (n, side^2, 3), nominally in [0, 1], of latents z (n, dim)."""
        *layers, grid = (self.mean + self.log_scale.exp() * z).split(self.arguments.sizes, dim=1)
        x = self.features.to(z.dtype).expand(len(z), -1, -1)
        if self.arguments.grid_channels:
            x = torch.cat([x, self._encoding(grid)], dim=2)
        for layer in range(len(layers)):
            weights = self._weights(layer, layers[layer])
            x = torch.baddbmm(weights[:, :1], x.sin() if layer else x, weights[:, 1:])
        return x + 0.5

    def _weights(self, layer: int, latents: Tensor) -> Tensor:
        """The weights of a layer, (n, inputs, outputs), that of the constant first."""
        inputs, outputs = self.arguments.shapes[layer]
        variance = (6 if layer < len(self.arguments.hidden) else 1) / inputs
        if self.matrices:
            latents = latents + latents @ self.matrices[layer] / math.sqrt(inputs * outputs)
        return math.sqrt(variance) * latents.unflatten(1, (inputs, outputs))

    def _encoding(self, grid: Tensor) -> Tensor:
        """The learned positional encoding of each pixel, (n, side^2, channels)."""
        side = self.arguments.grid
        x = grid.unflatten(1, (-1, side, side)).contiguous(memory_format=torch.channels_last)
        for number, convolution in enumerate(self.convolutions):
            x = F.leaky_relu(x, SLOPE) if number else x
            if (factor := self.arguments.factors[number]) > 1:
                x = F.interpolate(x, scale_factor=factor, mode="nearest")
            x = convolution(x)
        return x.permute(0, 2, 3, 1).flatten(1, 2)


def fourier_features(arguments: InrArguments) -> Tensor:
    """cos(pi w p) and sin(pi w p) for both coordinates p of each pixel, (side^2, 4 frequencies)."""
    centres = (2 * torch.arange(arguments.side, dtype=torch.float64) + 1) / arguments.side - 1
    points = torch.cartesian_prod(centres, centres)
    powers = torch.linspace(0, 1, arguments.frequencies, dtype=torch.float64)
    angles = math.pi * HIGHEST_FREQUENCY**powers * points[..., None]
    return torch.cat([angles.cos(), angles.sin()], dim=2).flatten(1).float()


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
