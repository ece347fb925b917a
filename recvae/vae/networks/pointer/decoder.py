"""The pointer decoder: pixels depend on earlier ones, near and far, and on the values used so far.

Pixels are coded in raster order, each as one symbol or two: whether it is zero, given the latents
and the pixels around it; and, if it is not, its value. The value's law depends on the same pixels
in more detail, on the *memory* of all values that occurred in the image, and on two rounds of
attention (see `attention`) among the non-zero pixels. The last round also points: the probability
of a value grows with the attention of the pixel to pixels of that value.

    p(v) ~ exp(logit_v + gate [v occurred]) (1 + sum over heads h of exp(strength_h) share_h(v))

share_h(v) is the attention of head h to earlier pixels with the value v. The network suits images
that use few values, such as scans, drawings and label maps.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recvae.errors import InputError
from recvae.exact import FixedPoint
from recvae.vae.networks.arguments import argument
from recvae.vae.networks.context import causal_windows, neighbours
from recvae.vae.networks.decoder import PixelKernel
from recvae.vae.networks.layers import Dense, Embedding, Residual
from recvae.vae.networks.passes import Passes
from recvae.vae.networks.pointer.attention import MAX_STRENGTH, Attention, behind
from recvae.vae.networks.pointer.sampling import passes_in_floats
from recvae.vae.networks.pointer.tokens import Tokens, one_hot_before, windows
from recvae.vae.networks.upsampling import UpsamplingDecoder, known_columns

LEARNED_COLUMNS = 5  # of the vectors that represent a value
PLACE_COLUMNS = 7  # learned, of the vector for a row or a column
ROUNDS = 2  # of attention


@dataclass(frozen=True)
class PointerArguments:
    """Arguments of `PointerDecoder`.

    Fields:
        channels: width of the feature maps.
        flag_width, flag_blocks, flag_radius: width, residual blocks and context of the part that
            decides whether pixels are zero.
        width: width of the part that determines values; even, and a multiple of `heads`.
        radius: radius of its contexts.
        heads: heads of the attention.
        levels: number of grey levels; pixels are below it.
    """

    channels: int = argument(32, 1, 256)
    flag_width: int = argument(48, 1, 256)
    flag_blocks: int = argument(2, 1, 16)
    flag_radius: int = argument(4, 1, 8)
    width: int = argument(96, 1, 256)
    radius: int = argument(4, 1, 8)
    heads: int = argument(3, 1, 16)
    levels: int = argument(256, 3, 256)


class PointerDecoder(UpsamplingDecoder):
    """p(x|z) in raster order; see the module's docstring.

    Args:
        latent_dim: D, number of latents.
        height, width: size of the images in pixels.
        arguments: see `PointerArguments`.
    """

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: PointerArguments
    ) -> None:
        super().__init__(latent_dim, height, width, arguments.channels)
        self.arguments, levels = arguments, arguments.levels
        if arguments.width % arguments.heads or arguments.width % 2:
            raise InputError(
                f"decoder.width is {arguments.width}: it must be even and a multiple of "
                f"decoder.heads, {arguments.heads}"
            )
        flag_width, token_width = arguments.flag_width, arguments.width
        self.flag_values = Embedding(known_columns(levels), 0)
        near = self.flag_values.columns * len(
            neighbours(arguments.flag_radius, arguments.flag_radius + 1)
        )
        self.flag_join = Dense(near + arguments.channels, flag_width)
        self.flag_blocks = nn.Sequential(
            *(Residual(flag_width) for _ in range(arguments.flag_blocks))
        )
        self.flag = Dense(flag_width, 2, relu=False)
        self.values = Embedding(known_columns(levels), LEARNED_COLUMNS)
        columns = self.values.columns
        with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
            rows, across = (torch.arange(side)[:, None] / side for side in (height, width))
        self.rows, self.columns = Embedding(rows, PLACE_COLUMNS), Embedding(across, PLACE_COLUMNS)
        places = 2 * (1 + PLACE_COLUMNS)
        wide = len(neighbours(arguments.radius, arguments.radius + 1))
        inputs = wide * columns + flag_width + arguments.channels + places
        self.join = Dense(inputs, token_width)
        self.block = Residual(token_width)
        self.attention = nn.ModuleList(
            Attention(token_width, columns, places, arguments.heads) for _ in range(ROUNDS)
        )
        self.memory = Embedding(torch.zeros(levels, 0), token_width)
        self.last = Residual(token_width)
        self.law = Dense(token_width, levels + arguments.heads, relu=False)
        with torch.no_grad():
            self.memory.weight.mul_(0.1)
            self.law.weight.mul_(0.3)

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, h, w) uint8. Returns (b,)."""
        features, values = self.upsample(z), pixels.long()
        hidden = self._flag_hidden_of_all(values, features)
        flags = (values.flatten() > 0).long()
        log_p = -functional.cross_entropy(self.flag(hidden).float(), flags, reduction="none")
        result = log_p.reshape(len(pixels), -1).sum(1)
        if not flags.any():
            return result
        tokens = Tokens(values)
        logits = self._value_logits(tokens, values, hidden, features.flatten(0, 2))
        targets = (tokens.values - 1).clamp_min(0)
        log_p = -functional.cross_entropy(logits, targets, reduction="none")
        return result.index_add(0, tokens.images, torch.where(tokens.real, log_p, 0.0))

    def passes(self, z: Tensor) -> Passes:
        """Draw images pixel by pixel, in floats; in integers `pixel_kernel` codes them."""
        if self.one != 1:
            raise TypeError("a pointer decoder in integers has no passes, but a pixel_kernel")
        return passes_in_floats(self, z)

    def maps(self, z: Tensor) -> Tensor:
        """See `Decoder`: (n, h, w, c)."""
        return self.upsample(z)

    def pixel_kernel(self, number: FixedPoint) -> PixelKernel:
        """See `Decoder`."""
        from recvae.vae.networks.pointer.exact.coding import PointerKernel

        return PointerKernel(self, number)

    @property
    def rounds(self) -> list[Attention]:
        """The rounds of attention, in order."""
        return cast(list[Attention], list(self.attention))

    def flag_hidden(self, context: Tensor, features: Tensor) -> Tensor:
        """From (..., neighbours * columns) and (..., c) to (..., flag width)."""
        return self.flag_blocks(self.flag_join(torch.cat([context, features], dim=-1)))

    def places(self, rows: Tensor, columns: Tensor) -> Tensor:
        """From rows and columns (n,) to (n, place columns)."""
        return torch.cat([self.rows(rows), self.columns(columns)], dim=1)

    def enter(self, context: Tensor, hidden: Tensor, features: Tensor, places: Tensor) -> Tensor:
        """The states of pixels before attention, (n, width).

        Args:
            context: values of the pixels around, (n, neighbours).
            hidden: output of the part for zeros, (n, flag width).
            features: (n, c).
            places: (n, place columns).
        """
        vectors = self.values(context).flatten(1).to(hidden.dtype)
        return self.block(self.join(torch.cat([vectors, hidden, features, places], dim=1)))

    def law_logits(self, law: Tensor, seen: Tensor, pointed: Tensor) -> Tensor:
        """Logarithms of unnormalised probabilities of values 1 and up, (n, levels - 1).

        Args:
            law: output of the last layer, (n, levels + heads).
            seen: whether values occurred before, (n, levels), 0 or 1.
            pointed: sum over heads of strength times share, (n, levels).
        """
        levels = self.arguments.levels
        logits, gate = law[:, : levels - 1], law[:, levels - 1 : levels]
        return logits + gate * seen[:, 1:] + torch.log1p(pointed[:, 1:])

    def strengths(self, law: Tensor) -> Tensor:
        """Factors by which heads make what they point at more probable, (n, heads)."""
        return law[:, self.arguments.levels :].clamp(-MAX_STRENGTH, MAX_STRENGTH).exp()

    def _flag_hidden_of_all(self, values: Tensor, features: Tensor) -> Tensor:
        """From pixels (b, h, w) and maps (b, h, w, c) to (b * h * w, flag width)."""
        radius = self.arguments.flag_radius
        vectors = self.flag_values(values).detach().to(features.dtype)
        return self.flag_hidden(causal_windows(vectors, radius, radius + 1), features).flatten(0, 2)

    def _value_logits(
        self, tokens: Tokens, values: Tensor, hidden: Tensor, features: Tensor
    ) -> Tensor:
        """`law_logits` of tokens; values: (b, h, w); hidden and features: those of all pixels."""
        levels, dtype = self.arguments.levels, hidden.dtype
        places = self.places(tokens.rows, tokens.columns).to(dtype)
        own = self.values(tokens.values).to(dtype)
        x = self.enter(
            windows(values, tokens.sites, self.arguments.radius),
            hidden.index_select(0, tokens.sites),
            features.index_select(0, tokens.sites),
            places,
        )
        for attention in self.rounds:
            parts = (attention.queries(x, places), *attention.answers(x, places, own))
            shares, attended = [], []
            for queries, keys, answers in zip(*map(tokens.split, parts), strict=True):
                length = queries.shape[1]
                later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
                keys = behind(attention.none_key(keys), keys)
                shares.append(attention.shares(queries, keys, later))
                answers = behind(torch.zeros_like(answers[:, :1]), answers)
                attended.append(attention.attended(shares[-1], answers).flatten(0, 1))
            x = attention.learn(x, torch.cat(attended))
        earlier = [one_hot_before(part, levels, dtype) for part in tokens.split(tokens.values)]
        seen = torch.cat([hot.cumsum(1).clamp_max_(1).flatten(0, 1) for hot in earlier])
        law = self.law(self.last(x + seen @ self.memory.table.to(dtype))).float()
        pointed = []
        for share, hot, strengths in zip(
            shares, earlier, tokens.split(self.strengths(law)), strict=True
        ):
            mixed = (share * strengths.transpose(1, 2)[..., None].to(dtype)).sum(1)
            pointed.append((mixed @ hot).flatten(0, 1))
        return self.law_logits(law, seen.float(), torch.cat(pointed).float())
