"""A first guess of the posteriors of a picture's latents (amortised inference).

A receiver does not need it.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recvae.inr.network import COLOURS, InrArguments

MAX_MEAN = 6.0
MIN_LOG_SCALE, MAX_LOG_SCALE = -8.0, 1.0
COARSEST = 4  # side of the last maps, pixels
POOLED = 2  # side of the maps that the weights are guessed from
HIDDEN = 256  # width of the layer between these and the weights
FIRST_GAIN, FIRST_RESIDUAL_GAIN = 0.1, 0.2  # of the heads and of residual blocks, at first


class Encoder(nn.Module):
    """From pictures (n, 3, side, side) in [0, 1] to mean and log scale of z, each (n, dim).

    Args:
        arguments: of the network whose latents they are.
        width: channels of the first maps, doubled at each halving, to at most four times as many.
        blocks: residual blocks at each resolution.
    """

    def __init__(self, arguments: InrArguments, width: int, blocks: int) -> None:
        super().__init__()
        self.arguments = arguments
        sides = [arguments.side]
        while sides[-1] > COARSEST:
            sides.append(sides[-1] // 2)
        widths = [COLOURS, *(width * min(2**k, 4) for k in range(len(sides) - 1))]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 4, 2, 1), *(_Block(o) for _ in range(blocks)))
            for i, o in pairwise(widths)
        )
        *layers, _ = arguments.sizes
        self.weights_head = nn.Sequential(
            nn.Linear(widths[-1] * POOLED**2, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 2 * sum(layers))
        )
        heads = [self.weights_head[-1]]
        if arguments.grid_channels:
            # The grid is guessed from the coarsest maps that are not coarser than it.
            self.grid_stage = sum(side >= arguments.grid for side in sides[1:]) - 1
            self.grid_head = nn.Conv2d(widths[self.grid_stage + 1], 2 * arguments.grid_channels, 1)
            heads.append(self.grid_head)
        for head in heads:
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
            head.weight.data.mul_(FIRST_GAIN)  # type: ignore[operator]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Guess mean and log scale of each latent."""
        x, maps = pictures - 0.5, []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        pooled = F.adaptive_avg_pool2d(F.silu(x), POOLED)
        guess = self.weights_head(pooled.flatten(1)).unflatten(1, (2, -1))
        if self.arguments.grid_channels:
            grid = F.adaptive_avg_pool2d(maps[self.grid_stage], self.arguments.grid)
            own = self.grid_head(grid).unflatten(1, (2, -1)).flatten(2)
            guess = torch.cat([guess, own], dim=2)
        mean, log_scale = guess.float().unbind(1)
        bounded = MAX_MEAN * torch.tanh(mean / MAX_MEAN)
        return bounded, log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        second.weight.data.mul_(FIRST_RESIDUAL_GAIN)
        self.body = nn.Sequential(nn.SiLU(), first, nn.SiLU(), second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
