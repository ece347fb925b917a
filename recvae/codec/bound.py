"""The bound that a file is measured against: -ELBO with the decoder that decodes the file."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.codec.report import CompressionReport

if TYPE_CHECKING:
    import torch

BOUND_SEED = 1


class NegativeElbo:
    """The sum of -ELBO in bits, `total_bits`, over images as they pass through to a file."""

    def __init__(self, model: ImageCoder, batch: int = 256) -> None:
        self.total_bits = 0.0
        self._model, self._batch = model, batch

    def over(self, chunks: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the chunks of images unchanged and add them up. InputError if there is no ELBO."""
        for chunk in chunks:
            bits = self._model.negative_elbo_bits(chunk, self._batch, self._generator)
            self.total_bits += float(bits.sum())
            yield chunk

    @cached_property
    def _generator(self) -> "torch.Generator":
        import torch

        return torch.Generator().manual_seed(BOUND_SEED)

    def as_dict(self, report: CompressionReport) -> dict[str, float]:
        """-ELBO and the overhead of the images' file over it, both in bits per pixel."""
        bound_bpp = self.total_bits / max(report.num_pixels, 1)
        return {
            "negative_elbo_bpp": round(bound_bpp, 5),
            "overhead_bpp": round(report.bits_per_pixel - bound_bpp, 5),
        }
