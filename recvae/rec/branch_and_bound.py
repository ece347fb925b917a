"""Branch and bound on the real line: exact coders of one dimension of a target at a time.

    B = [lo, hi) = [0, 2^32), T = 0                           positions of the prior's grid
    for k = 0, 1, 2, ..
        T += Exp(1) 2^32 / (hi - lo)                          the sender's private randomness
        X = lo + floor(u (hi - lo) / 2^32)                    u: shared, of (key, block, d, k)
        stop if no later candidate can be the coder's choice
        B = the part of B without X that holds the mode of r

The part cut off has a smaller r than X, and would arrive later. The decisions, coded with
probabilities in proportion to the two parts, are an arithmetic code of the interval B_k: the path
to X_k costs -log2 P(B_k) bits, and its end is given by the rank k.

Sources: Flamich, Markou & Hernandez-Lobato, "Fast relative entropy coding with A* coding" (ICML
2022), AS* coding; Flamich, "Greedy Poisson rejection sampling" (NeurIPS 2023), section 3, the
variant that splits on samples.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recvae.exact.gaussian import POSITION_BITS, quantile, to_float
from recvae.rec.arrivals import series_log2
from recvae.rec.code import Code, Coder, SearchResult
from recvae.rec.devices import all_hold
from recvae.rec.gaussian_1d import Gaussian1D, stretch_function_1d
from recvae.rec.positions import (
    POSITIONS,
    Streams,
    item_streams,
    shortest_position,
    subinterval,
)
from recvae.rec.randomness import MAX_BLOCK, key_tensor, private_key, shared_keys
from recvae.rec.target import DiagonalGaussian, on_grid, require_on_grid

MAX_STEPS = 1 << 24
# Coordinates (each a dimension of an item) searched together; bounds memory.
CHUNK_COORDINATES = 1 << 14


class IntervalRule(Protocol):
    """Judges the newest candidates of some coordinates, in the order of their arrival."""

    def __call__(self, coordinates: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether each candidate is the choice so far, and whether it ends the search."""
        ...


class Descent(Protocol):
    """Chooses which sub-interval to descend into, from the newest candidate of each coordinate."""

    def __call__(self, coordinates: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
        """Return whether to go on above, not below, the position in [low, high); (coordinates,)."""
        ...


@dataclass(frozen=True)
class SplitOnSample(Coder):
    """Base of the two coders, which differ in the rule by which they choose.

    Codes have bins (batch, dim, 1), the `shortest_position` of the interval B_k, and ranks
    (batch, dim), the number k of the candidate. A code depends on its item's target and key and on
    the generator's seed, not on the rest of the batch. Targets need scales of at most 1: only then
    does r have a single mode.

    Args:
        dim: number of dimensions.
        block: names this block of latents within an item, in [0, 2^32): blocks draw independently.
        max_candidates: cap on the candidates of each dimension, in [1, 2^24].

    Raises:
        ValueError: if an argument is out of range.
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
    def _interval_rule(self, gaussian: Gaussian1D) -> IntervalRule: ...

    def search(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> SearchResult:
        """See `Coder.search`: num_drawn and capped are (batch, dim).

        Raises:
            ValueError: also if a scale is above 1 or the prior's grid cannot represent a target.
        """
        self._check_dim("target", target.dim)
        require_on_grid(target)
        gaussian = Gaussian1D(target.mean.double().flatten(), target.scale.double().flatten())
        batch, device = target.batch, target.mean.device
        keys = key_tensor(key, batch, device)
        private = item_streams(private_key(keys, self.block, generator), self.dim)
        shared = item_streams(shared_keys(key, batch, device, self.block), self.dim)
        bins, ranks, drawn = (torch.empty_like(gaussian.mean, dtype=torch.int64) for _ in range(3))
        capped = torch.empty_like(bins, dtype=torch.bool)
        with torch.no_grad():
            for n in torch.arange(len(bins), device=bins.device).split(CHUNK_COORDINATES):
                found = self._search_coordinates(gaussian[n], private[n], shared[n])
                bins[n], ranks[n], drawn[n], capped[n] = found
        shape = (target.batch, self.dim)
        code = Code(bins.reshape(*shape, 1), ranks.reshape(shape))
        return SearchResult(code, drawn.reshape(shape), capped.reshape(shape))

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """See `Coder.decode`: retraces the path in integers."""
        return quantile(self._replay(code, key)[2])

    def bin_bits(self, code: Code, key: int | Tensor) -> Tensor:
        """-log2 P(B_k), summed over dimensions; raises ValueError as `decode` does."""
        low, high, _ = self._replay(code, key)
        return (POSITION_BITS - torch.log2((high - low).double())).sum(1)

    def _search_coordinates(
        self, gaussian: Gaussian1D, private: Streams, shared: Streams
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Bin, rank, number of candidates and whether capped, (coordinates,) each."""
        rule = self._interval_rule(gaussian)
        mode, time = gaussian.mode, torch.zeros_like(gaussian.mean)
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
            low, high = subinterval(low, high, position, above=z < mode)
            over = over | (low == high)
            drawn[active[over]], capped[active[over]] = k + 1, False
            left = torch.nonzero(~over)[:, 0]
            if not len(left):
                break
            active, low, high, time, mode = (x[left] for x in (active, low, high, time, mode))
            private, shared = private[left], shared[left]
        return bins, ranks, drawn, capped

    def walk(
        self, ranks: Tensor, key: int | Tensor, descent: Descent
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Follow the path to candidates, step by step, as `descent` directs.

        Args:
            ranks: (batch, dim) int64, the numbers k of the candidates.
            key: as given to `search`.
            descent: chooses the part to continue in, at each candidate on the path.

        Returns:
            bounds of the interval B_k and the position of X_k, (batch, dim) int64 each.

        Raises:
            ValueError: if the path ends before a candidate.
        """
        shared = item_streams(shared_keys(key, len(ranks), ranks.device, self.block), self.dim)
        steps = ranks.flatten()
        low, position = torch.zeros_like(steps), torch.zeros_like(steps)
        high = torch.full_like(steps, POSITIONS)
        active = torch.arange(len(steps), device=steps.device)
        for k in range(int(steps.max()) + 1 if len(steps) else 0):
            position[active] = shared[active].positions(k, low[active], high[active])
            active = active[steps[active] > k]
            bounds = low[active], high[active], position[active]
            low[active], high[active] = subinterval(*bounds, above=descent(active, *bounds))
            if bool((low[active] >= high[active]).any()):
                raise ValueError("ranks: got one beyond the last candidate of its path")
        low, high, position = (x.reshape(ranks.shape) for x in (low, high, position))
        return low, high, position

    def _replay(self, code: Code, key: int | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bounds of the interval B_k and the position of X_k, (batch, dim) int64 each."""
        self._check_code(code)
        goal = code.bins.flatten()

        def towards_goal(
            coordinates: Tensor, low: Tensor, high: Tensor, position: Tensor
        ) -> Tensor:
            if bool((goal[coordinates] == position).any()):
                raise ValueError("bins: got a position that was drawn on the path to the candidate")
            return goal[coordinates] > position

        low, high, position = self.walk(code.ranks, key, towards_goal)
        if not torch.equal(shortest_position(low, high).flatten(), goal):
            raise ValueError("bins: got a position that is not the shortest of its interval")
        return low, high, position

    def _check_code(self, code: Code) -> None:
        self._check_dim("code", code.ranks.shape[-1])
        if code.bins.shape[1:] != (self.dim, 1):
            given = f"shape {tuple(code.bins.shape)}"
            raise ValueError(f"bins: got {given}, need (batch, {self.dim}, 1)")
        bins_fit, ranks_fit = all_hold(
            (code.bins >= 0) & (code.bins < POSITIONS),
            (code.ranks >= 0) & (code.ranks < self.max_candidates),
        )
        if not bins_fit:
            raise ValueError("bins: got one out of range, need [0, 2^32)")
        if not ranks_fit:
            raise ValueError(f"ranks: got one out of range, need [0, {self.max_candidates})")

    def _check_dim(self, field: str, dim: int) -> None:
        if dim != self.dim:
            raise ValueError(f"{field}: got dim {dim}, need the coder's, {self.dim}")


@dataclass(frozen=True)
class AStar(SplitOnSample):
    """A* coding: the candidate with the smallest T / r of all; exact.

    Once the leader has best <= T / sup r, no later candidate can overtake it. A capped search sends
    its leader.
    """

    def _interval_rule(self, gaussian: Gaussian1D) -> IntervalRule:
        log2_sup, best = gaussian.log2_sup(), torch.full_like(gaussian.mean, -torch.inf)

        def judge(coordinates: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
            score = gaussian[coordinates].log2_ratio(z) - log2_time
            leads = score > best[coordinates]
            best[coordinates] = torch.maximum(score, best[coordinates])
            return leads, best[coordinates] >= log2_sup[coordinates] - log2_time

        return judge


@dataclass(frozen=True)
class BranchAndBoundGPRS(SplitOnSample):
    """Greedy Poisson rejection sampling: the first candidate with T < sigma(r); exact.

    sigma is the stretch function of the real line (`gaussian_1d.stretch_function_1d`). A capped
    search sends its last candidate.
    """

    def _interval_rule(self, gaussian: Gaussian1D) -> IntervalRule:
        stretch = stretch_function_1d(gaussian)

        def judge(coordinates: Tensor, z: Tensor, log2_time: Tensor) -> tuple[Tensor, Tensor]:
            accepted = log2_time < stretch[coordinates].log2_sigma(z)
            return torch.ones_like(z, dtype=torch.bool), accepted

        return judge
