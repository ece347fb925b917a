"""Every relative entropy coder, made for a target: what the tests of `recvae.rec` run through."""

from collections.abc import Callable

import torch
from torch import Tensor

from recvae.exact.gaussian import to_float
from recvae.rec import (
    ALGORITHMS,
    Algorithm,
    Coder,
    DiagonalGaussian,
    Partition,
    SearchResult,
    Setting,
    allocate_intervals,
)

Factory = Callable[[DiagonalGaussian], Coder]


def make_partition(target: DiagonalGaussian):
    """As many bins as the mean KL suggests, allocated by the mean KL of the dimensions."""
    information_bits = target.kl_bits().mean(0)
    return allocate_intervals(information_bits.tolist(), min(float(information_bits.sum()), 62.0))


def factory(algorithm: Algorithm) -> Factory:
    """Coders for a test: bins for the target, 2^11 candidates or their cap."""

    def make(target: DiagonalGaussian) -> Coder:
        partition = make_partition(target) if algorithm.partitioned else Partition.none(target.dim)
        candidates = None if algorithm.exact else 1 << 11
        scale = tuple(target.scale[0].tolist())
        return algorithm.coder(Setting(partition, candidates, scale=scale))

    return make


EXACT = {name: factory(it) for name, it in ALGORITHMS.items() if it.exact}
APPROXIMATE = {name: factory(it) for name, it in ALGORITHMS.items() if not it.exact}
ALL = EXACT | APPROXIMATE


def same_target(mean, scale, items: int, dtype=torch.float32) -> DiagonalGaussian:
    """One target, `items` times."""
    mean, scale = (torch.tensor(x, dtype=dtype).expand(items, len(x)) for x in (mean, scale))
    return DiagonalGaussian(mean, scale)


def random_target(items: int, information_bits, seed: int = 0) -> DiagonalGaussian:
    """Posteriors of a channel that carries information_bits[d] in dimension d: one scale each.

    Without the outermost ones, since the mean of 2^D_inf over all is infinite.
    """
    scale = torch.exp2(-torch.tensor(information_bits)).expand(items, -1)
    noise = torch.randn(scale.shape, generator=seeded(seed)).clamp(-2.2, 2.2)
    return DiagonalGaussian((1 - scale.square()).sqrt() * noise, scale)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def search(coder: Coder, target: DiagonalGaussian, seed: int = 1) -> tuple[SearchResult, Tensor]:
    """The results, each item with its own key, and the decoded samples, standardised."""
    key = torch.arange(target.batch) * 1_000_003 - 5
    found = coder.search(target, key, seeded(seed))
    z = to_float(coder.decode(found.code, key), torch.float64)
    return found, (z - target.mean) / target.scale
