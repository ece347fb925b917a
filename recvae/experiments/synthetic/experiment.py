"""What an experiment is: a function from how much effort to tables, figures and headlines."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

import torch
from matplotlib.figure import Figure

from recvae.experiments.synthetic.tables import Table

T = TypeVar("T")


class Track(Protocol):
    """Goes through a sequence and shows how far it has come."""

    def __call__(self, steps: Sequence[T]) -> Iterable[T]:
        """The elements of `steps`."""
        ...


@dataclass(frozen=True)
class Headline:
    """One line of the summary: what was measured, what was published of it, what was found here."""

    name: str
    published: str
    found: str


@dataclass(frozen=True)
class Findings:
    """What an experiment found.

    Args:
        tables: by file name without ending.
        figures: likewise.
        heading: what the numbers of its headlines are.
        headlines: its lines in the summary.
    """

    tables: dict[str, Table]
    figures: dict[str, Figure]
    heading: str
    headlines: list[Headline]


Experiment: TypeAlias = Callable[[bool, torch.Generator, Track], Findings]
"""(quick, generator, track) to what was found; all randomness is the generator's."""
