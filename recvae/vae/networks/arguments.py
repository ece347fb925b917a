"""Arguments of networks: dataclasses of integers within limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from recvae.errors import InputError


def argument(default: int, low: int, high: int) -> int:
    """A field of a dataclass of arguments: an integer from `low` to `high`."""
    return field(default=default, metadata={"limits": (low, high)})


@dataclass(frozen=True)
class NoArguments:
    """Arguments of a network that takes none."""


def argument_limits(arguments: type[Any]) -> dict[str, tuple[int, int]]:
    """The smallest and the largest value of each argument, by name."""
    return {it.name: it.metadata["limits"] for it in fields(arguments)}


def all_arguments(arguments: type[Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All arguments by name, in order, with defaults for those not given.

    Raises InputError, which names the argument and `where` it stands, if one is unknown or out of
    its limits.
    """
    limits = argument_limits(arguments)
    for name, value in given.items():
        if name not in limits:
            raise InputError(f"{where}.{name} is unknown; choose from {sorted(limits)}")
        check_integer(f"{where}.{name}", value, limits[name])
    return {it.name: given.get(it.name, it.default) for it in fields(arguments)}


def check_integer(name: str, value: Any, limits: tuple[int, int]) -> None:
    """Raise InputError unless the value is an integer within the limits."""
    low, high = limits
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; allowed: {low} to {high}, an integer")
