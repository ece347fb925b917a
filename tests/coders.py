"""Every relative entropy coder, made for a target: what the tests of `recvae.rec` run through."""

from collections.abc import Callable

import torch
from torch import Tensor

from recvae.exact.gaussian import to_float
from recvae.rec import (
    GPRS,
    MRC,
    ORC,
    PFR,
    AStar,
    BranchAndBoundGPRS,
    Coder,
    DiagonalGaussian,
    DitheredQuantisation,
    PartitionedORC,
    PartitionedPFR,
    Search,
    allocate_intervals,
)

Factory = Callable[[DiagonalGaussian], Coder]


def partition_of(target: DiagonalGaussian):
    """As many bins as the mean KL says, shared by the mean KL of the dimensions."""
    information_bits = target.kl_bits().mean(0)
    return allocate_intervals(information_bits.tolist(), min(float(information_bits.sum()), 62.0))


EXACT: dict[str, Factory] = {
    "PFR": lambda target: PFR(target.dim),
    "partitioned PFR, sup": lambda target: PartitionedPFR(partition_of(target)),
    "partitioned PFR, mass": lambda target: PartitionedPFR(partition_of(target), "mass"),
    "GPRS": lambda target: GPRS(target.dim),
    "A*": lambda target: AStar(target.dim),
    "branch-and-bound GPRS": lambda target: BranchAndBoundGPRS(target.dim),
    "dithered quantisation": lambda target: DitheredQuantisation(tuple(target.scale[0].tolist())),
}
APPROXIMATE: dict[str, Factory] = {
    "ORC": lambda target: ORC(target.dim, 1 << 11),
    "MRC": lambda target: MRC(target.dim, 1 << 11),
    "partitioned ORC": lambda target: PartitionedORC(partition_of(target), 1 << 11),
}
ALL = EXACT | APPROXIMATE


def same_target(mean, scale, items: int, dtype=torch.float32) -> DiagonalGaussian:
    """One target, `items` times."""
    mean, scale = (torch.tensor(x, dtype=dtype).expand(items, len(x)) for x in (mean, scale))
    return DiagonalGaussian(mean, scale)


def random_target(items: int, information_bits, seed: int = 0) -> DiagonalGaussian:
    """Posteriors of a channel that carries information_bits[d] in dimension d: one scale each.

    Without the outermost of them: over all, the mean of 2^D_inf is infinite.
    """
    scale = torch.exp2(-torch.tensor(information_bits)).expand(items, -1)
    noise = torch.randn(scale.shape, generator=seeded(seed)).clamp(-2.2, 2.2)
    return DiagonalGaussian((1 - scale.square()).sqrt() * noise, scale)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def search(coder: Coder, target: DiagonalGaussian, seed: int = 1) -> tuple[Search, Tensor]:
    """What is found, each item with a key of its own, and the decoded samples, standardised."""
    key = torch.arange(target.batch) * 1_000_003 - 5
    found = coder.search(target, key, seeded(seed))
    z = to_float(coder.decode(found.code, key), torch.float64)
    return found, (z - target.mean) / target.scale
