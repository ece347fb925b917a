"""The bound that a file is measured against: -ELBO with the decoder that really decodes."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from recvae.codec.report import CompressionReport
from recvae.codec.vae.groups import code_pixels, pixel_bits
from recvae.codec.vae.model import CodecModel
from recvae.exact import FRACTION_BITS
from recvae.vae.information import posterior

PRIOR_LIMIT = 6.3  # the prior's law has no atoms beyond 6.4
SEED = 1


def negative_elbo_bits(
    model: CodecModel,
    images: Tensor,
    batch: int = 256,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """-ELBO of each image (n, h, w) in bits, with one true posterior sample and the exact decoder.

    What coding costs on top of it is the overhead of relative entropy coding and of the container.
    """
    generator = generator or torch.Generator().manual_seed(SEED)
    total = [np.zeros(0)]
    for part in images.split(batch):
        target = posterior(model.encoder, part)
        noise = torch.randn(target.mean.shape, generator=generator)
        z = target.mean.cpu() + target.scale.cpu() * noise
        fixed = torch.round(z.double().clamp(-PRIOR_LIMIT, PRIOR_LIMIT) * 2.0**FRACTION_BITS)
        pixels = pixel_bits(code_pixels(model, fixed.long(), part), len(part))
        total.append(target.kl_bits().sum(1).cpu().numpy() + pixels)
    return np.concatenate(total)


class NegativeElbo:
    """The sum of -ELBO in bits, `total_bits`, over images that pass on their way to a file."""

    def __init__(self, model: CodecModel, batch: int = 256) -> None:
        self.total_bits = 0.0
        self._model, self._batch = model, batch
        self._generator = torch.Generator().manual_seed(SEED)

    def over(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the chunks, uint8 (k, h, w), and count them."""
        for chunk in chunks:
            images = torch.from_numpy(np.array(chunk))
            bits = negative_elbo_bits(self._model, images, self._batch, self._generator)
            self.total_bits += float(bits.sum())
            yield chunk

    def facts(self, report: CompressionReport) -> dict[str, float]:
        """-ELBO and the overhead of the images' file over it, both in bits per pixel."""
        bound_bpp = self.total_bits / max(report.num_pixels, 1)
        return {
            "negative_elbo_bpp": round(bound_bpp, 5),
            "overhead_bpp": round(report.bits_per_pixel - bound_bpp, 5),
        }
