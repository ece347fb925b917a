"""The decoder of the REC literature: an MLP with a beta-binomial likelihood per pixel.

The probability of value k of 0..255 under Beta-Binomial(255, a, b) is proportional to

    C(255, k) * G(a, k) * G(b, 255 - k),      G(a, k) = a (a + 1) ... (a + k - 1)

since the remaining factor does not depend on k. So with log a and log b on a grid, the logits of
all 256 values are two rows of one table plus a constant row: no integer log-gamma is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recvae.exact import PRECISION_BITS, frequencies
from recvae.vae.networks.arguments import argument
from recvae.vae.networks.decoder import Decoder, PixelBits, Spec
from recvae.vae.networks.encoders import MLPEncoder, MLPEncoderArguments
from recvae.vae.networks.layers import Dense
from recvae.vae.networks.passes import Passes
from recvae.vae.networks.registry import Network

LEVELS = 255
GRID_STEPS_PER_NAT = 16
GRID_LOG_LIMIT = 8.0  # a and b lie within exp(+-8)
TABLES = ("rising_factorials", "binomials")


def rising_factorial_table() -> Tensor:
    """log G(a, k) in nats for every a on the grid, (grid, 256) float64."""
    steps = torch.arange(int(2 * GRID_LOG_LIMIT * GRID_STEPS_PER_NAT) + 1, dtype=torch.float64)
    a = torch.exp(steps / GRID_STEPS_PER_NAT - GRID_LOG_LIMIT)
    factors = torch.log(a[:, None] + torch.arange(LEVELS, dtype=torch.float64))
    return torch.cat([torch.zeros(len(a), 1, dtype=torch.float64), factors.cumsum(1)], dim=1)


def log_binomials() -> Tensor:
    """log C(255, k) in nats, (256,) float64."""
    k = torch.arange(LEVELS + 1, dtype=torch.float64)
    whole = torch.lgamma(torch.tensor(LEVELS + 1.0, dtype=torch.float64))
    return whole - torch.lgamma(k + 1) - torch.lgamma(LEVELS + 1 - k)


def log_gamma(x: Tensor) -> Tensor:
    """log Gamma of x > 0 by Stirling's series from x + 4 on, to 1e-8 (1 + |result|) in float64.

    torch.lgamma and its gradient are scalar loops on CPU; this is a few vectorised operations, and
    makes a training step of the baseline several times faster.
    """
    y = x + 4
    inverse = 1 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square / 1260))
    stirling = (y - 0.5) * y.log() - y + 0.9189385332046727 + series
    return stirling - (x * (x + 1) * ((x + 2) * (x + 3))).log()


@dataclass(frozen=True)
class BetaBinomialArguments:
    """Arguments of `BetaBinomialDecoder`: the width of its hidden layer."""

    hidden: int = argument(200, 1, 4096)


class BetaBinomialDecoder(Decoder):
    """p(x|z) of independent beta-binomial pixels, z -> hidden -> 2 * height * width.

    Args:
        latent_dim: D, the number of latents.
        height, width: size of the images in pixels.
        arguments: see `BetaBinomialArguments`.
    """

    rising_factorials: Tensor
    binomials: Tensor

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: BetaBinomialArguments
    ) -> None:
        super().__init__(height, width)
        self.hidden = Dense(latent_dim, arguments.hidden)
        self.parameters_layer = Dense(arguments.hidden, 2 * height * width, relu=False)
        nn.init.normal_(self.parameters_layer.weight, std=0.01)
        with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
            tables = rising_factorial_table(), log_binomials()
        self.register_buffer("rising_factorials", tables[0], persistent=False)
        self.register_buffer("binomials", tables[1], persistent=False)

    def log_parameters(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """log a and log b of every pixel, each (b*h*w,)."""
        y = self.parameters_layer(self.hidden(z))
        log_a, log_b = y.reshape(len(z), 2, self.height * self.width).unbind(1)
        return log_a.flatten(), log_b.flatten()

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, h, w) uint8. Returns (b,)."""
        a, b = (
            y.float().clamp(-GRID_LOG_LIMIT, GRID_LOG_LIMIT).exp() for y in self.log_parameters(z)
        )
        k = pixels.flatten().float()
        log_p = (
            log_gamma(a + k)
            - log_gamma(a)
            + log_gamma(b + LEVELS - k)
            - log_gamma(b)
            + log_gamma(a + b)
            - log_gamma(a + b + LEVELS)
            + log_binomials().float().to(k.device)[pixels.flatten().long()]
        )
        return log_p.reshape(len(pixels), -1).sum(1)

    def passes(self, z: Tensor) -> Passes:
        """Code images in one pass; see `recvae.vae.networks.passes`."""
        rows_a, rows_b = self.grid_rows(z)
        zero_terms = self.zero_terms
        every = torch.arange(len(rows_a), device=z.device)
        symbols = yield self.pixel_pass(
            LEVELS + 1,
            lambda rows: self.rising_factorials[rows_a[rows]] + zero_terms[rows_b[rows]],
            every,
            lambda x: x,
        )
        return symbols.reshape(len(z), self.height, self.width)

    def grid_rows(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of `rising_factorials` and `zero_terms` whose sums are the logits, (b*h*w,)."""
        row_a, row_b = map(self._grid_row, self.log_parameters(z))
        return row_a, row_b

    @property
    def zero_terms(self) -> Tensor:
        """Contribution of b and the binomials to the logits, shaped like `rising_factorials`."""
        return self.rising_factorials.flip(1) + self.binomials  # k ones beside 255 - k zeros

    def extra_tensor_specs(self) -> dict[str, Spec]:
        """See `Decoder`: `rising_factorials` and `binomials`."""
        return {name: (torch.int32, tuple(getattr(self, name).shape)) for name in TABLES}

    def quantise_tables(self, one: int) -> None:
        """See `Decoder`: integers in units of 1 / `one` nats."""
        tables = {name: getattr(self, name) for name in TABLES}
        self.load_tables({k: torch.round(v * one).to(torch.int32) for k, v in tables.items()})

    def load_tables(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Decoder`.

        Raises ValueError unless they are int32 of the right shapes with entries below 2^22.
        """
        for name, (dtype, shape) in self.extra_tensor_specs().items():
            table = tensors[name]
            if table.dtype != dtype or table.shape != shape:
                raise ValueError(
                    f"tensor {name} is {table.dtype} {tuple(table.shape)}; needed: {dtype} {shape}"
                )
            if int(table.abs().max()) >= 1 << 22:
                raise ValueError(f"tensor {name} has entries of 2^22 or more")
            self.register_buffer(name, table)

    def pixel_cost_table(self, fraction_bits: int) -> PixelBits:
        """See `Decoder`: exactly the bits that the codec spends.

        The parameters a and b lie on a grid, so a table over all pairs of them, 68 MB, holds the
        cost of every pixel value; the frequencies of the other values are not computed.
        """
        zero_terms = self.zero_terms
        table = torch.stack(
            [
                PRECISION_BITS - frequencies(row + zero_terms, fraction_bits).log2()
                for row in self.rising_factorials
            ]
        )

        def pixel_bits(z: Tensor, pixels: Tensor) -> Tensor:
            rows_a, rows_b = self.grid_rows(z)
            bits = table[rows_a, rows_b, pixels.flatten().long()].double()
            return bits.reshape(len(z), -1).sum(1)

        return pixel_bits

    def _grid_row(self, log_parameter: Tensor) -> Tensor:
        steps = torch.floor(log_parameter * GRID_STEPS_PER_NAT / self.one + 0.5).long()
        origin = len(self.rising_factorials) // 2
        return (steps + origin).clamp(0, 2 * origin)


NETWORK = Network(
    "mlp",
    MLPEncoder,
    BetaBinomialDecoder,
    MLPEncoderArguments,
    BetaBinomialArguments,
    summary="VAE, beta-binomial pixels",
)
