"""The codes of pictures, their latents, and their range coding: integers throughout."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from recvae.codec.inr.layout import MAX_LOG2_CANDIDATES, Integers, Layout
from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.rec import Code, IndexCode, PartitionedORC

MAX_CANDIDATES = 1 << MAX_LOG2_CANDIDATES  # of any sender's search


@dataclass(frozen=True, eq=False)
class PictureCodes:
    """The codes of some pictures.

    Fields:
        bins: of the latents that are sent, in the order of the layout, (n, sent).
        ranks: of the blocks, (n, blocks).
    """

    bins: Integers
    ranks: Integers

    def __getitem__(self, pictures: slice) -> "PictureCodes":
        return PictureCodes(self.bins[pictures], self.ranks[pictures])


def coder_of(layout: Layout, block: int, num_candidates: int) -> PartitionedORC:
    """The coder of a block; a receiver's allows every number of candidates."""
    return PartitionedORC(layout.partitions[block], num_candidates, block=block)


def decode_latents(layout: Layout, key: int, codes: PictureCodes, dim: int) -> Integers:
    """Latents z that codes select, (n, dim) int64 in units of 2^-28; 0 where none was sent."""
    z = np.zeros((len(codes.ranks), dim), np.int64)
    for block, members in enumerate(layout.members):
        own = slice(layout.starts[block], layout.starts[block + 1])
        code = Code(
            torch.from_numpy(np.ascontiguousarray(codes.bins[:, own])),
            torch.from_numpy(np.ascontiguousarray(codes.ranks[:, block])),
        )
        coder = coder_of(layout, block, MAX_CANDIDATES)
        z[:, members] = coder.decode(code, key).numpy()
    return z


def write_codes(
    encoder: RangeEncoder, layout: Layout, rank_code: IndexCode, codes: PictureCodes
) -> None:
    """Encode all bins, picture after picture, then the buckets of all ranks, then the rest."""
    encoder.encode_uniform(codes.bins.flatten(), np.tile(layout.intervals, len(codes.bins)))
    buckets, places = (
        part.numpy() for part in rank_code.split(torch.from_numpy(codes.ranks.flatten()))
    )
    encoder.encode(buckets, np.array(rank_code.frequencies, np.int32))
    encoder.encode_uniform(places, _bucket_sizes(rank_code)[buckets])


def read_codes(
    decoder: RangeDecoder, layout: Layout, rank_code: IndexCode, count: int
) -> PictureCodes:
    """Inverse of `write_codes`; raises ValueError for data that no encoder writes."""
    bins = decoder.decode_uniform(np.tile(layout.intervals, count)).astype(np.int64)
    blocks = len(layout.lengths)
    frequencies = np.array(rank_code.frequencies, np.int32)
    buckets = decoder.decode_repeated(frequencies, count * blocks).astype(np.int64)
    places = decoder.decode_uniform(_bucket_sizes(rank_code)[buckets]).astype(np.int64)
    ranks = rank_code.join(torch.from_numpy(buckets), torch.from_numpy(places)).numpy()
    if ranks.max(initial=0) >= MAX_CANDIDATES:
        raise ValueError("a rank is that of no candidate")
    return PictureCodes(bins.reshape(count, -1), ranks.reshape(count, blocks))


def code_bits(
    layout: Layout, rank_code: IndexCode, codes: PictureCodes
) -> dict[str, NDArray[np.float64]]:
    """Ideal code lengths of each picture by part, (n,)."""
    ranks = rank_code.bits(torch.from_numpy(codes.ranks)).sum(1).numpy()
    return {"bins": np.full(len(codes.ranks), layout.log2_bins), "ranks": ranks}


def _bucket_sizes(rank_code: IndexCode) -> Integers:
    return np.array([1 << bits for bits in rank_code.raw_bits], np.int64)
