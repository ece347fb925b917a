"""The block layout: which latents are coded together, and how finely each is cut.

Everything here is decided once, from the mutual information of each dimension over the training
set, and is a constant of the model: it costs no bits in files.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.rec.algorithms import Setting, algorithm_named
from recvae.rec.code import Coder
from recvae.rec.devices import constant
from recvae.rec.orc import PartitionedORC
from recvae.rec.partition import Partition, allocate_intervals
from recvae.rec.target import DiagonalGaussian

DEFAULT_ALGORITHM = "partitioned ORC"
# Dimensions with less are not cut: cutting them would waste bits and bias the samples.
MIN_INFORMATION_BITS = 0.1


@dataclass(frozen=True)
class Block:
    """Latents that are sent by one call of relative entropy coding.

    Args:
        dimensions: their indices, ascending.
        intervals: J_d of each of them.
        num_candidates: N of the search; for exact algorithms the cap.
        algorithm: its name in `rec.algorithms`; must use one bin and one rank for the whole block.

    Raises:
        ValueError: if the algorithm is unknown or cannot code such a block.
    """

    dimensions: tuple[int, ...]
    intervals: tuple[int, ...]
    num_candidates: int
    algorithm: str = DEFAULT_ALGORITHM

    def __post_init__(self) -> None:
        if len(self.intervals) != len(self.dimensions):
            raise ValueError("blocks: intervals and dimensions differ in number")
        if algorithm_named(self.algorithm).per_dimension:
            raise ValueError(
                f"algorithm: got {self.algorithm!r}, which codes each dimension separately: "
                "need one for whole blocks"
            )
        self.coder(0)

    def take(self, target: DiagonalGaussian) -> DiagonalGaussian:
        """Select this block's dimensions of the posteriors (n, D) of all latents."""
        return target[:, constant(self.dimensions, torch.int64, target.mean.device)]

    def coder(self, index: int) -> Coder:
        """The coder of this block, the `index`-th of its image."""
        setting = Setting(Partition(self.intervals), self.num_candidates, block=index)
        return algorithm_named(self.algorithm).coder(setting)


def balanced_blocks(information_bits: Tensor, num_blocks: int) -> list[tuple[int, ...]]:
    """Split dimensions (D,) into blocks of similar total information, taking large ones first.

    Raises ValueError unless 1 <= num_blocks <= D.
    """
    if not 1 <= num_blocks <= len(information_bits):
        raise ValueError(f"num_blocks is {num_blocks}; allowed: 1 to {len(information_bits)}")
    members: list[list[int]] = [[] for _ in range(num_blocks)]
    loads = [0.0] * num_blocks
    for d in torch.argsort(information_bits, descending=True, stable=True).tolist():
        # Ties (dimensions without information) go to the block with the fewest dimensions.
        lightest = min(range(num_blocks), key=lambda b: (round(loads[b], 3), len(members[b])))
        members[lightest].append(d)
        loads[lightest] += float(information_bits[d])
    return [tuple(sorted(block)) for block in members]


def plan_blocks(
    information_bits: Tensor,
    target: DiagonalGaussian,
    num_blocks: int,
    bins_per_information: float = 1.0,
    extra_bits: float = 2.0,
    max_log2_candidates: int = 16,
    algorithm: str = DEFAULT_ALGORITHM,
) -> list[Block]:
    """Plan a layout with `num_blocks` blocks.

    Args:
        information_bits: (D,) mutual information of each dimension.
        target: posteriors of training images, (n, D), which show how hard the search is.
        num_blocks: number of blocks.
        bins_per_information: log2 J of a block over its information; no dimension is cut if the
            algorithm has no partition.
        extra_bits: t in N = 2^(KL[Q||P'] + t), KL averaged over `target`.
        max_log2_candidates: upper limit of log2 N; for an exact algorithm, the cap.
        algorithm: the algorithm for the blocks.

    Raises:
        ValueError: if num_blocks does not fit, or the algorithm is unknown or not for blocks.
    """
    kind = algorithm_named(algorithm)
    blocks = []
    for dimensions in balanced_blocks(information_bits, num_blocks):
        information = information_bits[list(dimensions)]
        log2_bins = min(bins_per_information * float(information.sum()), 62.0)
        partition = allocate_intervals(
            information.tolist(), log2_bins if kind.partitioned else 0.0, MIN_INFORMATION_BITS
        )
        log2_candidates = float(max_log2_candidates)
        if not kind.exact:
            index = list(dimensions)
            part = DiagonalGaussian(target.mean[:, index], target.scale[:, index])
            search_bits = float(PartitionedORC(partition, 1).search_kl_bits(part).mean())
            log2_candidates = min(max(search_bits + extra_bits, 0.0), log2_candidates)
        num_candidates = round(2**log2_candidates)
        blocks.append(Block(dimensions, partition.intervals, num_candidates, algorithm))
    return blocks
