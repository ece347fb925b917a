"""Dimension-wise mutual information between images and latents.

I(x; z_d) is bounded by, and in the literature on relative entropy coding estimated as, the mean of
KL[q(z_d|x) || p(z_d)] over the training set: the average cost of coding dimension d.
"""

import torch
from torch import Tensor, nn

from recvae.rec import DiagonalGaussian

# Matrix products of different shapes round differently. With one shape, an image's posterior, and
# so its file, does not depend on the images it is compressed with.
ENCODER_BATCH = 16


@torch.inference_mode()
def posterior(encoder: nn.Module, pixels: Tensor) -> DiagonalGaussian:
    """q(z|x) of images (n, h, w) uint8: mean and scale (n, D) float32, on the encoder's device."""
    device = next(encoder.parameters()).device
    means, scales = [], []
    for batch in pixels.split(ENCODER_BATCH):
        padding = batch.new_zeros(ENCODER_BATCH - len(batch), *batch.shape[1:])
        mean, log_scale = encoder(torch.cat([batch, padding]).to(device))
        means.append(mean[: len(batch)].float())
        scales.append(log_scale[: len(batch)].float().exp())
    return DiagonalGaussian(torch.cat(means), torch.cat(scales))


def mutual_information_bits(target: DiagonalGaussian) -> Tensor:
    """Mean KL of each dimension over posteriors (n, D), in bits, (D,) float64."""
    return target.kl_bits().mean(dim=0)
