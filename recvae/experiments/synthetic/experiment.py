"""The interface of experiments: functions to tables, figures and headlines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from matplotlib.figure import Figure

from recvae.experiments.running import Track
from recvae.experiments.tables import Table


@dataclass(frozen=True)
class Headline:
    """One line of the summary: the quantity, its published value, the value found here."""

    name: str
    published: str
    found: str


@dataclass(frozen=True)
class Findings:
    """The results of an experiment.

    Args:
        tables: by file name without extension.
        figures: likewise.
        heading: the meaning of the numbers in its headlines.
        headlines: its lines in the summary.
    """

    tables: dict[str, Table]
    figures: dict[str, Figure]
    heading: str
    headlines: list[Headline]


Experiment: TypeAlias = Callable[[bool, torch.Generator, Track], Findings]
"""From (quick, generator, track) to results; all randomness comes from the generator."""
