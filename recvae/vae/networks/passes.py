"""Evaluation of a decoder's likelihood in passes, each of which may depend on earlier ones.

A decoder's `passes(z)` is a generator. It yields a `Pass`, the logits of the pixels that can be
coded now, and is sent their symbols, from which it prepares the next pass; it finally returns the
pixels. The sender sends it the true symbols, the receiver those just decoded, a sampler those just
drawn: one definition of the model for all three.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

PIECE_LOGITS = 1 << 21  # evaluated at once, so that memory does not grow with the sites of a pass


@dataclass(frozen=True, eq=False)
class Pass:
    """Symbols that are coded together.

    Fields:
        classes: number of symbols.
        logits_at: the logits (m, classes) of a slice of the n symbols; nats in a float network,
            units of the fixed point in an exact one.
        images: (n,) int64, which of the b images each symbol belongs to, ascending.
    """

    classes: int
    logits_at: Callable[[slice], Tensor]
    images: Tensor

    @property
    def logits(self) -> Tensor:
        """The logits of all symbols, (n, classes)."""
        return self.logits_at(slice(0, len(self.images)))

    def pieces(self) -> Iterator[slice]:
        """Slices of the symbols, in order, with at most `PIECE_LOGITS` logits each."""
        step = piece_length(self.classes)
        for start in range(0, len(self.images), step):
            yield slice(start, min(start + step, len(self.images)))


@dataclass(frozen=True, eq=False)
class PixelPass(Pass):
    """A pass whose symbols stand for pixels.

    Fields:
        sites: (n,) int64, ascending: the pixel of each symbol, as an index into b*h*w.
        to_symbols: from pixel values (n,) at the sites to their symbols, (n,) int64.
    """

    sites: Tensor
    to_symbols: Callable[[Tensor], Tensor]


T = TypeVar("T")

Passes: TypeAlias = Generator[Pass, Tensor, Tensor]
KnownPasses: TypeAlias = Generator[tuple[Pass, Tensor], None, T]
"""Passes with their symbols, then a final result."""


def piece_length(numbers: int) -> int:
    """Number of symbols to evaluate at once if each takes this many numbers."""
    return max(1, PIECE_LOGITS // numbers)


def run_passes(passes: Passes, answer: Callable[[Pass], Tensor]) -> Tensor:
    """Drive a decoder: `answer` maps each pass to its symbols (n,). Returns pixels (b, h, w)."""
    try:
        step = next(passes)
        while True:
            step = passes.send(answer(step))
    except StopIteration as end:
        return end.value


def sample_pixels(passes: Passes, generator: torch.Generator | None = None) -> Tensor:
    """Draw x ~ p(x|z) with a float decoder. Returns (b, h, w) int64."""

    def draw(step: Pass) -> Tensor:
        if len(step.images) == 0:
            return step.images
        probabilities = step.logits.float().softmax(dim=-1)
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0]

    return run_passes(passes, draw)


def for_images(images: Tensor, passes: Passes) -> Passes:
    """Passes of a subset of all images, given by their indices (b,) int64."""
    try:
        step = next(passes)
        while True:
            step = passes.send((yield replace(step, images=images[step.images])))
    except StopIteration as end:
        return end.value


def answered(passes: Generator[Pass, Tensor, T], answers: Iterable[Tensor]) -> KnownPasses[T]:
    """Run passes whose symbols are known, yielding both; return what the passes return."""
    try:
        step = next(passes)
        for symbols in answers:
            yield step, symbols
            step = passes.send(symbols)
    except StopIteration as end:
        return end.value
    raise AssertionError("fewer answers than passes")


def summed(passes: KnownPasses[T], count: int) -> tuple[Tensor, T]:
    """`log_likelihoods_nats` of passes over `count` images, and what the passes return."""
    steps = []
    try:
        while True:
            steps.append(next(passes))
    except StopIteration as end:
        return log_likelihoods_nats(steps, count), end.value


def log_likelihoods_nats(steps: Sequence[tuple[Pass, Tensor]], count: int) -> Tensor:
    """log p in nats of the symbols of one or more passes, summed over each image, (count,)."""
    total = torch.zeros(count, dtype=torch.float32, device=steps[0][0].images.device)
    for step, symbols in steps:
        log_p = -functional.cross_entropy(step.logits.float(), symbols, reduction="none")
        total = total.index_add(0, step.images, log_p)
    return total
