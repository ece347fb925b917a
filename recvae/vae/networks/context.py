"""The pixels before a pixel in raster order, and wavefronts that only see earlier wavefronts.

The context of a pixel consists of the `radius` rows above it, from `radius` columns on its left to
as many on its right, and of the `radius` pixels on its left; pixels outside the image are zero. In
row i above it, the context includes only columns less than `slope` * i to the right; a slope of
radius + 1 cuts nothing off. The pixels of one wavefront, column + slope * row, see only pixels of
earlier wavefronts, none of each other: they can be decoded at once.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional


def neighbours(radius: int, slope: int) -> list[tuple[int, int]]:
    """The pixels of a context as offsets, (rows up, columns right), row by row."""
    columns = range(-radius, radius + 1)
    return [(up, right) for up in range(radius, -1, -1) for right in columns if right < slope * up]


def wavefronts(sites: Tensor, height: int, width: int, slope: int) -> tuple[Tensor, ...]:
    """Split sites (n,), ascending indices into b*h*w, by wavefront; each part ascends."""
    row = sites // width % height
    fronts = sites % width + slope * row
    sizes = fronts.bincount(minlength=width + slope * (height - 1)).tolist()
    return sites.index_select(0, fronts.argsort(stable=True)).split(sizes)


def runs(fronts: Sequence[Tensor], most: int) -> Iterator[Sequence[Tensor]]:
    """Split wavefronts, in order, into runs of at most `most` sites or one wavefront each."""
    start = sites = 0
    for stop, front in enumerate(fronts):
        if stop > start and sites + len(front) > most:
            yield fronts[start:stop]
            start, sites = stop, 0
        sites += len(front)
    yield fronts[start:]


def causal_windows(maps: Tensor, radius: int, slope: int) -> Tensor:
    """The contexts of all pixels: (b, h, w, c) -> (b, h, w, neighbours * c), row by row."""
    height, width = maps.shape[1:3]
    padded = functional.pad(maps, (0, 0, radius, radius, radius, 0))
    shifted = [
        padded[:, radius - up : radius - up + height, radius + right : radius + right + width]
        for up, right in neighbours(radius, slope)
    ]
    return torch.cat([maps[..., :0], *shifted], dim=-1)


class Context:
    """A map of vectors for pixel values, filled in as pixels become known.

    Args:
        table: (levels, c), the vector of each value.
        shape: number, height and width of the images.
        radius, slope: those of the contexts.
    """

    def __init__(self, table: Tensor, shape: tuple[int, int, int], radius: int, slope: int) -> None:
        count, height, width = shape
        rows, columns = height + radius, width + 2 * radius  # with a border of zeros
        self._table = table
        self._map = table.new_zeros(count * rows * columns, table.shape[1])
        places = torch.arange(len(self._map), device=table.device).reshape(count, rows, columns)
        self._places = places[:, radius:, radius : radius + width].flatten()
        steps = [right - up * columns for up, right in neighbours(radius, slope)]
        self._steps = torch.tensor(steps, dtype=torch.int64, device=table.device)

    def fill(self, sites: Tensor, values: Tensor) -> None:
        """Fill in pixels: sites (n,), indices into b*h*w; values (n,) below `levels`."""
        self._map.index_copy_(
            0, self._places.index_select(0, sites), self._table.index_select(0, values)
        )

    def around(self, sites: Tensor) -> Tensor:
        """The contexts of sites (n,), (n, neighbours * c), row by row."""
        places = self._places.index_select(0, sites)[:, None] + self._steps
        vectors = self._map.index_select(0, places.flatten())
        return vectors.reshape(len(sites), len(self._steps) * self._map.shape[1])
