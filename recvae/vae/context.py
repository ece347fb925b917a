"""The pixels before a pixel in raster order, and the wavefronts that reach all of them in time.

The context of a pixel are the `radius` rows above it, from `radius` columns on its left to as many
on its right, and the `radius` pixels on its left; there is nothing outside the image. The pixels of
one wavefront, column + (radius + 1) * row, see none of each other, but only those of earlier ones:
they can be decoded at once.
"""

import torch
from torch import Tensor
from torch.nn import functional


def num_neighbours(radius: int) -> int:
    """Pixels in a context."""
    return radius * (2 * radius + 1) + radius


def wavefronts(count: int, height: int, width: int, radius: int, device: torch.device) -> Tensor:
    """The wavefront of each pixel of `count` images, (count * height * width,) int64."""
    row = torch.arange(height, device=device)[:, None] * (radius + 1)
    return (row + torch.arange(width, device=device)).flatten().repeat(count)


def causal_windows(maps: Tensor, radius: int) -> Tensor:
    """The contexts of all pixels: (b, h, w, c) -> (b, h, w, neighbours * c), row by row."""
    height, width = maps.shape[1:3]
    padded = functional.pad(maps, (0, 0, radius, radius, radius, 0))
    columns = [(row, column) for row in range(radius) for column in range(2 * radius + 1)]
    columns += [(radius, column) for column in range(radius)]
    shifted = [padded[:, i : i + height, j : j + width] for i, j in columns]
    return torch.cat([maps[..., :0], *shifted], dim=-1)


class Context:
    """A map that is filled in while pixels become known; vectors stand for their values.

    Args:
        table: (levels, c), the vector of each value.
        shape: number, height and width of the images.
        radius: of the contexts.
    """

    def __init__(self, table: Tensor, shape: tuple[int, int, int], radius: int) -> None:
        count, height, width = shape
        rows, columns = height + radius, width + 2 * radius  # with a rim of zeros
        self._table = table
        self._map = table.new_zeros(count * rows * columns, table.shape[1])
        places = torch.arange(len(self._map), device=table.device).reshape(count, rows, columns)
        self._places = places[:, radius:, radius : radius + width].flatten()
        side = torch.arange(-radius, radius + 1, device=table.device)
        window = side[: radius + 1, None] * columns + side
        self._steps = window.flatten()[: num_neighbours(radius)]

    def fill(self, sites: Tensor, values: Tensor) -> None:
        """Pixels become known: sites (n,) among b*h*w, values (n,) below `levels`."""
        self._map.index_copy_(
            0, self._places.index_select(0, sites), self._table.index_select(0, values)
        )

    def around(self, sites: Tensor) -> Tensor:
        """The contexts of sites (n,), (n, neighbours * c), row by row."""
        places = self._places.index_select(0, sites)[:, None] + self._steps
        vectors = self._map.index_select(0, places.flatten())
        return vectors.reshape(len(sites), len(self._steps) * self._map.shape[1])
