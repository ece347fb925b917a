"""Relative entropy coding: a sample of a Gaussian target, sent in about KL[Q||P] bits.

    coder = PartitionedORC(allocate_intervals(information_bits, 24.0), num_candidates=2**12)
    code = coder.encode(DiagonalGaussian(mean, scale), key, generator)
    z = coder.decode(code, key)                     # what encode selected, to the last bit
    bits = coder.partition.log2_bins + index_code.bits(code.ranks)

Knows tensors only: no image, network, file or configuration.
"""

from recvae.rec.code import Code, Coder
from recvae.rec.index_codes import (
    IndexCode,
    fit_bucket_code,
    fit_zeta_exponent,
    zeta_code,
    zeta_exponent,
)
from recvae.rec.orc import PartitionedORC
from recvae.rec.partition import Partition, allocate_intervals
from recvae.rec.target import DiagonalGaussian

__all__ = [
    "Code",
    "Coder",
    "DiagonalGaussian",
    "IndexCode",
    "Partition",
    "PartitionedORC",
    "allocate_intervals",
    "fit_bucket_code",
    "fit_zeta_exponent",
    "zeta_code",
    "zeta_exponent",
]
