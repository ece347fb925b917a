"""Bitmaps as tensors, in the form that the decoder's passes code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recvae.bitmaps import BOX, Bitmap, Frame, split
from recvae.bitmaps.frame import CLASSES


@dataclass(frozen=True, eq=False)
class Ties:
    """The pixels that a nudge can move, over all bitmaps: (n,) int64 each, ascending by image.

    Fields:
        images, rows, columns: the image, and the position in its box of 20 x 20 pixels.
        values: the integers that the pixels nearly are.
    """

    images: Tensor
    rows: Tensor
    columns: Tensor
    values: Tensor

    @classmethod
    def of(cls, bitmaps: Sequence[Bitmap], device: torch.device) -> "Ties":
        """The ties of some bitmaps."""
        ties = np.array([bitmap.ties() for bitmap in bitmaps], dtype=np.int64).reshape(-1, BOX, BOX)
        places = np.nonzero(ties >= 0)
        return cls(*(torch.from_numpy(part).to(device) for part in (*places, ties[places])))

    def nudge(self, bitmaps: Sequence[Bitmap], nudged: Tensor) -> Iterator[Bitmap]:
        """Nudge the pixels marked in `nudged` (n,)."""
        masks = np.zeros((len(bitmaps), BOX, BOX), dtype=bool)
        places = (part.cpu().numpy() for part in (self.images, self.rows, self.columns))
        masks[tuple(places)] = nudged.bool().cpu().numpy()
        return (replace(bitmap, nudged=mask) for bitmap, mask in zip(bitmaps, masks, strict=True))


@dataclass(frozen=True, eq=False)
class KnownBitmaps:
    """Bitmaps in the form that passes code.

    Fields:
        symbols: (b, 6) int64, those of the frames.
        extents: (b, 2) int64, width and height of the ink.
        ink: (b, max width, max height) uint8, the bits, transposed.
        ties: pixels that may be nudged.
        nudged: (n,) int64, whether each of them is.
    """

    symbols: Tensor
    extents: Tensor
    ink: Tensor
    ties: Ties
    nudged: Tensor

    @classmethod
    def of(cls, bitmaps: Sequence[Bitmap], device: torch.device) -> "KnownBitmaps":
        """Convert bitmaps, none of them without ink."""
        parts = [split(bitmap) for bitmap in bitmaps]
        symbols = np.array([frame.symbols() for frame, _ in parts], dtype=np.int64)
        extents = box_extents([frame for frame, _ in parts], device)
        ink = torch.zeros(
            len(bitmaps), *(extents.amax(0).tolist() if len(bitmaps) else (1, 1)), dtype=torch.uint8
        )
        for canvas, (frame, bits) in zip(ink.numpy(), parts, strict=True):
            canvas[: frame.width, : frame.height] = bits.T
        ties = Ties.of(bitmaps, device)
        nudged = torch.from_numpy(np.array([bitmap.nudged for bitmap in bitmaps], dtype=np.int64))
        places = (part.cpu() for part in (ties.images, ties.rows, ties.columns))
        return cls(
            torch.from_numpy(symbols.reshape(-1, len(CLASSES))).to(device),
            extents,
            ink.to(device),
            ties,
            nudged.reshape(-1, BOX, BOX)[tuple(places)].to(device),
        )


def box_extents(frames: Sequence[Frame], device: torch.device) -> Tensor:
    """Width and height of the ink, (b, 2) int64."""
    sides = [(frame.width, frame.height) for frame in frames]
    return torch.tensor(sides, dtype=torch.int64, device=device).reshape(-1, 2)
