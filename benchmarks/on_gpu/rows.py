"""What a step is told, and the rows in which it answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """How large the measurements are, and where.

    Args:
        device: "cuda", or "cpu" for a dry run, with kernels in Triton's interpreter.
        quick: whether to measure less.
    """

    device: str
    quick: bool = False

    @property
    def dry(self) -> bool:
        """Whether it only shows that all steps run."""
        return self.device != "cuda"


@dataclass(frozen=True)
class Row:
    """Something measured or found out.

    Args:
        name: of what.
        value: a number, or in words.
        unit: of a number.
        batch: items, 0 where there are none.
        candidates: N or the cap, 0 where there are none.
        note: what else there is to say.
        step: whose row it is.
    """

    name: str
    value: float | str
    unit: str = ""
    batch: int = 0
    candidates: int = 0
    note: str = ""
    step: str = ""


DIFFERENT = "DIFFERENT"
"""How the value of a row begins that is not what it must be."""

FAILED = "failed"
"""The name of the row that says why a step ended early."""
