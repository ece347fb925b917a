"""What an experiment is: a function from how much effort to tables, figures and headlines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from matplotlib.figure import Figure

from recvae.experiments.running import Track
from recvae.experiments.tables import Table


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
