"""The relative entropy coders by name: one list shared by models, tests and experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recvae.rec.branch_and_bound import AStar, BranchAndBoundGPRS
from recvae.rec.code import Coder
from recvae.rec.dithered import DitheredQuantisation
from recvae.rec.gprs import GlobalGPRS
from recvae.rec.orc import PartitionedORC
from recvae.rec.partition import Partition
from recvae.rec.pfr import PartitionedPFR


@dataclass(frozen=True)
class Setting:
    """The setting that a coder is made for.

    Args:
        partition: all ones for algorithms without partition.
        num_candidates: N for algorithms with a fixed number of candidates; for exact algorithms the
            cap, for each dimension if they code dimensions separately; None for the default cap.
        block: names the block of latents, in [0, 2^32).
        scale: scale of all targets by dimension, for algorithms whose receiver must know it.
    """

    partition: Partition
    num_candidates: int | None = None
    block: int = 0
    scale: tuple[float, ...] = ()


@dataclass(frozen=True)
class Algorithm:
    """A family of coders that differ only in their setting.

    Args:
        name: as in a model file.
        make: from a setting to its coder; raises ValueError for an unsupported setting.
        exact: whether samples have the target's law, except for searches that end at their cap.
        partitioned: whether it takes a partition that cuts dimensions.
        per_dimension: whether it codes each dimension separately, with a bin and a rank for each:
            bins (batch, dim, 1) and ranks (batch, dim); else (batch, dim) and (batch,).
    """

    name: str
    make: Callable[[Setting], Coder]
    exact: bool = False
    partitioned: bool = False
    per_dimension: bool = False

    def coder(self, setting: Setting) -> Coder:
        """The coder for a setting.

        Raises:
            ValueError: for a setting that the algorithm does not support.
        """
        if setting.partition.num_bins > 1 and not self.partitioned:
            bins = setting.partition.num_bins
            raise ValueError(f"partition: got {bins} bins, need one: {self.name} has no partition")
        if setting.num_candidates is None and not self.exact:
            raise ValueError(f"num_candidates: got none, need one for {self.name}")
        return self.make(setting)


ALGORITHMS: dict[str, Algorithm] = {}


def register_algorithm(algorithm: Algorithm) -> None:
    """Register an algorithm under its name. Raises ValueError if the name is taken."""
    if algorithm.name in ALGORITHMS:
        raise ValueError(f"name: got {algorithm.name!r}, need one that is not taken")
    ALGORITHMS[algorithm.name] = algorithm


def algorithm_named(name: str) -> Algorithm:
    """The algorithm of that name; raises ValueError, listing the known names, for others."""
    if name not in ALGORITHMS:
        raise ValueError(f"algorithm: got {name!r}, need one of {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def _candidates(setting: Setting) -> int:
    assert setting.num_candidates is not None  # see Algorithm.coder
    return setting.num_candidates


def _cap(setting: Setting) -> dict[str, Any]:
    given = setting.num_candidates
    return {"block": setting.block} | ({} if given is None else {"max_candidates": given})


for _algorithm in (
    Algorithm("PFR", lambda s: PartitionedPFR(s.partition, **_cap(s)), exact=True),
    Algorithm(
        "partitioned PFR, sup",
        lambda s: PartitionedPFR(s.partition, "sup", **_cap(s)),
        exact=True,
        partitioned=True,
    ),
    Algorithm(
        "partitioned PFR, mass",
        lambda s: PartitionedPFR(s.partition, "mass", **_cap(s)),
        exact=True,
        partitioned=True,
    ),
    Algorithm("GPRS", lambda s: GlobalGPRS(s.partition, **_cap(s)), exact=True),
    Algorithm("A*", lambda s: AStar(s.partition.dim, **_cap(s)), exact=True, per_dimension=True),
    Algorithm(
        "branch-and-bound GPRS",
        lambda s: BranchAndBoundGPRS(s.partition.dim, **_cap(s)),
        exact=True,
        per_dimension=True,
    ),
    Algorithm(
        "dithered quantisation",
        lambda s: DitheredQuantisation(s.scale, block=s.block),
        exact=True,
        per_dimension=True,
    ),
    Algorithm("ORC", lambda s: PartitionedORC(s.partition, _candidates(s), block=s.block)),
    Algorithm(
        "MRC", lambda s: PartitionedORC(s.partition, _candidates(s), ordered=False, block=s.block)
    ),
    Algorithm(
        "partitioned ORC",
        lambda s: PartitionedORC(s.partition, _candidates(s), block=s.block),
        partitioned=True,
    ),
):
    register_algorithm(_algorithm)
