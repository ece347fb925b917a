"""Checks types and shapes of tensors by name against those that a network needs."""

from collections.abc import Mapping
from typing import Any, TypeAlias

TypeAndShape: TypeAlias = tuple[Any, tuple[int, ...]]
"""The type is torch's, or anything comparable and printable."""


def check_tensors(given: Mapping[str, TypeAndShape], needed: Mapping[str, TypeAndShape]) -> None:
    """Raise ValueError, naming a tensor, unless names, types and shapes all match."""
    if missing := sorted(needed.keys() - given.keys()):
        raise ValueError(f"tensor {missing[0]} is missing")
    if superfluous := sorted(given.keys() - needed.keys()):
        raise ValueError(f"tensor {superfluous[0]!r} is not part of the architecture")
    for name, spec in needed.items():
        if given[name] != spec:
            raise ValueError(
                f"tensor {name} is {given[name][0]} {given[name][1]}; needed: {spec[0]} {spec[1]}"
            )
