"""The input of a step, and its rows of results."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """The extent of the measurements, and their device.

    Args:
        device: "cuda", or "cpu" for a dry run, with kernels in Triton's interpreter.
        quick: whether to measure less.
    """

    device: str
    quick: bool = False

    @property
    def dry(self) -> bool:
        """Whether it only checks that all steps run."""
        return self.device != "cuda"


@dataclass(frozen=True)
class Row:
    """A measurement or a finding.

    Args:
        name: the quantity.
        value: a number, or words.
        unit: unit of a number.
        batch: number of items, 0 if there are none.
        candidates: N or the cap, 0 if there are none.
        note: further remarks.
        step: the step it belongs to.
    """

    name: str
    value: float | str
    unit: str = ""
    batch: int = 0
    candidates: int = 0
    note: str = ""
    step: str = ""


DIFFERENT = "DIFFERENT"
"""The beginning of a row's value that is not as it must be."""

FAILED = "failed"
"""The name of the row that tells why a step ended early."""
