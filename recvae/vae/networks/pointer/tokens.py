"""The non-zero pixels of images, laid out for batched attention."""

import torch
from torch import Tensor
from torch.nn import functional

from recvae.vae.networks.context import neighbours

IMAGES_AT_ONCE = 16  # in attention, with similar numbers of pixels, as padding is costly
LENGTHS = 32  # lengths are multiples of it: few shapes, since libraries compile for each


def one_hot_before(values: Tensor, levels: int, dtype: torch.dtype) -> Tensor:
    """One-hot value of the pixel before each, (b, n, levels), 0 for the first; values: (b, n)."""
    hot = torch.zeros(*values.shape, levels, dtype=dtype, device=values.device)
    hot[:, 1:].scatter_(2, values[:, :-1, None], 1.0)
    return hot


def windows(values: Tensor, sites: Tensor, radius: int) -> Tensor:
    """The values in the contexts of sites (n,) of pixels (b, h, w): (n, neighbours)."""
    height, width = values.shape[1:]
    padded = functional.pad(values, (radius, radius, radius, 0))
    rows, columns = height + radius, width + 2 * radius
    image, row, column = sites // (height * width), sites // width % height, sites % width
    start = (image * rows + row + radius) * columns + column + radius
    steps = [right - up * columns for up, right in neighbours(radius, radius + 1)]
    return padded.flatten()[start[:, None] + torch.tensor(steps, device=values.device)]


class Tokens:
    """The non-zero pixels of images (b, h, w), image after image.

    Batches of images with similar numbers of them are padded to the longest with pixels that are
    not `real`: of value zero, at the first position of the first image.
    """

    def __init__(self, values: Tensor) -> None:
        height, width = values.shape[1:]
        flat = values.flatten()
        sites = flat.nonzero()[:, 0]
        counts = (sites // (height * width)).bincount(minlength=len(values))
        starts = counts.cumsum(0) - counts
        found, real, self.shapes = [], [], []
        for images in counts.argsort().split(IMAGES_AT_ONCE):
            longest = -(-int(counts[images].max()) // LENGTHS) * LENGTHS
            places = torch.arange(longest, device=values.device)
            there = places < counts[images, None]
            index = torch.where(there, starts[images, None] + places, 0)
            found.append(index.flatten())
            real.append(there.flatten())
            self.shapes.append(index.shape)
        self.real = torch.cat(real)
        self.sites = torch.where(self.real, sites[torch.cat(found)], 0)
        self.values = torch.where(self.real, flat[self.sites], 0)
        self.images = self.sites // (height * width)
        self.rows, self.columns = self.sites // width % height, self.sites % width

    def split(self, x: Tensor) -> list[Tensor]:
        """(n, ...) as (images, n, ...), one for each batch of images padded together."""
        sizes = [images * length for images, length in self.shapes]
        parts = zip(x.split(sizes), self.shapes, strict=True)
        return [part.reshape(*shape, *x.shape[1:]) for part, shape in parts]
