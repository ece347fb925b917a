"""Dithered (universal) quantisation: the baseline for targets whose scale the receiver knows.

    Delta = width of the dimension, u = shared uniform
    k = round(mean / Delta - u)                               sent
    z = Delta (k + u)                                         uniform on mean +- Delta / 2

A Gaussian is a mixture of such uniforms: with V of chi^2 law with 3 degrees of freedom and shared,
Delta = 2 scale sqrt(V) gives z ~ N(mean, scale^2) exactly.

Sources: Ziv, "On universal quantization" (1985); Agustsson & Theis, "Universally quantized neural
compression" (NeurIPS 2020); for the random width, Wilson, "Layered multishift coupling" (2000).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS, POSITION_BITS, quantile
from recvae.rec.code import Code, Coder, SearchResult
from recvae.rec.devices import all_hold, constant
from recvae.rec.normal import log2_mass
from recvae.rec.randomness import MAX_BLOCK, shared_keys, shared_uniforms
from recvae.rec.target import DiagonalGaussian

MIN_SCALE, MAX_SCALE = 2.0**-20, 16.0
MAX_MEAN = 64.0


@dataclass(frozen=True)
class DitheredQuantisation(Coder):
    """Sends the integers k of the pseudocode above as bins (batch, dim, 1); all ranks are 0.

    Needs no private randomness: a code depends only on its item's mean and key.

    Args:
        scale: standard deviation of each dimension, the same for all targets, in [2^-20, 16]; the
            receiver must know it.
        noise: "gaussian" for samples of the target's law; "uniform" for fewer bits and uniform
            samples with the target's mean and variance.
        block: names this block of latents within an item, in [0, 2^32): blocks draw independently.

    Raises:
        ValueError: if an argument is out of range.
    """

    scale: tuple[float, ...]
    noise: Literal["gaussian", "uniform"] = "gaussian"
    block: int = 0

    def __post_init__(self) -> None:
        if not self.scale or not all(MIN_SCALE <= scale <= MAX_SCALE for scale in self.scale):
            raise ValueError(f"scale: got {self.scale}, need one in [2^-20, 16] for each dimension")
        if self.noise not in ("gaussian", "uniform"):
            raise ValueError(f"noise: got {self.noise!r}, need 'gaussian' or 'uniform'")
        if not 0 <= self.block <= MAX_BLOCK:
            raise ValueError(f"block: got {self.block}, need an integer in [0, 2^32)")

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return len(self.scale)

    def search(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> SearchResult:
        """See `Coder.search`: one candidate a dimension, fields (batch, dim).

        Raises:
            ValueError: if a target's scale differs from the coder's, or a mean is beyond +-64.
        """
        self._check_dim("target", target.dim)
        scale = constant(self.scale, target.scale.dtype, target.scale.device)
        scale_fits, mean_fits = all_hold(target.scale == scale, target.mean.abs() <= MAX_MEAN)
        if not scale_fits:
            raise ValueError("scale: got a target with another scale, need the coder's")
        if not mean_fits:
            raise ValueError(f"mean: got one beyond +-{MAX_MEAN:.0f}, need less")
        width, dither = self._dither(key, target.batch, target.mean.device)
        with torch.no_grad():
            k = torch.round(target.mean.double() / width - dither).long()
        ranks = torch.zeros_like(k)
        capped = torch.zeros_like(k, dtype=torch.bool)
        return SearchResult(Code(k[..., None], ranks), torch.ones_like(k), capped)

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """See `Coder.decode`; float64 operations that IEEE 754 rounds in one way only."""
        width, place = self._place(code, key)
        return torch.round(width * place * 2.0**FRACTION_BITS).long()

    def bin_bits(self, code: Code, key: int | Tensor) -> Tensor:
        """-log2 P[Delta (k + u - 1/2) < Z < Delta (k + u + 1/2)] under Z ~ N(0, 1), summed.

        Given u and Delta these are the probabilities of k under the prior.
        """
        width, place = self._place(code, key)
        return -log2_mass(width * (place - 0.5), width * (place + 0.5)).sum(1)

    def _dither(self, key: int | Tensor, batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Delta and u, (batch, dim) float64 each, by exact or correctly rounded operations."""
        block_key = shared_keys(key, batch, device, self.block)
        bins = torch.arange(self.dim, device=device).expand(batch, self.dim)
        words = shared_uniforms(block_key, bins, torch.zeros_like(bins), dim=4)
        dither = (words[..., 0].double() + 0.5) * 2.0**-POSITION_BITS
        scale = constant(self.scale, torch.float64, device)
        if self.noise == "uniform":
            return (math.sqrt(12) * scale).expand(batch, self.dim), dither
        # |z| < 6.4 in units of 2^-28, so the sum of three squares is below 2^63; + 1 avoids 0.
        squares = quantile(words[..., 1:]).square()
        chi_square = squares[..., 0] + squares[..., 1] + squares[..., 2] + 1
        return 2 * scale * torch.sqrt(chi_square.double()) * 2.0**-FRACTION_BITS, dither

    def _place(self, code: Code, key: int | Tensor) -> tuple[Tensor, Tensor]:
        """Delta and k + u of a code, (batch, dim) float64 each."""
        self._check_dim("code", code.ranks.shape[-1])
        if code.bins.shape[1:] != (self.dim, 1):
            given = f"shape {tuple(code.bins.shape)}"
            raise ValueError(f"bins: got {given}, need (batch, {self.dim}, 1)")
        if bool((code.ranks != 0).any()):
            raise ValueError("ranks: got one that is not 0, need all 0")
        width, dither = self._dither(key, len(code.bins), code.bins.device)
        place = code.bins[..., 0].double() + dither
        # |z - mean| is at most half a width, up to rounding.
        if not bool((place.abs() <= MAX_MEAN / width + 1).all()):
            raise ValueError(f"bins: got one out of range, need means within +-{MAX_MEAN:.0f}")
        return width, place

    def _check_dim(self, field: str, dim: int) -> None:
        if dim != self.dim:
            raise ValueError(f"{field}: got dim {dim}, need scale's, {self.dim}")
