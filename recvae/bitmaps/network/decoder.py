"""The decoder of bitmaps: codes MNIST's images as the black and white bitmaps behind them.

An image whose bitmap `recvae.bitmaps` finds is coded by it: first its frame, symbol by symbol; then
the bits of its ink (see `ink`), transposed, since digits are taller than wide, which gives fewer
wavefronts; then, once the bitmap is known, which of the nearly integer pixels were nudged. All
other images are coded by their grey values, by a causal decoder.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from recvae.bitmaps import BOX, SIDE, Bitmap, Frame, Recovery, joined
from recvae.bitmaps.frame import CLASSES
from recvae.bitmaps.network.ink import InkDecoder
from recvae.bitmaps.network.tensors import KnownBitmaps, Ties, box_extents
from recvae.errors import InputError
from recvae.vae.networks.arguments import argument
from recvae.vae.networks.causal import CausalArguments, CausalDecoder
from recvae.vae.networks.decoder import Decoder
from recvae.vae.networks.encoders import ConvEncoder, ConvEncoderArguments
from recvae.vae.networks.layers import Dense, Embedding
from recvae.vae.networks.passes import (
    Pass,
    Passes,
    answered,
    for_images,
    log_likelihoods_nats,
    summed,
)
from recvae.vae.networks.registry import Network
from recvae.vae.networks.upsampling import Head

BITMAP, GREY = 0, 1
GREY_LOG_ODDS = -5.5  # for images without a bitmap
GREY_IN_TRAINING = 1 / 16  # of images with a bitmap, coded as if they had none
FRAME_COLUMNS, VALUE_COLUMNS, PLACE_COLUMNS = 7, 12, 4  # learned, of vectors for symbols


@dataclass(frozen=True)
class BitmapArguments:
    """Arguments of `BitmapDecoder`.

    Fields:
        about: size of the vector that informs the layers after the first about an image.
        channels, blocks, radius: those of the bits; see `InkDecoder`.
        grey_channels, grey_blocks, grey_hidden, grey_radius: those of the decoder for images
            without a bitmap; see `CausalArguments`.
    """

    about: int = argument(64, 1, 1024)
    channels: int = argument(96, 1, 1024)
    blocks: int = argument(2, 0, 64)
    radius: int = argument(7, 0, 16)
    grey_channels: int = argument(40, 1, 1024)
    grey_blocks: int = argument(2, 0, 64)
    grey_hidden: int = argument(64, 1, 4096)
    grey_radius: int = argument(3, 0, 16)

    @property
    def grey(self) -> CausalArguments:
        """Arguments of the decoder for images without a bitmap."""
        return CausalArguments(
            self.grey_channels, self.grey_blocks, self.grey_hidden, self.grey_radius
        )


class BitmapDecoder(Decoder):
    """p(x|z) of images of 28 x 28 pixels; see the module's docstring.

    Args:
        latent_dim: D, the number of latents.
        height, width: 28.
        arguments: see `BitmapArguments`.

    Raises:
        InputError: for images of another size.
    """

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: BitmapArguments
    ) -> None:
        if (height, width) != (SIDE, SIDE):
            raise InputError(
                f"architecture: height and width are {height} and {width}; the network of scans "
                f"needs {SIDE} and {SIDE}: choose causal or staged for other images"
            )
        super().__init__(height, width)
        condition_size = arguments.about
        self._recovery = Recovery()
        self.seed = Dense(latent_dim, condition_size)
        with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
            self.kind = Embedding(torch.tensor([[0.0, GREY_LOG_ODDS]]), 0)
            fractions = [torch.arange(count)[:, None] / count for count in (*CLASSES, 256)]
        self.fields = nn.ModuleList(Embedding(f, FRAME_COLUMNS) for f in fractions[:-1])
        columns = 1 + FRAME_COLUMNS
        self.frame = nn.ModuleList(
            Head(condition_size + place * columns, condition_size, count)
            for place, count in enumerate(CLASSES)
        )
        self.known = Dense(condition_size + len(CLASSES) * columns, condition_size)
        self.ink = InkDecoder(
            condition_size, arguments.channels, arguments.blocks, arguments.radius
        )
        self.tied = Embedding(fractions[-1], VALUE_COLUMNS)
        self.rows, self.columns = (
            Embedding(torch.zeros(BOX, 0, device="cpu"), PLACE_COLUMNS) for _ in range(2)
        )
        self.nudge = Head(condition_size + 1 + VALUE_COLUMNS + 2 * PLACE_COLUMNS, condition_size, 2)
        self.grey = CausalDecoder(condition_size, height, width, arguments.grey)

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, 28, 28) uint8. Returns (b,).

        Training sees its images repeatedly, so all their bitmaps are cached.
        """
        condition, bitmaps = self.seed(z), self._recovery(pixels.cpu().numpy(), remembered=None)
        if self.training:
            as_grey = (torch.rand(len(bitmaps)) < GREY_IN_TRAINING).tolist()
            bitmaps = [
                None if grey else bitmap for bitmap, grey in zip(bitmaps, as_grey, strict=True)
            ]
        kinds, known = _sorted_out(bitmaps, z.device)
        every = torch.arange(len(z), device=z.device)
        result = log_likelihoods_nats([(self._kind_pass(every), kinds)], len(z))
        if len(recovered := (kinds == BITMAP).nonzero()[:, 0]):
            frame_nats, (_, bitmap_condition) = summed(
                answered(self._frame_passes(condition[recovered]), known.symbols.unbind(1)),
                len(recovered),
            )
            ink = self.ink.log_likelihood_nats(bitmap_condition, known.ink, known.extents)
            ties = [(self._nudge_pass(bitmap_condition, known.ties), known.nudged)]
            bitmap_nats = frame_nats + ink + log_likelihoods_nats(ties, len(recovered))
            result = result.index_add(0, recovered, bitmap_nats)
        if len(grey := (kinds == GREY).nonzero()[:, 0]):
            grey_nats = self.grey.log_likelihood_nats(condition[grey], pixels[grey])
            result = result.index_add(0, grey, grey_nats)
        return result

    def passes(self, z: Tensor) -> Passes:
        """Code images pass by pass; see `recvae.vae.networks.passes`."""
        condition, every = self.seed(z), torch.arange(len(z), device=z.device)
        kinds = yield self._kind_pass(every)
        recovered, grey = ((kinds == kind).nonzero()[:, 0] for kind in (BITMAP, GREY))
        pixels = torch.zeros(len(z), SIDE, SIDE, dtype=torch.int64, device=z.device)
        pixels[recovered] = yield from for_images(
            recovered, self._bitmap_passes(condition[recovered])
        )
        if len(grey):
            pixels[grey] = yield from for_images(grey, self.grey.passes(condition[grey]))
        return pixels

    def known_passes(self, z: Tensor, pixels: Tensor) -> Iterator[tuple[Pass, Tensor]]:
        """See `Decoder`; all bits of the ink are evaluated at once."""
        condition, every = self.seed(z), torch.arange(len(z), device=z.device)
        kinds, known = _sorted_out(self._recovery(pixels.cpu().numpy()), z.device)
        yield self._kind_pass(every), kinds
        recovered, grey = ((kinds == kind).nonzero()[:, 0] for kind in (BITMAP, GREY))
        for step, symbols in self._known_bitmap_passes(condition[recovered], known):
            yield replace(step, images=recovered[step.images]), symbols
        if len(grey):
            for grey_step, symbols in self.grey.known_passes(condition[grey], pixels[grey]):
                yield replace(grey_step, images=grey[grey_step.images]), symbols

    def input_limit(self, path: str, limit: int) -> int | Tensor:
        """See `Decoder`."""
        name, _, rest = path.partition(".")
        if name in ("ink", "grey"):
            return getattr(self, name).input_limit(rest, limit)
        return limit

    def _bitmap_passes(self, condition: Tensor) -> Passes:
        """Code bitmaps; return the images (b, 28, 28) that they render to."""
        symbols, condition = yield from self._frame_passes(condition)
        frames = [Frame.from_symbols(row) for row in symbols.tolist()]
        bits = yield from self.ink.passes(condition, box_extents(frames, condition.device))
        bitmaps = [
            joined(frame, turned[: frame.width, : frame.height].T)
            for frame, turned in zip(frames, bits.to(torch.uint8).cpu().numpy(), strict=True)
        ]
        ties = Ties.of(bitmaps, condition.device)
        nudged = yield self._nudge_pass(condition, ties)
        images = [bitmap.render() for bitmap in ties.nudge(bitmaps, nudged)]
        return (
            torch.from_numpy(np.array(images, dtype=np.uint8).reshape(-1, SIDE, SIDE))
            .long()
            .to(condition.device)
        )

    def _known_bitmap_passes(
        self, condition: Tensor, known: KnownBitmaps
    ) -> Iterator[tuple[Pass, Tensor]]:
        _, condition = yield from answered(self._frame_passes(condition), known.symbols.unbind(1))
        yield from self.ink.known_passes(condition, known.ink, known.extents)
        yield self._nudge_pass(condition, known.ties), known.nudged

    def _kind_pass(self, every: Tensor) -> Pass:
        logits = self.kind(torch.zeros_like(every))
        return Pass(2, logits.__getitem__, every)

    def _frame_passes(self, condition: Tensor) -> Generator[Pass, Tensor, tuple[Tensor, Tensor]]:
        """Return the symbols (b, 6), and the condition including them, (b, columns)."""
        every, symbols = torch.arange(len(condition), device=condition.device), []
        for head, field, classes in zip(self.frame, self.fields, CLASSES, strict=True):
            logits = head(condition)
            symbols.append((yield Pass(classes, logits.__getitem__, every)))
            condition = torch.cat([condition, field(symbols[-1]).to(condition.dtype)], dim=1)
        return torch.stack(symbols, dim=1), self.known(condition)

    def _nudge_pass(self, condition: Tensor, ties: Ties) -> Pass:
        vectors = [self.tied(ties.values), self.rows(ties.rows), self.columns(ties.columns)]
        inputs = [condition[ties.images], *(vector.to(condition.dtype) for vector in vectors)]
        logits = self.nudge(torch.cat(inputs, dim=1))
        return Pass(2, logits.__getitem__, ties.images)


def _sorted_out(
    bitmaps: Sequence[Bitmap | None], device: torch.device
) -> tuple[Tensor, KnownBitmaps]:
    """The kind of each image, (b,) int64, and the bitmaps that were found."""
    kinds = [GREY if bitmap is None else BITMAP for bitmap in bitmaps]
    known = KnownBitmaps.of([bitmap for bitmap in bitmaps if bitmap is not None], device)
    return torch.tensor(kinds, dtype=torch.int64, device=device), known


NETWORK = Network(
    "scans",
    ConvEncoder,
    BitmapDecoder,
    ConvEncoderArguments,
    BitmapArguments,
    size=(SIDE, SIDE),
    summary="finds the scans behind MNIST",
)
