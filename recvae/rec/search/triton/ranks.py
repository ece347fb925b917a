"""Counts earlier candidates in the same bin, with a hash table for each program.

The table is open-addressed, in global memory. A slot is a sector of 32 bytes, four int64: bin + 1,
or 0 if empty; the number of candidates its bin has had; a bit for each member in the current tile,
0 between tiles; and one that is unused.
"""

import triton
import triton.language as tl

SLOT = tl.constexpr(4)
_COUNT, _MEMBERS = tl.constexpr(1), tl.constexpr(2)


@triton.jit
def clear(table, slots, BLOCK: tl.constexpr):
    """Clear the table."""
    for start in range(0, slots, BLOCK):
        at = start + tl.arange(0, BLOCK)
        tl.store(table + SLOT * at.to(tl.int64), tl.zeros([BLOCK], tl.int64), mask=at < slots)
    tl.debug_barrier()


@triton.jit
def rank_within_bin(bins, table, slots, factor, shift, BLOCK: tl.constexpr):
    """Ranks of a tile's candidates, in order of arrival, int64; and the number of new bins.

    A slot's index is the bin times factor, modulo 2^64, over 2^shift, modulo slots.
    """
    own, empty = bins + 1, bins * 0
    last = (slots - 1).to(tl.uint64)
    slot = (((bins * factor).to(tl.uint64, bitcast=True) >> shift.to(tl.uint64)) & last).to(
        tl.int64
    )
    found = tl.atomic_cas(table + SLOT * slot, empty, own, sem="relaxed", scope="cta")
    claimed = found == 0
    astray = (found != 0) & (found != own)
    while tl.max(astray.to(tl.int32), 0) > 0:
        slot = tl.where(astray, (slot + 1) & last.to(tl.int64), slot)
        # All participate: one that already has its slot finds it taken, by itself.
        found = tl.atomic_cas(table + SLOT * slot, empty, own, sem="relaxed", scope="cta")
        claimed = claimed | (found == 0)
        astray = (found != 0) & (found != own)
    lane = tl.arange(0, BLOCK).to(tl.uint64)
    bit = (lane * 0 + 1) << lane
    tl.store(table + SLOT * slot + _COUNT, empty, mask=claimed)
    own_bit = bit.to(tl.int64, bitcast=True)
    tl.atomic_or(table + SLOT * slot + _MEMBERS, own_bit, sem="relaxed", scope="cta")
    tl.debug_barrier()
    members = tl.load(table + SLOT * slot + _MEMBERS, volatile=True).to(tl.uint64, bitcast=True)
    count = tl.load(table + SLOT * slot + _COUNT, volatile=True)
    tl.debug_barrier()
    earlier = members & (bit - 1)
    first = earlier == 0
    tl.store(table + SLOT * slot + _COUNT, count + _count_bits(members), mask=first)
    tl.store(table + SLOT * slot + _MEMBERS, empty, mask=first)
    tl.debug_barrier()
    return count + _count_bits(earlier), tl.sum(claimed.to(tl.int32), 0)


@triton.jit
def _count_bits(x):
    """Population count of uint64, int32; compilers recognise the pattern."""
    x = x - ((x >> 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F
    return ((x * 0x0101010101010101) >> 56).to(tl.int32)
