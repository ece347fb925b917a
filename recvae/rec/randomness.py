"""The randomness shared by sender and receiver, and the sender's private randomness.

Shared: D uniforms of 32 bits for every (key, block, bin, rank). With Q = ceil(D / 4),

    block key  = Philox(key, (block, 0, 0, SHARED))                 words 0 and 1
    uniforms   = Philox(block key, (bin, rank * Q + q))             q = 0 .. Q - 1

where bin and rank * Q + q are 64-bit integers, low word first. Draws are independent of one
another: a receiver computes only the one it needs. Any change here changes every file ever written.

Private: a stream for each item, keyed by the sender's seed and the item's own key, so that an
item's draws do not depend on its batch. The receiver never needs it.
"""

from functools import lru_cache
from typing import TypeAlias

import torch
from torch import Tensor

from recvae.exact.gaussian import POSITION_BITS, quantile
from recvae.rec.devices import constant
from recvae.rec.partition import Partition
from recvae.rec.philox import philox4x32, split_words

# The fourth counter word of each use, so that no two uses share a counter.
SHARED, PRIVATE, CANDIDATES = 0, 1, 2

MAX_BLOCK = (1 << 32) - 1

KeyWords: TypeAlias = tuple[Tensor, Tensor]
"""Low and high word of one 64-bit Philox key per item, each (batch,)."""


def key_tensor(key: int | Tensor, batch: int, device: torch.device) -> Tensor:
    """One 64-bit key per item, (batch,) int64, from one integer for all or a tensor.

    Raises:
        ValueError: if an integer is outside [0, 2^64), or a tensor is not int64 of shape (batch,).
    """
    if isinstance(key, Tensor):
        if key.dtype != torch.int64 or key.shape != (batch,):
            given = f"{key.dtype} of shape {tuple(key.shape)}"
            raise ValueError(f"key: got {given}, need torch.int64 of shape ({batch},)")
        return key.to(device)
    if not 0 <= key < 1 << 64:
        raise ValueError(f"key: got {key}, need an integer in [0, 2^64)")
    signed = key - (1 << 64) if key >> 63 else key
    return torch.full((batch,), signed, dtype=torch.int64, device=device)


def shared_key(key: Tensor, block: int) -> KeyWords:
    """Block key of the shared randomness; key is (batch,) int64."""
    zero = torch.zeros_like(key)
    return philox4x32((zero + block, zero, zero, zero + SHARED), split_words(key))[:2]


def shared_keys(key: int | Tensor, batch: int, device: torch.device, block: int) -> KeyWords:
    """`shared_key` of what `key_tensor` takes; found only once if it is one key for all items."""
    if isinstance(key, Tensor):
        return shared_key(key_tensor(key, batch, device), block)
    low, high = _only_shared_key(key, device, block)
    return low.repeat(batch), high.repeat(batch)


@lru_cache(maxsize=4096)
def _only_shared_key(key: int, device: torch.device, block: int) -> KeyWords:
    with torch.inference_mode(False):  # tensors made in that mode cannot take part in gradients
        return shared_key(key_tensor(key, 1, device), block)


def private_key(key: Tensor, block: int, generator: torch.Generator) -> KeyWords:
    """Keys of the sender's private streams; draws one 64-bit seed from the generator."""
    seed = torch.randint(1 << 32, (2,), generator=generator, device=generator.device)
    zero = torch.zeros_like(key)
    counter = (*split_words(key), zero + block, zero + PRIVATE)
    return philox4x32(counter, (zero + seed[0].item(), zero + seed[1].item()))[:2]


def shared_uniforms(block_key: KeyWords, bins: Tensor, ranks: Tensor, dim: int) -> Tensor:
    """The shared draws of candidates.

    Args:
        block_key: from `shared_key`, words of shape (batch,).
        bins: (batch, n) int64, flattened bins.
        ranks: (batch, n) int64.
        dim: number of dimensions D.

    Returns:
        (batch, n, dim) int64 uniforms in [0, 2^32).
    """
    quads = -(-dim // 4)
    counts = ranks[..., None] * quads + torch.arange(quads, device=ranks.device)
    low, high = split_words(bins[..., None])
    key = (block_key[0][:, None, None], block_key[1][:, None, None])
    words = philox4x32((low, high, *split_words(counts)), key)
    return torch.stack(words, dim=-1).flatten(-2)[..., :dim]


def private_uniforms(item_key: KeyWords, start: int, stop: int, count: int) -> Tensor:
    """Draw `count` uniforms of 32 bits for each of the candidates start .. stop - 1.

    Returns:
        (batch, stop - start, count) int64 in [0, 2^32).
    """
    device = item_key[0].device
    candidates = torch.arange(start, stop, device=device)[:, None]
    quads = torch.arange(-(-count // 4), device=device)
    zero = torch.zeros_like(quads)
    key = (item_key[0][:, None, None], item_key[1][:, None, None])
    words = philox4x32((candidates, zero, quads, zero + CANDIDATES), key)
    return torch.stack(words, dim=-1).flatten(-2)[..., :count]


def shared_samples(
    block_key: KeyWords, partition: Partition, bins: Tensor, ranks: Tensor
) -> Tensor:
    """Prior samples restricted to their bins: z_d = Phi^-1((b_d + u_d) / J_d), all in integers.

    Args:
        block_key: from `shared_key`, words of shape (batch,).
        partition: the intervals J_d of each dimension.
        bins: (batch, n, dim) int64, bin tuples.
        ranks: (batch, n) int64.

    Returns:
        (batch, n, dim) int64, z in units of 2^-28.
    """
    uniforms = shared_uniforms(block_key, partition.flatten(bins), ranks, partition.dim)
    intervals = constant(partition.intervals, torch.int64, bins.device)
    return quantile(((bins << POSITION_BITS) + uniforms) // intervals)
