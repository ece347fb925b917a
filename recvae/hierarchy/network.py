"""A hierarchical VAE of pictures of any size, one for all rates.

Upwards, an encoder makes maps of the picture at decreasing resolutions. Downwards, a state grows
from the coarsest to the finest; each latent layer adds its `n` to it. The prior of every `n` is
N(0, I), whatever the state, so rates are in standard units; the state only scales what `n` adds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recvae.errors import InputError

CONDITION_FEATURES = 16
MAX_MEAN = 6.0
MIN_LOG_SCALE = -8.0
MAX_GAIN = 4.0


@dataclass(frozen=True)
class HierarchyArguments:
    """Sizes of the networks.

    Fields:
        width: channels of all maps.
        layers: latent layers at each resolution, coarsest first; the finest has half the height
            and width of the picture, each coarser one half of those of the next. Few latents that
            carry much are cheaper to code than many that carry little, so the finest resolution
            may have none.
        channels: channels of `n` in the layers of each resolution.
        encoder_blocks: residual blocks of the encoder at each resolution.
        decoder_blocks: residual blocks after each latent layer.
        output_blocks: residual blocks at the finest resolution, after all layers.
    """

    width: int = 128
    layers: tuple[int, ...] = (1, 3, 0)
    channels: tuple[int, ...] = (16, 24, 1)
    encoder_blocks: tuple[int, ...] = (1, 3, 2)
    decoder_blocks: int = 1
    output_blocks: int = 3

    def __post_init__(self) -> None:
        for field in ("layers", "channels", "encoder_blocks"):
            values = tuple(getattr(self, field))
            object.__setattr__(self, field, values)
            least = 0 if field == "layers" else 1
            if not 1 <= len(values) <= 6 or not all(
                type(v) is int and least <= v <= 64 for v in values
            ):
                raise InputError(
                    f"architecture.{field} is {list(values)}; need 1 to 6 integers of {least} to 64"
                )
            if len(values) != len(tuple(self.layers)):
                raise InputError(
                    f"architecture.{field} has {len(values)} entries, layers has "
                    f"{len(tuple(self.layers))}"
                )
        if type(self.width) is not int or not 8 <= self.width <= 512:
            raise InputError(f"architecture.width is {self.width!r}; allowed: 8 to 512")
        for field in ("decoder_blocks", "output_blocks"):
            value = getattr(self, field)
            if type(value) is not int or not 1 <= value <= 8:
                raise InputError(f"architecture.{field} is {value!r}; allowed: 1 to 8")
        if not self.layers[0]:
            raise InputError(
                "architecture.layers begins with 0; the coarsest resolution needs at least one"
            )

    @property
    def stride(self) -> int:
        """Distance in pixels between positions of the coarsest resolution."""
        return 1 << len(self.layers)


class Condition(nn.Module):
    """Features of log lambda, for every residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(CONDITION_FEATURES, 64)
        self.second = nn.Linear(64, 64)

    def forward(self, position: Tensor) -> Tensor:
        """From positions (b,) in the range of qualities, 0 to 1, to features (b, 64)."""
        places = torch.linspace(0, 1, CONDITION_FEATURES, device=position.device)
        bumps = torch.exp(-((position[:, None] - places) * (CONDITION_FEATURES - 1)).square() / 2)
        return F.silu(self.second(F.silu(self.first(bumps))))


class Block(nn.Module):
    """A residual block of two 3x3 convolutions, scaled and shifted by the condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.condition = nn.Linear(64, 2 * width)
        _zero(self.second.weight, self.second.bias)
        nn.init.normal_(self.condition.weight, std=0.01)
        _zero(self.condition.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """From (b, width, h, w) and features (b, 64) to the same shape."""
        scale, shift = self.condition(condition)[:, :, None, None].chunk(2, dim=1)
        hidden = self.first(F.silu(x)) * (1 + scale) + shift
        return x + self.second(F.silu(hidden))


class LatentLayer(nn.Module):
    """A layer of latents: its posterior, and the contribution of its `n` to the state."""

    def __init__(self, width: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(2 * width, width, 1)
        self.look = nn.Conv2d(width, width, 3, padding=1)
        self.condition = nn.Linear(64, width)
        self.posterior = nn.Conv2d(width, 2 * channels, 1)
        self.gain = nn.Conv2d(width, channels, 1)
        self.add = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList([Block(width) for _ in range(blocks)])
        _zero(self.posterior.bias, self.gain.weight, self.gain.bias)

    def infer(self, state: Tensor, features: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale (at most 0) of the posterior of `n`, (b, channels, h, w) float32."""
        hidden = F.silu(self.join(torch.cat([state, features], dim=1)))
        hidden = F.silu(self.look(hidden) + self.condition(condition)[:, :, None, None])
        mean, raw = self.posterior(hidden).float().chunk(2, dim=1)
        # Means stay where the prior has candidates. Scales start at about 0.4: all layers carry.
        return MAX_MEAN * torch.tanh(mean / MAX_MEAN), -F.softplus(raw + 0.5).clamp_max(
            -MIN_LOG_SCALE
        )

    def take(self, state: Tensor, n: Tensor, condition: Tensor) -> Tensor:
        """The state after this layer."""
        gain = MAX_GAIN * torch.tanh(self.gain(state) / MAX_GAIN)  # bounds states
        state = state + self.add(n * (1 + gain))
        for block in self.blocks:
            state = block(state, condition)
        return state


class Hierarchy(nn.Module):
    """Encoder and decoder. Pixels are (b, 3, h, w) in [0, 1], h and w multiples of the stride."""

    def __init__(self, arguments: HierarchyArguments) -> None:
        super().__init__()
        self.arguments = arguments
        width, coarse = arguments.width, len(arguments.layers) - 1
        self.condition = Condition()
        self.stem = nn.Conv2d(12, width, 3, padding=1)
        encoder = [[Block(width) for _ in range(count)] for count in arguments.encoder_blocks]
        self.encoder = cast("Sequence[Sequence[Block]]", nn.ModuleList(map(nn.ModuleList, encoder)))
        self.down = nn.ModuleList([nn.Conv2d(4 * width, width, 1) for _ in range(coarse)])
        self.start = nn.Parameter(torch.zeros(width))
        layers = nn.ModuleList(
            LatentLayer(width, channels, arguments.decoder_blocks)
            for count, channels in zip(arguments.layers, arguments.channels, strict=True)
            for _ in range(count)
        )
        self.layers = cast("Sequence[LatentLayer]", layers)
        self.up = nn.ModuleList([nn.Conv2d(width, 4 * width, 1) for _ in range(coarse)])
        self.output = nn.ModuleList([Block(width) for _ in range(arguments.output_blocks)])
        self.out = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.normal_(self.out.weight, std=0.01)
        _zero(self.out.bias)
        self.resolution = [r for r, count in enumerate(arguments.layers) for _ in range(count)]

    def encode(self, pixels: Tensor, condition: Tensor) -> list[Tensor]:
        """Maps (b, width, h, w) of the picture at each resolution, coarsest first."""
        x = self.stem(F.pixel_unshuffle(2 * pixels - 1, 2))
        maps = []
        for level in range(len(self.encoder) - 1, -1, -1):
            for block in self.encoder[level]:
                x = block(x, condition)
            maps.append(x)
            if level:
                x = self.down[level - 1](F.pixel_unshuffle(x, 2))
        return maps[::-1]

    def begin(self, count: int, height: int, width: int) -> Tensor:
        """The state before the first layer, for `count` pictures of height x width pixels."""
        stride = self.arguments.stride
        start = self.start[None, :, None, None]
        state = start.expand(count, -1, height // stride, width // stride)
        return state.contiguous(memory_format=torch.channels_last)

    def rise(self, layer: int, state: Tensor) -> Tensor:
        """The state at the resolution of this layer, given the state after the previous one."""
        return self._raise(
            state, self.resolution[layer - 1] if layer else 0, self.resolution[layer]
        )

    def finish(self, state: Tensor, condition: Tensor) -> Tensor:
        """The picture, (b, 3, h, w) float32, nominally in [0, 1]."""
        x = self._raise(state, self.resolution[-1], len(self.up))
        for block in self.output:
            x = block(x, condition)
        return F.pixel_shuffle(self.out(F.silu(x)).float(), 2) / 2 + 0.5

    def _raise(self, state: Tensor, start: int, stop: int) -> Tensor:
        for resolution in range(start, stop):
            state = F.pixel_shuffle(self.up[resolution](state), 2)
        return state

    def forward(
        self, pixels: Tensor, position: Tensor, draw: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Reconstruct pictures through a draw from each layer's posterior.

        Args:
            pixels: (b, 3, h, w).
            position: each picture's position in the range of qualities, 0 to 1, (b,).
            draw: from mean and log scale of a layer to its `n`.

        Returns:
            the pictures, and means and log scales of all layers.
        """
        state, condition, means, log_scales = self.descend(pixels, position, draw)
        return self.finish(state, condition), means, log_scales

    def descend(
        self, pixels: Tensor, position: Tensor, draw: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """As `forward`, but return the state after the last layer and condition, no pictures."""
        condition = self.condition(position)
        maps = self.encode(pixels, condition)
        state = self.begin(len(pixels), *pixels.shape[2:])
        means, log_scales = [], []
        for index, layer in enumerate(self.layers):
            state = self.rise(index, state)
            mean, log_scale = layer.infer(state, maps[self.resolution[index]], condition)
            state = layer.take(state, draw(mean, log_scale).to(state.dtype), condition)
            means.append(mean)
            log_scales.append(log_scale)
        return state, condition, means, log_scales

    def region_of(self, layer: int) -> int:
        """Side of the area of a position of the coarsest resolution, in positions of a layer."""
        return 1 << self.resolution[layer]

    def shapes(self, height: int, width: int) -> Iterator[tuple[int, int, int]]:
        """Channels, height and width of `n` in each layer."""
        for resolution in self.resolution:
            step = self.arguments.stride >> resolution
            yield self.arguments.channels[resolution], height // step, width // step


def _zero(*parameters: Tensor | None) -> None:
    """Initialise with 0; the type of a bias allows None, which does not occur."""
    for parameter in parameters:
        if parameter is not None:
            nn.init.zeros_(parameter)
