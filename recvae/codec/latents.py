"""How the latents of a group are coded: chosen by the sender, written, read, regenerated.

The receiver needs to know nothing of the sender's choice: any bins and ranks that the blocks of the
model allow name latents. `Latents` is what a group needs of such a code; `BlockLatents` is the one
of the file format.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.model import CodecModel
from recvae.codec.range_coder import Decoder, Encoder
from recvae.codec.ranks import decode_ranks, encode_ranks
from recvae.rec import Code, DiagonalGaussian

SENDER_SEED = 0  # of the sender's own randomness; no receiver needs it

Sender: TypeAlias = Callable[[CodecModel, DiagonalGaussian, Tensor], list[Code]]
"""(model, posteriors (n, D), images (n, h, w) uint8) to the code of each block, on CPU."""


class Latents(Protocol):
    """A code for latents; codes are lists whose elements all have n items."""

    def send(self, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        """The codes of posteriors (n, D) of images (n, h, w) uint8, on CPU."""
        ...

    def receive(self, codes: Sequence[Code]) -> Tensor:
        """Latents (n, D) from their codes, int64 in units of 2^-28, on CPU."""
        ...

    def encode(self, encoder: Encoder, codes: Sequence[Code]) -> None:
        """Write the codes of one group."""
        ...

    def decode(self, decoder: Decoder, count: int) -> list[Code]:
        """Read the codes of one group of `count` images; ValueError where none can be."""
        ...

    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ideal code length of bins and of ranks, (n,) each."""
        ...


def send_latents(
    model: CodecModel, target: DiagonalGaussian, images: Tensor | None = None
) -> list[Code]:
    """What the model's own coders choose for posteriors (n, D): the default sender."""
    codes = []
    for block, coder in zip(model.blocks, model.coders, strict=True):
        generator = torch.Generator().manual_seed(SENDER_SEED)
        code = coder.encode(block.part_of(target), model.key, generator)
        codes.append(Code(code.bins.cpu(), code.ranks.cpu()))
    return codes


def join_codes(parts: Iterable[Sequence[Code]]) -> list[Code]:
    """The codes of some images, then those of others, and so on, as the codes of all of them."""
    return [
        Code(torch.cat([code.bins for code in codes]), torch.cat([code.ranks for code in codes]))
        for codes in zip(*parts, strict=True)
    ]


def receive_latents(model: CodecModel, codes: Sequence[Code]) -> Tensor:
    """Latents (n, D) from the codes of all blocks, int64 in units of 2^-28, on CPU."""
    first = codes[0].bins
    z = first.new_empty(len(first), model.architecture.latent_dim)
    for block, coder, code in zip(model.blocks, model.coders, codes, strict=True):
        z[:, list(block.dimensions)] = coder.decode(code, model.key)
    return z


@dataclass(frozen=True)
class BlockLatents:
    """The latents of a .recvae file: for each block the bins, uniform, and the ranks.

    Args:
        model: gives the blocks and the codes of their ranks.
        sender: chooses what is sent.
    """

    model: CodecModel
    sender: Sender = send_latents

    def send(self, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        """See `Latents`."""
        return self.sender(self.model, target, images)

    def receive(self, codes: Sequence[Code]) -> Tensor:
        """See `Latents`."""
        return receive_latents(self.model, codes)

    def encode(self, encoder: Encoder, codes: Sequence[Code]) -> None:
        """See `Latents`."""
        for index, (code, rank_code) in enumerate(zip(codes, self.model.rank_codes, strict=True)):
            self.encode_bins(encoder, index, code.bins.numpy())
            encode_ranks(encoder, rank_code, code.ranks)

    def decode(self, decoder: Decoder, count: int) -> list[Code]:
        """See `Latents`."""
        codes = []
        for index, rank_code in enumerate(self.model.rank_codes):
            bins = self.decode_bins(decoder, index, count).astype(np.int64)
            codes.append(Code(torch.from_numpy(bins), decode_ranks(decoder, rank_code, count)))
        return codes

    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `Latents`."""
        bins, ranks = np.zeros((2, len(codes[0].ranks)))
        for index, (code, rank_code) in enumerate(zip(codes, self.model.rank_codes, strict=True)):
            bins += self.bin_bits(index, code.bins.numpy())
            ranks += rank_code.bits(code.ranks).numpy()
        return bins, ranks

    def encode_bins(self, encoder: Encoder, block: int, bins: NDArray[np.int64]) -> None:
        """Write the bins (n, dim) of a block."""
        encoder.encode_uniform(
            bins.flatten(), np.tile(self.model.blocks[block].intervals, len(bins))
        )

    def decode_bins(self, decoder: Decoder, block: int, count: int) -> NDArray[np.int32]:
        """Read the bins (count, dim) of a block."""
        intervals = self.model.blocks[block].intervals
        return decoder.decode_uniform(np.tile(intervals, count)).reshape(count, len(intervals))

    def bin_bits(self, block: int, bins: NDArray[np.int64]) -> NDArray[np.float64]:
        """Ideal code length of the bins (n, dim) of a block, (n,)."""
        return np.full(len(bins), self.model.coders[block].partition.log2_bins)
