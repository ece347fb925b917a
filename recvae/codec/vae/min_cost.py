"""Min-cost selection: among good candidates, the sender takes those with the fewest bits in total.

Lossless coding needs no exact sample: any candidate decodes. The density ratio accounts for the
cost of the latents and their likelihood under the posterior; only the decoder gives the true cost
of the pixels that follow.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recvae.codec.vae.latents import SENDER_SEED, BlockLatents, LatentCodec, Sent, join_codes
from recvae.codec.vae.pixel_cost import PixelCost
from recvae.rec import Code, Coder, DiagonalGaussian, Racing
from recvae.rec.devices import to_cpu

IMAGES_AT_ONCE = 64  # bounds memory: each has beam * candidates choices
PIXEL_BATCH = 64  # latents decoded at once


def can_choose(latents: LatentCodec) -> bool:
    """Whether a min-cost sender has candidates to choose from: blocks with racing coders."""
    return isinstance(latents, BlockLatents) and all(
        isinstance(coder, Racing) for coder in latents.coders
    )


@dataclass(frozen=True)
class MinCostSender:
    """A sender that starts from the plain choice of every block and improves block by block.

    The beam holds the cheapest choices so far; each is tried with every candidate of the next
    block, while later blocks keep their plain choice. A choice thus never costs more than the
    plain one.

    Args:
        pixel_cost: bits of an image's pixels given latents.
        candidates: K, the first finishers of each block's race, which are tried.
        beam: number of choices kept.
    """

    pixel_cost: PixelCost
    candidates: int
    beam: int = 1

    def __call__(self, latents: BlockLatents, target: DiagonalGaussian, images: Tensor) -> Sent:
        """See `recvae.codec.vae.latents.Sender`. Raises ValueError unless `can_choose(latents)`."""
        starts = range(0, len(images), IMAGES_AT_ONCE)
        parts = [slice(start, start + IMAGES_AT_ONCE) for start in starts] or [slice(0, 0)]
        codes = join_codes(self._send(latents, target[part], images[part]) for part in parts)
        return Sent(codes, torch.zeros(len(images), dtype=torch.bool))

    def _send(self, latents: BlockLatents, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        races = [
            _racing(coder).encode_best(
                block.take(target),
                latents.key,
                torch.Generator().manual_seed(SENDER_SEED),
                min(self.candidates, block.num_candidates),
            )[0]
            for block, coder in zip(latents.blocks, latents.coders, strict=True)
        ]
        parts = to_cpu([part for race in races for part in (race.bins, race.ranks)])
        races = [Code(bins, ranks) for bins, ranks in zip(parts[::2], parts[1::2], strict=True)]
        costs = _Costs.of(latents, races, images, self.pixel_cost)
        choices = torch.zeros(len(images), 1, len(races), dtype=torch.int64)
        for block, race in enumerate(races):
            choices = _with_each_candidate(choices, block, race.ranks.shape[1])
            bits = costs.bits(choices)
            cheapest = bits.topk(min(self.beam, bits.shape[1]), dim=1, largest=False).indices
            choices = choices.gather(1, cheapest[..., None].expand(-1, -1, len(races)))
        items = torch.arange(len(images))
        return [race[items, choices[:, 0, block]] for block, race in enumerate(races)]


@dataclass(frozen=True, eq=False)
class _Costs:
    """Costs of choices; candidates of block b are z[b] (n, K, dim), with code_bits[b] (n, K)."""

    latents: BlockLatents
    images: Tensor
    pixel_cost: PixelCost
    z: list[Tensor]
    code_bits: list[Tensor]

    @staticmethod
    def of(
        latents: BlockLatents, races: list[Code], images: Tensor, pixel_cost: PixelCost
    ) -> "_Costs":
        return _Costs(
            latents,
            images,
            pixel_cost,
            [
                coder.decode(race, latents.key)
                for coder, race in zip(latents.coders, races, strict=True)
            ],
            [_code_bits(latents, block, race) for block, race in enumerate(races)],
        )

    def bits(self, choices: Tensor) -> Tensor:
        """Bits of latents and pixels for choices (n, m, blocks), less a common part. (n, m)."""
        n, m, _ = choices.shape
        items = torch.arange(n)[:, None].expand(n, m)
        z = torch.empty(n, m, self.latents.latent_dim, dtype=torch.int64)
        total = torch.zeros(n, m, dtype=torch.float64)
        for b, block in enumerate(self.latents.blocks):
            z[..., list(block.dimensions)] = self.z[b][items, choices[..., b]]
            total += self.code_bits[b].gather(1, choices[..., b])
        parts = zip(
            z.flatten(0, 1).split(PIXEL_BATCH), items.flatten().split(PIXEL_BATCH), strict=True
        )
        pixels = [self.pixel_cost(part, self.images[item]) for part, item in parts]
        return total + torch.cat(pixels).reshape(n, m)


def _code_bits(latents: BlockLatents, block: int, race: Code) -> Tensor:
    """Bits of bins and ranks (n, K) of a block's candidates, less those of the cheapest bins."""
    n, candidates, dim = race.bins.shape
    bins = latents.bin_bits(block, race.bins.reshape(-1, dim).numpy()).reshape(n, candidates)
    over_cheapest = torch.from_numpy(bins - bins.min(initial=np.inf))
    return latents.rank_codes[block].bits(race.ranks) + over_cheapest


def _racing(coder: Coder) -> Racing:
    if not isinstance(coder, Racing):
        raise ValueError(f"coder: got {type(coder).__name__}, need one that races its candidates")
    return coder


def _with_each_candidate(choices: Tensor, block: int, candidates: int) -> Tensor:
    """Combine choices (n, m, blocks) with a block's candidates: (n, m * candidates, blocks)."""
    tried = choices[:, :, None].repeat(1, 1, candidates, 1)
    tried[..., block] = torch.arange(candidates)
    return tried.flatten(1, 2)
