"""Pictures to the networks' format and back: tiles, padded, in colour, in [0, 1]."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from recvae.codec.container.group import tile_areas, tile_within
from recvae.codec.image_coder import Pixels
from recvae.images.spec import GREY, RGB, ImageSpec

CHANNELS = (GREY, RGB)  # of the pictures that a hierarchy codes
TILE = 256
PIXELS_AT_ONCE = 1 << 18
ONE_STREAM_PIXELS = 1 << 12
"""Pictures of at most this size use one stream, as a checksum for each layer would cost more."""

Area = tuple[slice, slice]


def layers_of(spec: ImageSpec, layers: int) -> int:
    """The number of streams of a tile: one for each latent layer, or one for all."""
    return 1 if spec.num_pixels <= ONE_STREAM_PIXELS else layers


def alike(spec: ImageSpec) -> Iterator[list[int]]:
    """Indices of the tiles, grouped by size."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for number, (rows, columns) in enumerate(tile_areas(spec, tile_within(spec, TILE))):
        size = rows.stop - rows.start, columns.stop - columns.start
        sizes.setdefault(size, []).append(number)
    yield from sizes.values()


def to_network(pixels: Pixels, stride: int) -> Tensor:
    """Pixels (n, h, w) or (n, h, w, 3) to (n, 3, H, W) float32, padded to multiples of a stride."""
    colour = pixels[..., None].repeat(RGB, axis=-1) if pixels.ndim == 3 else pixels
    down, right = (-side % stride for side in colour.shape[1:3])
    padded = np.pad(colour, ((0, 0), (0, down), (0, right), (0, 0)), mode="edge")
    return torch.from_numpy(np.ascontiguousarray(padded)).permute(0, 3, 1, 2).float() / 255


def from_network(output: Tensor, height: int, width: int) -> Pixels:
    """Outputs (n, 3, H, W), nominally in [0, 1], to uint8 (n, height, width, 3)."""
    values = output[:, :, :height, :width].clamp(0, 1) * 255
    rounded: Pixels = values.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return rounded


def to_spec(picture: Pixels, spec: ImageSpec) -> Pixels:
    """Convert a colour picture to its spec: grey is the rounded mean of the channels."""
    if spec.channels != GREY:
        return picture
    grey: Pixels = ((2 * picture.sum(-1, dtype=np.int64) + RGB) // (2 * RGB)).astype(np.uint8)
    return grey
