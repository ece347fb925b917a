"""The causal decoder: each pixel sees the latents and the pixels around it that are known already.

Pixels are coded wavefront by wavefront (see `context`), over all images of a batch at once, in
one pass or two: zero or not; and, where there are more than two grey levels, the values of the
non-zero ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from recvae.vae.networks.arguments import argument
from recvae.vae.networks.context import Context, causal_windows, neighbours, runs, wavefronts
from recvae.vae.networks.encoders import ConvEncoder, ConvEncoderArguments
from recvae.vae.networks.layers import Dense, Embedding, Residual
from recvae.vae.networks.passes import Passes, PixelPass, piece_length
from recvae.vae.networks.registry import Network
from recvae.vae.networks.upsampling import Head, UpsamplingDecoder, known_columns

LEARNED_COLUMNS = 6  # of the vector that represents a value

Logits: TypeAlias = Callable[[slice], Tensor]


@dataclass(frozen=True)
class CausalArguments:
    """Arguments of `CausalDecoder`.

    Fields:
        channels: width of the feature maps.
        blocks: number of residual blocks after latents and context are joined.
        hidden: width of the head for values.
        radius: radius of the contexts.
        levels: number of grey levels; pixels are below it.
    """

    channels: int = argument(64, 1, 1024)
    blocks: int = argument(3, 0, 64)
    hidden: int = argument(128, 1, 4096)
    radius: int = argument(3, 0, 16)
    levels: int = argument(256, 2, 256)


class CausalDecoder(UpsamplingDecoder):
    """p(x|z) in wavefronts; see the module's docstring.

    Args:
        latent_dim: D, the number of latents.
        height, width: size of the images in pixels.
        arguments: see `CausalArguments`.
    """

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: CausalArguments
    ) -> None:
        channels, radius, levels = arguments.channels, arguments.radius, arguments.levels
        super().__init__(latent_dim, height, width, channels)
        self.radius, self.slope, self.levels = radius, radius + 1, levels
        self.values = Embedding(known_columns(levels), LEARNED_COLUMNS if levels > 2 else 0)
        self.neighbours = len(neighbours(radius, self.slope))
        self.inputs = self.neighbours * self.values.columns + channels
        self.join = Dense(self.inputs, channels)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(arguments.blocks)))
        self.zero = Dense(channels, 2, relu=False)
        if levels > 2:
            self.value = Head(channels, arguments.hidden, levels - 1)

    def hidden(self, context: Tensor, features: Tensor) -> Tensor:
        """Features of the logits: (..., neighbours * columns) and (..., c) to (..., c)."""
        return self.blocks(self.join(torch.cat([context, features], dim=-1)))

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, h, w) uint8. Returns (b,)."""
        features, values = self.upsample(z), pixels.long()
        vectors = self.values(values).to(features.dtype)
        hidden = self.hidden(causal_windows(vectors, self.radius, self.slope), features).flatten(
            0, 2
        )
        values = values.flatten()
        flags = (values > 0).long()
        log_p = -functional.cross_entropy(self.zero(hidden).float(), flags, reduction="none")
        result = log_p.reshape(len(pixels), -1).sum(1)
        if self.levels == 2:
            return result
        inked = flags.nonzero()[:, 0]
        logits = self.value(hidden.index_select(0, inked)).float()
        log_p = -functional.cross_entropy(logits, values[inked] - 1, reduction="none")
        return result.index_add(0, inked // (self.height * self.width), log_p)

    def passes(self, z: Tensor) -> Passes:
        """Code images pass by pass; see `recvae.vae.networks.passes`."""
        features, context = self.upsample(z).flatten(0, 2), self._context(z)
        pixels = torch.zeros(len(features), dtype=torch.long, device=z.device)
        for sites in self._wavefronts(z):
            hidden = self.hidden(context.around(sites), features.index_select(0, sites))
            values = flags = yield self._flags(sites, self.zero(hidden).__getitem__)
            if self.levels > 2:
                inked = flags.nonzero()[:, 0]
                symbols = yield self._values(
                    sites.index_select(0, inked), self._value_logits(hidden.index_select(0, inked))
                )
                values = flags.index_add(0, inked, symbols)
            context.fill(sites, values)
            pixels.index_copy_(0, sites, values)
        return pixels.reshape(len(z), self.height, self.width)

    def known_passes(self, z: Tensor, pixels: Tensor) -> Iterator[tuple[PixelPass, Tensor]]:
        """See `Decoder`; many wavefronts are evaluated at once."""
        features, context = self.upsample(z).flatten(0, 2), self._context(z)
        values = pixels.flatten().long()
        context.fill(torch.arange(len(values), device=z.device), values)
        for piece in runs(self._wavefronts(z), piece_length(max(self.inputs, self.levels))):
            sites = torch.cat(list(piece))
            hidden = self.hidden(context.around(sites), features.index_select(0, sites))
            sizes = [len(front) for front in piece]
            flags = (values[sites] > 0).long()
            fronts = zip(piece, flags.split(sizes), self.zero(hidden).split(sizes), strict=True)
            if self.levels > 2:
                counts = torch.stack([front.sum() for front in flags.split(sizes)]).tolist()
                at = flags.nonzero()[:, 0]
                inked, value_logits = sites[at].split(counts), self.value(hidden[at]).split(counts)
            for number, (front, ink, logits) in enumerate(fronts):
                yield self._flags(front, logits.__getitem__), ink
                if self.levels > 2:
                    step = self._values(inked[number], value_logits[number].__getitem__)
                    yield step, values[inked[number]] - 1

    def input_limit(self, path: str, limit: int) -> int | Tensor:
        """See `Decoder`; in the input of `join`, contexts hold entries of the table of values."""
        if path != "join":
            return limit
        column_limits = self.values.table.double().abs().amax(dim=0)
        feature_limits = column_limits.new_full((self.channels,), limit)
        return torch.cat([column_limits.repeat(self.neighbours), feature_limits])

    def _context(self, z: Tensor) -> Context:
        table = self.values(torch.arange(self.levels, device=z.device))
        return Context(table, (len(z), self.height, self.width), self.radius, self.slope)

    def _wavefronts(self, z: Tensor) -> tuple[Tensor, ...]:
        """The sites of each wavefront, ascending."""
        every = torch.arange(len(z) * self.height * self.width, device=z.device)
        return wavefronts(every, self.height, self.width, self.slope)

    def _value_logits(self, hidden: Tensor) -> Logits:
        return lambda rows: self.value(hidden[rows])

    def _flags(self, sites: Tensor, logits_at: Logits) -> PixelPass:
        return self.pixel_pass(2, logits_at, sites, lambda values: (values > 0).long())

    def _values(self, sites: Tensor, logits_at: Logits) -> PixelPass:
        return self.pixel_pass(self.levels - 1, logits_at, sites, lambda values: values - 1)


NETWORK = Network(
    "causal",
    ConvEncoder,
    CausalDecoder,
    ConvEncoderArguments,
    CausalArguments,
    summary="VAE, pixels see those before",
)
