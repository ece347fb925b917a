"""Latents that are coded one dimension at a time, by branch and bound: A* coding and its kin.

The stream of a group: for each dimension the ranks; then, step by step, the way to each candidate,
a binary decision in proportion to the sizes of the two parts. Sender and receiver walk it alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.latents import SENDER_SEED
from recvae.codec.range_coder import Decoder, Encoder
from recvae.codec.ranks import decode_ranks, encode_ranks
from recvae.exact import TOTAL
from recvae.experiments.mnist.senders import within_reach
from recvae.rec import Code, DiagonalGaussian, IndexCode, fit_bucket_code
from recvae.rec.branch_and_bound import SplitOnSample, shortest_position


@dataclass(eq=False)
class LineLatents:
    """See `recvae.codec.latents.Latents`.

    `capped_images` counts the images with a search that ended at its cap.

    Args:
        coder: of all dimensions.
        key: 64-bit name of the shared randomness.
        rank_codes: one a dimension.
    """

    coder: SplitOnSample
    key: int
    rank_codes: tuple[IndexCode, ...] = ()
    capped_images: int = 0

    def fit(self, target: DiagonalGaussian) -> None:
        """Fit the codes of the ranks to posteriors of training images, (n, D)."""
        ranks = self._search(target).ranks
        self.rank_codes = tuple(
            fit_bucket_code(ranks[:, d], self.coder.max_candidates) for d in range(self.coder.dim)
        )
        self.capped_images = 0

    def send(self, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        """See `Latents`."""
        return [self._search(target)]

    def receive(self, codes: Sequence[Code]) -> Tensor:
        """See `Latents`."""
        return self.coder.decode(codes[0], self.key)

    def encode(self, encoder: Encoder, codes: Sequence[Code]) -> None:
        """See `Latents`."""
        (code,) = codes
        for d, rank_code in enumerate(self.rank_codes):
            encode_ranks(encoder, rank_code, code.ranks[:, d])
        goal = code.bins.flatten()

        def turn(lines: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
            above = goal[lines] > position
            encoder.encode(above.int().numpy(), _frequencies(low, high, position))
            return above

        self.coder.walk(code.ranks, self.key, turn)

    def decode(self, decoder: Decoder, count: int) -> list[Code]:
        """See `Latents`."""
        columns = [decode_ranks(decoder, rank_code, count) for rank_code in self.rank_codes]
        ranks = torch.stack(columns, dim=1)

        def turn(lines: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
            above = decoder.decode(_frequencies(low, high, position))
            return torch.from_numpy(above.astype(bool))

        low, high, _ = self.coder.walk(ranks, self.key, turn)
        return [Code(shortest_position(low, high)[..., None], ranks)]

    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `Latents`; those of the way count as bins."""
        (code,) = codes
        ranks = sum(
            (rank_code.bits(code.ranks[:, d]) for d, rank_code in enumerate(self.rank_codes)),
            start=torch.zeros(len(code.ranks), dtype=torch.float64),
        )
        return self.coder.bin_bits(code, self.key).numpy(), ranks.numpy()

    def _search(self, target: DiagonalGaussian) -> Code:
        generator = torch.Generator().manual_seed(SENDER_SEED)
        found = self.coder.search(within_reach(target), self.key, generator)
        self.capped_images += int(found.capped.any(dim=1).sum())
        return found.code


def _frequencies(low: Tensor, high: Tensor, position: Tensor) -> NDArray[np.int32]:
    """Of going on below and above the position, (lines, 2): in proportion to the parts."""
    above = ((high - position - 1) * TOTAL // (high - low - 1)).clamp(1, TOTAL - 1)
    return torch.stack([TOTAL - above, above], dim=1).int().numpy()
