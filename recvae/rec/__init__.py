"""Relative entropy coding: a sample of a Gaussian target, sent in about KL[Q||P] bits.

    coder = PartitionedORC(allocate_intervals(information_bits, 24.0), num_candidates=2**12)
    code = coder.encode(DiagonalGaussian(mean, scale), key, generator)
    z = coder.decode(code, key)                     # what encode selected, to the last bit
    bits = coder.partition.log2_bins + index_code.bits(code.ranks)

Depends on tensors only: no images, networks, files or configuration.
"""

from recvae.rec.algorithms import (
    ALGORITHMS,
    Algorithm,
    Setting,
    algorithm_named,
    register_algorithm,
)
from recvae.rec.branch_and_bound import AStar, BranchAndBoundGPRS
from recvae.rec.code import CappedSearchWarning, Code, Coder, Racing, SearchResult
from recvae.rec.dithered import DitheredQuantisation
from recvae.rec.gprs import GPRS, GlobalGPRS
from recvae.rec.index_codes import (
    IndexCode,
    elias_delta_code,
    fit_bucket_code,
    fixed_length_code,
)
from recvae.rec.layout import Block, balanced_blocks, plan_blocks
from recvae.rec.orc import MRC, ORC, PartitionedORC
from recvae.rec.partition import (
    Partition,
    allocate_intervals,
    collapsed_intervals,
    random_intervals,
)
from recvae.rec.partitioned import PartitionedCoder
from recvae.rec.pfr import PFR, PartitionedPFR
from recvae.rec.target import DiagonalGaussian
from recvae.rec.zeta import fit_zeta_exponent, zeta_code, zeta_exponent

__all__ = [
    "ALGORITHMS",
    "GPRS",
    "MRC",
    "ORC",
    "PFR",
    "AStar",
    "Algorithm",
    "Block",
    "BranchAndBoundGPRS",
    "CappedSearchWarning",
    "Code",
    "Coder",
    "DiagonalGaussian",
    "DitheredQuantisation",
    "GlobalGPRS",
    "IndexCode",
    "Partition",
    "PartitionedCoder",
    "PartitionedORC",
    "PartitionedPFR",
    "Racing",
    "SearchResult",
    "Setting",
    "algorithm_named",
    "allocate_intervals",
    "balanced_blocks",
    "collapsed_intervals",
    "elias_delta_code",
    "fit_bucket_code",
    "fit_zeta_exponent",
    "fixed_length_code",
    "plan_blocks",
    "random_intervals",
    "register_algorithm",
    "zeta_code",
    "zeta_exponent",
]
