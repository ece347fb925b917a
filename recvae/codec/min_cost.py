"""Min-cost selection: of good candidates the sender takes those with the fewest bits in total.

Lossless coding needs no exact sample: any candidate decodes. Ranking by density ratio knows what
latents cost and how likely the posterior makes them; the true cost of what follows, the pixels'
bits, only the decoder knows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.codec.latents import SENDER_SEED, join_codes
from recvae.codec.model import CodecModel
from recvae.codec.pixel_cost import PixelCost
from recvae.rec import Code, DiagonalGaussian

IMAGES_AT_ONCE = 64  # bounds memory: of each there are beam * candidates choices
PIXEL_BATCH = 64  # latents decoded at once


@dataclass(frozen=True)
class MinCostSender:
    """Starts from the plain choice of every block and improves one block after the other.

    A beam of the cheapest choices so far is tried with every candidate of the next block; blocks
    to come stand at their plain choice. So a choice never costs more than the plain one.

    Args:
        pixel_cost: what the pixels of an image cost given latents.
        candidates: K, the first finishers of each block's race that are tried.
        beam: how many choices are carried along.
    """

    pixel_cost: PixelCost
    candidates: int
    beam: int = 1

    def __call__(self, model: CodecModel, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        """See `recvae.codec.latents.Sender`."""
        starts = range(0, len(images), IMAGES_AT_ONCE)
        parts = [slice(start, start + IMAGES_AT_ONCE) for start in starts] or [slice(0, 0)]
        return join_codes(self._send(model, target[part], images[part]) for part in parts)

    def _send(self, model: CodecModel, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        races = [
            coder.encode_best(
                block.part_of(target),
                model.key,
                torch.Generator().manual_seed(SENDER_SEED),
                min(self.candidates, block.num_candidates),
            )[0]
            for block, coder in zip(model.blocks, model.coders, strict=True)
        ]
        races = [Code(race.bins.cpu(), race.ranks.cpu()) for race in races]
        costs = _Costs.of(model, races, images, self.pixel_cost)
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
    """What choices of candidates cost; those of block b are z[b] (n, K, dim) of ranks[b] (n, K)."""

    model: CodecModel
    images: Tensor
    pixel_cost: PixelCost
    z: list[Tensor]
    rank_bits: list[Tensor]

    @staticmethod
    def of(model: CodecModel, races: list[Code], images: Tensor, pixel_cost: PixelCost) -> "_Costs":
        pairs = list(zip(model.coders, model.rank_codes, races, strict=True))
        return _Costs(
            model,
            images,
            pixel_cost,
            [coder.decode(race, model.key) for coder, _, race in pairs],
            [rank_code.bits(race.ranks) for _, rank_code, race in pairs],
        )

    def bits(self, choices: Tensor) -> Tensor:
        """Bits of ranks and pixels for choices (n, m, blocks); all bins cost the same. (n, m)."""
        n, m, _ = choices.shape
        items = torch.arange(n)[:, None].expand(n, m)
        z = torch.empty(n, m, self.model.architecture.latent_dim, dtype=torch.int64)
        total = torch.zeros(n, m, dtype=torch.float64)
        for b, block in enumerate(self.model.blocks):
            z[..., list(block.dimensions)] = self.z[b][items, choices[..., b]]
            total += self.rank_bits[b].gather(1, choices[..., b])
        parts = zip(
            z.flatten(0, 1).split(PIXEL_BATCH), items.flatten().split(PIXEL_BATCH), strict=True
        )
        pixels = [self.pixel_cost(part, self.images[item]) for part, item in parts]
        return total + torch.cat(pixels).reshape(n, m)


def _with_each_candidate(choices: Tensor, block: int, candidates: int) -> Tensor:
    """Choices (n, m, blocks) to (n, m * candidates, blocks): with each candidate of a block."""
    tried = choices[:, :, None].repeat(1, 1, candidates, 1)
    tried[..., block] = torch.arange(candidates)
    return tried.flatten(1, 2)
