"""Sizes of other codecs, to compare rates with."""

from recvae.evaluation.reference_codecs import ReferenceSize, reference_sizes

__all__ = ["ReferenceSize", "reference_sizes"]
