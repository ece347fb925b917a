"""What a rate is compared with: the sizes that other codecs need."""

from recvae.evaluation.reference_codecs import ReferenceSize, reference_sizes

__all__ = ["ReferenceSize", "reference_sizes"]
