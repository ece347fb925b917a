"""The sender's posteriors of some pictures, fitted to each by gradient descent."""

import torch
from torch import Tensor
from torch.nn import functional as F

from recvae.codec.inr.layout import Layout
from recvae.inr.encoder import MIN_LOG_SCALE, Encoder
from recvae.inr.network import Inr
from recvae.vae.objective import NATS_PER_BIT, kl_nats

STEERING = 0.05  # largest change of log beta in a step
FULL_STEERING_AT = 0.2  # relative error of a block's KL from which on it changes by that much
MAX_LOG_BETA_CHANGE = 3.0
LEAST_BUDGET = 1e-9  # nats of a block: a model may state none
LEAST_ERROR = 1e-10  # of a picture: a network may reproduce a plain one exactly
SETTLED = 0.7  # share of the steps after which the learning rate falls


class Fit:
    """Posteriors of pictures, of which more and more latents are fixed to what was sent.

    Minimises squared error + sum over blocks of beta_b * KL_b for each picture. Every beta is
    steered so that its block keeps its budget.

    Source: He et al., RECOMBINER (ICLR 2024), section 4: a beta for each block, and fine-tuning of
    what is left after each block that is sent.

    Args:
        network: its weights do not change.
        pixels: the pictures, (n, side^2, 3) in [0, 1].
        layout: the blocks; latents that no block holds are fixed to 0.
        budget_bits: KL of each block, (blocks,).
        mean, log_scale: the posteriors to start from, (n, dim).
        log_beta: the logarithm of all betas to start from.

    Attributes:
        mean, log_scale: the posteriors, (n, dim).
        sent: z where `is_sent`, both (n, dim).
    """

    def __init__(
        self,
        network: Inr,
        pixels: Tensor,
        layout: Layout,
        budget_bits: Tensor,
        mean: Tensor,
        log_scale: Tensor,
        log_beta: float,
    ) -> None:
        self.network, self.pixels, self.layout = network, pixels, layout
        self.budget_bits = budget_bits.to(mean)
        self.mean, self.log_scale = mean.clone(), log_scale.clone()
        blocks = len(layout.lengths)
        block_of = torch.full((mean.shape[1],), blocks)
        for number, members in enumerate(layout.members):
            block_of[torch.from_numpy(members)] = number
        self.block_of = block_of.to(mean.device)
        self.is_sent = (self.block_of == blocks).expand_as(mean).clone()
        self.sent = torch.zeros_like(mean)
        self.start_log_beta = log_beta
        # A product, since atomic sums of a GPU differ from run to run.
        self.membership = F.one_hot(self.block_of, blocks + 1).to(mean)
        # One more column, for latents of no block.
        self.log_beta = torch.full((len(mean), blocks + 1), log_beta, device=mean.device)
        self.noise = torch.Generator().manual_seed(0)

    def run(self, steps: int, learning_rate: float) -> None:
        """Take some steps of a new Adam, the last ones at a falling rate."""
        if not steps:
            return
        parameters = [self.mean.requires_grad_(), self.log_scale.requires_grad_()]
        optimiser = torch.optim.Adam(parameters, lr=learning_rate, betas=(0.9, 0.95))
        for step in range(steps):
            left = (1 - step / steps) / (1 - SETTLED)
            optimiser.param_groups[0]["lr"] = learning_rate * min(1.0, left)
            error, kl = self._terms(self.draw())
            beta = self.log_beta.exp()
            # Relative to the error, so that gradients keep their size while it falls.
            loss = (error + (beta * kl).sum(1)) / error.detach().clamp_min(LEAST_ERROR)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
            with torch.no_grad():
                self.log_scale.clamp_(MIN_LOG_SCALE, 0.0)
                self._steer(kl)
        self.mean, self.log_scale = self.mean.detach(), self.log_scale.detach()

    def draw(self) -> Tensor:
        """Latents: sent ones, and a sample of the others' posteriors; noise alike for pictures."""
        noise = torch.randn(self.mean.shape[1:], generator=self.noise).to(self.mean)
        return torch.where(self.is_sent, self.sent, self.mean + self.log_scale.exp() * noise)

    def block_bits(self) -> Tensor:
        """KL of the blocks of each picture in bits, (n, blocks): 0 for those that were sent."""
        with torch.no_grad():
            return self._block_kl()[:, :-1] / NATS_PER_BIT

    def fix(self, items: Tensor, latents: Tensor, z: Tensor) -> None:
        """Fix latents of some pictures to z (items, latents)."""
        at = items[:, None], latents[None, :]
        self.is_sent[at] = True
        self.sent[at] = z.to(self.sent)

    def squared_error(self, z: Tensor) -> Tensor:
        """Mean squared error of each picture for latents z, (n,)."""
        return (self.network(z) - self.pixels).square().mean((1, 2))

    def _terms(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error, (n,), and KL of each block in nats, (n, blocks + 1)."""
        return self.squared_error(z), self._block_kl()

    def _block_kl(self) -> Tensor:
        kl = kl_nats(self.mean, self.log_scale).masked_fill(self.is_sent, 0.0)
        return kl @ self.membership

    def _steer(self, kl: Tensor) -> None:
        """Raise the beta of blocks that exceed their budget, lower it below."""
        # At least 0: that of a posterior close to the prior may round to less.
        share = kl[:, :-1].clamp_min(0) / (NATS_PER_BIT * self.budget_bits).clamp_min(LEAST_BUDGET)
        excess = torch.log(share + 1e-6)
        change = STEERING * (excess / FULL_STEERING_AT).clamp(-1, 1)
        log_beta = self.log_beta[:, :-1] + change
        low, high = (self.start_log_beta + sign * MAX_LOG_BETA_CHANGE for sign in (-1, 1))
        self.log_beta[:, :-1] = log_beta.clamp(low, high)


def guess(
    encoder: Encoder | None, information_bits: Tensor, pixels: Tensor
) -> tuple[Tensor, Tensor]:
    """Posteriors to start the fit of pictures (n, side^2, 3) from: mean and log scale, (n, dim).

    Without an encoder these are the prior's means, and scales that carry the information of each
    latent (dim,) in bits.
    """
    if encoder is None:
        log_scale = -NATS_PER_BIT * information_bits.to(pixels).expand(len(pixels), -1)
        return torch.zeros_like(log_scale), log_scale.clone()
    side = encoder.arguments.side
    pictures = pixels.unflatten(1, (side, side)).permute(0, 3, 1, 2)
    with torch.no_grad():
        return encoder(pictures.contiguous(memory_format=torch.channels_last))
