"""Branch and bound on the line: exact coders that code each dimension of a target on its own.

    B = [lo, hi) = [0, 2^32), T = 0                           positions of the prior's grid
    for k = 0, 1, 2, ..
        T += Exp(1) 2^32 / (hi - lo)                          the sender's own randomness
        X = lo + floor(u (hi - lo) / 2^32)                    u: shared, of (key, block, d, k)
        stop if the coder can tell that no later candidate would be its choice
        B = the part of B without X that holds the mode of r

What is cut off has a smaller r than X, and would come later. The decisions, coded with
probabilities in proportion to the two parts, are an arithmetic code of the interval B_k: the path
to X_k costs -log2 P(B_k) bits, and its end the rank k.

Sources: Flamich, Markou & Hernandez-Lobato, "Fast relative entropy coding with A* coding" (ICML
2022), AS* coding; Flamich, "Greedy Poisson rejection sampling" (NeurIPS 2023), section 3, the
variant that splits on samples.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recvae.exact.gaussian import POSITION_BITS, quantile, to_float
from recvae.rec.arrivals import series_log2
from recvae.rec.code import Code, Coder, Search
from recvae.rec.line import Line, line_stretch
from recvae.rec.randomness import (
    MAX_BLOCK,
    KeyWords,
    key_tensor,
    private_key,
    shared_key,
    shared_uniforms,
)
from recvae.rec.target import DiagonalGaussian, on_grid, require_on_grid

POSITIONS = 1 << POSITION_BITS
MAX_STEPS = 1 << 24
# Bounds the memory of a search: lines (a dimension of an item each) that are searched together.
CHUNK_LINES = 1 << 14


class StoppingRule(Protocol):
    """Judges the newest candidates of some lines, in the order of their arrival."""

    def __call__(self, lines: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each candidate is the choice so far, and whether it ends the search."""
        ...


class Turn(Protocol):
    """Leads the way to the candidates of some lines, from the newest candidate of each on."""

    def __call__(self, lines: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
        """Whether to go on above the position in [low, high), not below; all (lines,)."""
        ...


@dataclass(frozen=True)
class SplitOnSample(Coder):
    """What the two coders have in common; they differ in the rule by which they choose.

    Codes have bins (batch, dim, 1), the `shortest_position` of the interval B_k, and ranks
    (batch, dim), the number k of the candidate. A code depends on its item's target and key and on
    the generator's seed, not on what else is in the batch. Targets need scales of at most 1: only
    then has r one mode.

    Args:
        dim: number of dimensions.
        block: names this block of latents within an item, in [0, 2^32): blocks draw independently.
        max_candidates: cap on the candidates of each dimension, in [1, 2^24].

    Raises:
        ValueError: if an argument is out of its range.
    """

    dim: int
    block: int = 0
    max_candidates: int = 512

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim: got {self.dim}, need at least 1")
        if not 0 <= self.block <= MAX_BLOCK:
            raise ValueError(f"block: got {self.block}, need an integer in [0, 2^32)")
        if not 1 <= self.max_candidates <= MAX_STEPS:
            raise ValueError(f"max_candidates: got {self.max_candidates}, need 1 to 2^24")

    def within_reach(self, target: DiagonalGaussian) -> DiagonalGaussian:
        """See `Coder.within_reach`."""
        return on_grid(target)

    @abstractmethod
    def _stopping_rule(self, line: Line) -> StoppingRule: ...

    def search(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> Search:
        """See `Coder.search`: candidates and capped are (batch, dim), of each dimension.

        Raises:
            ValueError: if a scale is above 1 or the prior's grid cannot carry a target, too.
        """
        self._check_dim("target", target.dim)
        require_on_grid(target)
        line = Line(target.mean.double().flatten(), target.scale.double().flatten())
        keys = key_tensor(key, target.batch, target.mean.device)
        private = _streams(private_key(keys, self.block, generator), self.dim)
        shared = _streams(shared_key(keys, self.block), self.dim)
        bins, ranks, drawn = (torch.empty_like(line.mean, dtype=torch.int64) for _ in range(3))
        capped = torch.empty_like(bins, dtype=torch.bool)
        with torch.no_grad():
            for n in torch.arange(len(bins), device=bins.device).split(CHUNK_LINES):
                found = self._search_lines(line[n], private[n], shared[n])
                bins[n], ranks[n], drawn[n], capped[n] = found
        shape = (target.batch, self.dim)
        code = Code(bins.reshape(*shape, 1), ranks.reshape(shape))
        return Search(code, drawn.reshape(shape), capped.reshape(shape))

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """See `Coder.decode`: walks the path again, in integers."""
        return quantile(self._replay(code, key)[2])

    def bin_bits(self, code: Code, key: int | Tensor) -> Tensor:
        """-log2 P(B_k), summed over dimensions; raises ValueError as `decode` does."""
        low, high, _ = self._replay(code, key)
        return (POSITION_BITS - torch.log2((high - low).double())).sum(1)

    def _search_lines(
        self, line: Line, private: "_Streams", shared: "_Streams"
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bin, rank, number of candidates and whether capped, (lines,) each."""
        rule, mode, time = self._stopping_rule(line), line.mode, torch.zeros_like(line.mean)
        active = torch.arange(len(time), device=time.device)
        low, bins, ranks = (torch.zeros_like(active) for _ in range(3))
        high, drawn = torch.full_like(low, POSITIONS), torch.full_like(low, self.max_candidates)
        capped = torch.ones_like(low, dtype=torch.bool)
        for k in range(self.max_candidates):
            time = time + private.exponentials(k) * (POSITIONS / (high - low))
            position = shared.positions(k, low, high)
            z = to_float(quantile(position), torch.float64)
            chosen, over = rule(active, z, series_log2(time))
            bins[active[chosen]] = shortest_position(low[chosen], high[chosen])
            ranks[active[chosen]] = k
            low, high = _part(low, high, position, above=z < mode)
            over = over | (low == high)
            drawn[active[over]], capped[active[over]] = k + 1, False
            left = torch.nonzero(~over)[:, 0]
            if not len(left):
                break
            active, low, high, time, mode = (x[left] for x in (active, low, high, time, mode))
            private, shared = private[left], shared[left]
        return bins, ranks, drawn, capped

    def walk(self, ranks: Tensor, key: int | Tensor, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Goes the way to candidates, step by step, where `turn` leads.

        Args:
            ranks: (batch, dim) int64, the numbers k of the candidates.
            key: as given to `search`.
            turn: chooses at each candidate on the way the part to go on in.

        Returns:
            bounds of the interval B_k and the position of X_k, (batch, dim) int64 each.

        Raises:
            ValueError: if the way ends before a candidate.
        """
        keys = key_tensor(key, len(ranks), ranks.device)
        shared, steps = _streams(shared_key(keys, self.block), self.dim), ranks.flatten()
        low, position = torch.zeros_like(steps), torch.zeros_like(steps)
        high = torch.full_like(steps, POSITIONS)
        active = torch.arange(len(steps), device=steps.device)
        for k in range(int(steps.max()) + 1 if len(steps) else 0):
            position[active] = shared[active].positions(k, low[active], high[active])
            active = active[steps[active] > k]
            bounds = low[active], high[active], position[active]
            low[active], high[active] = _part(*bounds, above=turn(active, *bounds))
            if bool((low[active] >= high[active]).any()):
                raise ValueError("ranks: got one behind the last candidate of its way")
        low, high, position = (x.reshape(ranks.shape) for x in (low, high, position))
        return low, high, position

    def _replay(self, code: Code, key: int | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bounds of the interval B_k and the position of X_k, (batch, dim) int64 each."""
        self._check_code(code)
        goal = code.bins.flatten()

        def towards_goal(lines: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
            if bool((goal[lines] == position).any()):
                raise ValueError("bins: got a position that was drawn on the way to the candidate")
            return goal[lines] > position

        low, high, position = self.walk(code.ranks, key, towards_goal)
        if not torch.equal(shortest_position(low, high).flatten(), goal):
            raise ValueError("bins: got a position that is not the shortest of its interval")
        return low, high, position

    def _check_code(self, code: Code) -> None:
        self._check_dim("code", code.ranks.shape[-1])
        if code.bins.shape[1:] != (self.dim, 1):
            given = f"shape {tuple(code.bins.shape)}"
            raise ValueError(f"bins: got {given}, need (batch, {self.dim}, 1)")
        if not bool(((code.bins >= 0) & (code.bins < POSITIONS)).all()):
            raise ValueError("bins: got one out of range, need [0, 2^32)")
        if not bool(((code.ranks >= 0) & (code.ranks < self.max_candidates)).all()):
            raise ValueError(f"ranks: got one out of range, need [0, {self.max_candidates})")

    def _check_dim(self, field: str, dim: int) -> None:
        if dim != self.dim:
            raise ValueError(f"{field}: got dim {dim}, need that of the coder, {self.dim}")


@dataclass(frozen=True)
class AStar(SplitOnSample):
    """A* coding: the candidate with the smallest T / r of all; exact.

    Once the leader has best <= T / sup r, no later candidate can pass it. A capped search sends
    its leader.
    """

    def _stopping_rule(self, line: Line) -> StoppingRule:
        log2_sup, best = line.log2_sup(), torch.full_like(line.mean, -torch.inf)

        def judge(lines: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
            score = line[lines].log2_ratio(z) - log2_time
            leads = score > best[lines]
            best[lines] = torch.maximum(score, best[lines])
            return leads, best[lines] >= log2_sup[lines] - log2_time

        return judge


@dataclass(frozen=True)
class BranchAndBoundGPRS(SplitOnSample):
    """Greedy Poisson rejection sampling: the first candidate with T < sigma(r); exact.

    sigma is the stretch function of the whole line (`line.line_stretch`). A capped search sends
    its last candidate.
    """

    def _stopping_rule(self, line: Line) -> StoppingRule:
        stretch = line_stretch(line)

        def judge(lines: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
            return torch.ones_like(z, dtype=torch.bool), log2_time < stretch[lines].log2_sigma(z)

        return judge


@dataclass(frozen=True, eq=False)
class _Streams:
    """Streams of 32-bit uniforms, one a line: of an item's key and a dimension; (lines,) each."""

    key: KeyWords
    dimension: Tensor

    def __getitem__(self, lines: Tensor) -> "_Streams":
        return _Streams((self.key[0][lines], self.key[1][lines]), self.dimension[lines])

    def words(self, k: int) -> Tensor:
        """The uniforms of candidate k, (lines,) int64 in [0, 2^32)."""
        bins = self.dimension[:, None]
        return shared_uniforms(self.key, bins, torch.full_like(bins, k), dim=1)[:, 0, 0]

    def exponentials(self, k: int) -> Tensor:
        """Exp(1) variables, nats; the uniform is (word + 1/2) / 2^32."""
        bits = POSITION_BITS + 1.0 - series_log2((2 * self.words(k) + 1).double())
        return bits * math.log(2)

    def positions(self, k: int, low: Tensor, high: Tensor) -> Tensor:
        """Uniform positions low + floor(word (high - low) / 2^32)."""
        word, size = self.words(k), high - low
        # The product may exceed 2^63: first with the size's upper 16 bits, then with the others.
        return low + ((word * (size >> 16) + (word * (size & 0xFFFF) >> 16)) >> 16)


def _streams(key: KeyWords, dim: int) -> _Streams:
    dimension = torch.arange(dim, device=key[0].device).repeat(len(key[0]))
    return _Streams((key[0].repeat_interleave(dim), key[1].repeat_interleave(dim)), dimension)


def _part(low: Tensor, high: Tensor, position: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    """The part above the position, or that below it."""
    return torch.where(above, position + 1, low), torch.where(above, high, position)


def shortest_position(low: Tensor, high: Tensor) -> Tensor:
    """The position in [low, high) that ends in the most zero bits: a name of the interval.

    Args:
        low: int64, at least 0.
        high: int64, in (low, 2^32].
    """
    last = high - 1
    # All ones from the leading bit down in which last differs from low - 1.
    differ = (low - 1) ^ last
    for shift in (1, 2, 4, 8, 16):
        differ = differ | (differ >> shift)
    return last & ~(differ >> 1)
