"""A batch of targets through a coder and back: received samples and costs."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.exact import to_float
from recvae.rec import Coder, DiagonalGaussian, IndexCode, fit_bucket_code

FOLDS = 8


@dataclass(frozen=True, eq=False)
class Transmission:
    """The transmission of a batch of items by a coder.

    Args:
        target: (n, dim).
        ranks: (n, k) int64, the k ranks of each item.
        bin_bits: (n,) float64.
        z: (n, dim) float64, the decoded samples.
        num_drawn: (n,) int64, candidates of all dimensions together.
        capped: (n,) bool, whether a search ended at its cap.
        seconds: duration of the search, all items together.
    """

    target: DiagonalGaussian
    ranks: Tensor
    bin_bits: Tensor
    z: Tensor
    num_drawn: Tensor
    capped: Tensor
    seconds: float

    @property
    def kl_bits(self) -> Tensor:
        """KL[Q||P] of each item, (n,) float64, bits."""
        return self.target.kl_bits().sum(1)

    @property
    def standardised(self) -> Tensor:
        """(z - mean) / scale, (n, dim) float64: N(0, I) if the samples have the target's law."""
        return (self.z - self.target.mean) / self.target.scale

    @property
    def shortfall_bits(self) -> Tensor:
        """KL - log2 r(z), (n,) float64, in bits: its mean is 0 if samples have the target's law.

        Biased samples are likelier under the prior than the target's own: it is then positive.
        """
        return self.kl_bits - self.target.log2_ratio(self.z)

    def bits(self, code: IndexCode) -> Tensor:
        """Bits of each item, bins and ranks, (n,) float64."""
        return self.bin_bits + code.bits(self.ranks).sum(1)

    def fitted_bits(self) -> Tensor:
        """The same under bucket codes, each fitted to the items of the other folds."""
        limit = int(self.ranks.max()) + 1
        fold = torch.arange(len(self.ranks)) % FOLDS
        bits = self.bin_bits.clone()
        for mine in (fold == k for k in range(FOLDS)):
            code = fit_bucket_code(self.ranks[~mine].flatten(), limit)
            bits[mine] += code.bits(self.ranks[mine]).sum(1)
        return bits


def transmit(coder: Coder, target: DiagonalGaussian, generator: torch.Generator) -> Transmission:
    """Code and decode a sample of each target, each item with its own random key."""
    key = torch.randint(1 << 62, (target.batch,), generator=generator)
    started = time.perf_counter()
    found = coder.search(target, key, generator)
    seconds = time.perf_counter() - started
    return Transmission(
        target=target,
        ranks=found.code.ranks.reshape(target.batch, -1),
        bin_bits=coder.bin_bits(found.code, key),
        z=to_float(coder.decode(found.code, key), torch.float64),
        num_drawn=found.num_drawn.reshape(target.batch, -1).sum(1),
        capped=found.capped.reshape(target.batch, -1).any(1),
        seconds=seconds,
    )


def standard_error(x: Tensor) -> float:
    """Standard error of the mean of (n,) independent values."""
    return float(x.double().std() / len(x) ** 0.5)
