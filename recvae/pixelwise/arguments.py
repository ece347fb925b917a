"""Sizes of a network, and the context of a pixel."""

from dataclasses import dataclass
from itertools import pairwise

from recvae.errors import InputError
from recvae.pixelwise.rows import num_neighbours


@dataclass(frozen=True)
class PixelArguments:
    """Sizes of a network, and its context.

    Fields:
        hidden: widths of the two hidden layers.
        components: number of components of the mixture.
        reach: extent of the neighbours: pixels to the left; then for each row above, pixels to
            either side of the pixel's column.
        filter_reach: the same for the adaptive filters.
        filter_rate: learning rate of the filters.
        corrected: whether weights and scales of the mixture are corrected as pixels are coded.
    """

    hidden: tuple[int, int] = (96, 96)
    components: int = 4
    reach: tuple[int, ...] = (3, 3, 2, 1)
    filter_reach: tuple[int, ...] = (2, 2, 1)
    filter_rate: int = 150_000
    corrected: bool = True

    def __post_init__(self) -> None:
        bounds = {"hidden": (2, 2, 8, 256), "reach": (2, 4, 0, 4), "filter_reach": (2, 4, 0, 4)}
        for name, (fewest, most, low, high) in bounds.items():
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            good = all(type(v) is int and low <= v <= high for v in values)
            if not (fewest <= len(values) <= most and good):
                raise InputError(
                    f"{name} is {list(values)}; need {fewest} to {most} integers of {low} to {high}"
                )
        for name, high in (("components", 16), ("filter_rate", 500_000)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= high:
                raise InputError(f"{name} is {value!r}; need an integer of 1 to {high}")
        if type(self.corrected) is not bool:
            raise InputError(f"corrected is {self.corrected!r}; need true or false")
        if self.reach[0] < 1 or self.filter_reach[0] < 1:
            raise InputError("reach and filter_reach must begin with at least 1")

    def num_inputs(self, channels: int) -> int:
        """Number of inputs for a pixel: neighbours, median predictions, filters, errors."""
        return channels * (num_neighbours(self.reach) + 3)

    def num_outputs(self, channels: int) -> int:
        """Number of outputs; see `law_bits`."""
        return self.components * (1 + 3 * channels + channels * (channels - 1) // 2)

    def layer_sizes(self, channels: int) -> list[tuple[int, int]]:
        """Inputs and outputs of each of the three layers."""
        return list(pairwise((self.num_inputs(channels), *self.hidden, self.num_outputs(channels))))

    def num_filter_inputs(self, channels: int) -> int:
        """Number of inputs of each filter: differences of neighbours and of earlier channels."""
        return channels * num_neighbours(self.filter_reach) + channels - 1
