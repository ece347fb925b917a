"""Rate and distortion of posteriors fitted to each picture, without a coder."""

import numpy as np

from recvae.codec.image_coder import Pixels
from recvae.codec.inr.coder import synthesise, to_network
from recvae.codec.inr.model import GROUP_SIZE, InrModel
from recvae.codec.inr.sender import FIRST_RATE, start_fit
from recvae.images.psnr import psnr_db


def ideal_point(model: InrModel, pictures: Pixels) -> tuple[float, float]:
    """KL in bits per pixel, and PSNR in dB of decoded posterior samples.

    Means over pictures (n, side, side, 3) uint8. The posteriors are fitted to each picture for as
    many steps as a sender takes in all, with no latent fixed but those that no block holds.
    """
    effort, blocks = model.effort, len(model.shared.layout.lengths)
    steps = effort.first_steps + (blocks - 1) * effort.block_steps
    bits, decibels = [], []
    for start in range(0, len(pictures), GROUP_SIZE):
        some = pictures[start : start + GROUP_SIZE]
        fit = start_fit(model.shared, to_network(some).to(model.shared.network.mean.device))
        fit.run(steps, FIRST_RATE)
        bits.append(fit.block_bits().sum(1).double().cpu().numpy())
        decibels.append(psnr_db(synthesise(model.shared, fit.draw()), some))
    pixels = pictures[0, ..., 0].size
    return float(np.concatenate(bits).mean() / pixels), float(np.concatenate(decibels).mean())
