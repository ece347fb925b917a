"""Refines posteriors for given pictures: offsets to the encoder's output, by gradient descent."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recvae.hierarchy.network import MAX_MEAN, MIN_LOG_SCALE, Hierarchy
from recvae.hierarchy.quality import price_at
from recvae.vae.objective import NATS_PER_BIT, kl_nats

LEARNING_RATE = 0.03

Offsets = Sequence[tuple[Tensor, Tensor]]
"""For each layer, the offsets to mean and log scale of its posterior."""


def shifted(
    mean: Tensor, log_scale: Tensor, offset: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Add an offset to a posterior, clamped to the valid range."""
    return (
        (mean + offset[0]).clamp(-MAX_MEAN, MAX_MEAN),
        (log_scale + offset[1]).clamp(MIN_LOG_SCALE, 0),
    )


def find_offsets(network: Hierarchy, pixels: Tensor, position: Tensor, steps: int) -> Offsets:
    """Offsets that lower squared error + lambda * KL of each picture, by `steps` steps of Adam.

    The encoder still sees what was sampled before, layer by layer, so that later layers correct the
    noise of earlier ones, which independent means could not.

    Args:
        network: its weights do not change.
        pixels: (n, 3, h, w) in [0, 1].
        position: each picture's quality, (n,).
        steps: steps of Adam.
    """
    zeros = [
        torch.zeros((len(pixels), *shape), device=pixels.device)
        for shape in network.shapes(*pixels.shape[2:])
    ]
    offsets = [(zero, zero.clone()) for zero in zeros]
    parameters = [tensor.requires_grad_() for pair in offsets for tensor in pair]
    optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    generator = torch.Generator().manual_seed(0)
    price = price_at(position) / (NATS_PER_BIT * pixels[0, 0].numel())
    for _ in range(steps):
        rates: list[Tensor] = []

        def draw(mean: Tensor, log_scale: Tensor, rates: list[Tensor] = rates) -> Tensor:
            mean, log_scale = shifted(mean, log_scale, offsets[len(rates)])
            rates.append(kl_nats(mean, log_scale).sum((1, 2, 3)))
            noise = torch.randn(mean.shape[1:], generator=generator).to(mean.device)
            return mean + log_scale.exp() * noise  # the same for every picture, whatever its batch

        output = network(pixels, position, draw)[0]
        error = (output - pixels).square().mean((1, 2, 3))
        loss = (error / price + torch.stack(rates).sum(0)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return [(mean.detach(), log_scale.detach()) for mean, log_scale in offsets]
