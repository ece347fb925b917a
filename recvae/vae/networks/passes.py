"""How a decoder's likelihood is evaluated: in passes, each of which may depend on those before.

A decoder's `passes(z)` is a generator. It yields a `Pass`, the logits of the pixels that can be
coded now, and is sent those pixels' symbols; from them it prepares the next pass; in the end it
returns the pixels. The sender sends it the true symbols, the receiver the ones it has just decoded,
a sampler the ones it has drawn: one definition of the model for all three.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

PIECE_LOGITS = 1 << 21  # evaluated at once: the memory of a pass does not grow with its sites


@dataclass(frozen=True, eq=False)
class Pass:
    """What is coded at one go.

    Fields:
        classes: number of symbols.
        logits_at: the logits (m, classes) of a slice of the n symbols; nats in a float network,
            units of the fixed point in an exact one.
        images: (n,) int64, which of the b images each symbol belongs to; ascending.
    """

    classes: int
    logits_at: Callable[[slice], Tensor]
    images: Tensor

    @property
    def logits(self) -> Tensor:
        """Those of all symbols, (n, classes)."""
        return self.logits_at(slice(0, len(self.images)))

    def pieces(self) -> Iterator[slice]:
        """Slices of the symbols, in order, that have at most `PIECE_LOGITS` logits each."""
        step = piece_length(self.classes)
        for start in range(0, len(self.images), step):
            yield slice(start, min(start + step, len(self.images)))


@dataclass(frozen=True, eq=False)
class PixelPass(Pass):
    """A pass whose symbols are those of pixels.

    Fields:
        sites: (n,) int64, ascending: which of the b*h*w pixels these symbols belong to.
        to_symbols: the symbols, (n,) int64, that stand for the pixel values (n,) at the sites.
    """

    sites: Tensor
    to_symbols: Callable[[Tensor], Tensor]


T = TypeVar("T")

Passes: TypeAlias = Generator[Pass, Tensor, Tensor]
KnownPasses: TypeAlias = Generator[tuple[Pass, Tensor], None, T]
"""Passes with their symbols, and what remains when they are done."""


def piece_length(numbers: int) -> int:
    """How many symbols are evaluated at once if each takes so many numbers."""
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
    """The passes of some images, (b,) int64 among all images."""
    try:
        step = next(passes)
        while True:
            step = passes.send((yield replace(step, images=images[step.images])))
    except StopIteration as end:
        return end.value


def answered(passes: Generator[Pass, Tensor, T], answers: Iterable[Tensor]) -> KnownPasses[T]:
    """Passes with their symbols, which are known; returns what the passes return."""
    try:
        step = next(passes)
        for symbols in answers:
            yield step, symbols
            step = passes.send(symbols)
    except StopIteration as end:
        return end.value
    raise AssertionError("fewer answers than passes")


def summed(passes: KnownPasses[T], count: int) -> tuple[Tensor, T]:
    """Of passes of `count` images: `log_likelihoods_nats`, and what they return."""
    steps = []
    try:
        while True:
            steps.append(next(passes))
    except StopIteration as end:
        return log_likelihoods_nats(steps, count), end.value


def log_likelihoods_nats(steps: Sequence[tuple[Pass, Tensor]], count: int) -> Tensor:
    """log p in nats of the symbols of passes, one or more, summed over each image, (count,)."""
    total = torch.zeros(count, dtype=torch.float32, device=steps[0][0].images.device)
    for step, symbols in steps:
        log_p = -functional.cross_entropy(step.logits.float(), symbols, reduction="none")
        total = total.index_add(0, step.images, log_p)
    return total
