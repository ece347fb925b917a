"""The decoder of scans: MNIST's images as what they are, functions of black and white scans.

An image that `recvae.bitmaps` finds the scan of is coded by it: first its frame, symbol by symbol;
then the bits of its ink (see `ink`), a scan's columns as rows, since digits are taller than wide
and that makes fewer wavefronts; then, once the scan is known, which of the pixels that are all but
an integer were nudged. Any other image is coded by its grey values, by a causal decoder.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from recvae.bitmaps import BOX, SIDE, Bitmap, Frame, Recovery, joined
from recvae.bitmaps.frame import CLASSES
from recvae.bitmaps.network.ink import InkDecoder
from recvae.bitmaps.network.tensors import KnownScans, Ties, extents_of
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
    log_likelihoods_nats,
    of_images,
    summed,
)
from recvae.vae.networks.registry import Network
from recvae.vae.networks.upsampling import Head

SCANNED, GREY = 0, 1
GREY_LOG_ODDS = -5.5  # of images without a scan
GREY_IN_TRAINING = 1 / 16  # of images with one are coded as if they had none, to learn that, too
FRAME_COLUMNS, VALUE_COLUMNS, PLACE_COLUMNS = 7, 12, 4  # learned, of vectors for symbols


@dataclass(frozen=True)
class ScanArguments:
    """Of `ScanDecoder`.

    Fields:
        about: how many numbers tell the layers after the first what is known of an image.
        channels, blocks, radius: of the bits; see `InkDecoder`.
        grey_channels, grey_blocks, grey_hidden, grey_radius: of the decoder for images without a
            scan; see `CausalArguments`.
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
        """Of the decoder for images without a scan."""
        return CausalArguments(
            self.grey_channels, self.grey_blocks, self.grey_hidden, self.grey_radius
        )


class ScanDecoder(Decoder):
    """p(x|z) of images of 28 x 28 pixels; see the module's docstring.

    Args:
        latent_dim: D, number of latents.
        height, width: 28.
        arguments: see `ScanArguments`.

    Raises:
        InputError: for images of another size.
    """

    def __init__(self, latent_dim: int, height: int, width: int, arguments: ScanArguments) -> None:
        if (height, width) != (SIDE, SIDE):
            raise InputError(
                f"architecture: height and width are {height} and {width}; images that come from "
                f"scans have {SIDE} and {SIDE}: choose causal or staged for others"
            )
        super().__init__(height, width)
        about = arguments.about
        self._recovery = Recovery()
        self.seed = Dense(latent_dim, about)
        with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
            self.kind = Embedding(torch.tensor([[0.0, GREY_LOG_ODDS]]), 0)
            fractions = [torch.arange(count)[:, None] / count for count in (*CLASSES, 256)]
        self.fields = nn.ModuleList(Embedding(f, FRAME_COLUMNS) for f in fractions[:-1])
        columns = 1 + FRAME_COLUMNS
        self.frame = nn.ModuleList(
            Head(about + place * columns, about, count) for place, count in enumerate(CLASSES)
        )
        self.known = Dense(about + len(CLASSES) * columns, about)
        self.ink = InkDecoder(about, arguments.channels, arguments.blocks, arguments.radius)
        self.tied = Embedding(fractions[-1], VALUE_COLUMNS)
        self.rows, self.columns = (
            Embedding(torch.zeros(BOX, 0, device="cpu"), PLACE_COLUMNS) for _ in range(2)
        )
        self.nudge = Head(about + 1 + VALUE_COLUMNS + 2 * PLACE_COLUMNS, about, 2)
        self.grey = CausalDecoder(about, height, width, arguments.grey)

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, 28, 28) uint8. Returns (b,).

        Training comes back to its images: their scans are all remembered.
        """
        about, scans = self.seed(z), self._recovery(pixels.cpu().numpy(), remembered=None)
        if self.training:
            as_grey = (torch.rand(len(scans)) < GREY_IN_TRAINING).tolist()
            scans = [None if grey else scan for scan, grey in zip(scans, as_grey, strict=True)]
        kinds, known = _sorted_out(scans, z.device)
        every = torch.arange(len(z), device=z.device)
        result = log_likelihoods_nats([(self._kind_pass(every), kinds)], len(z))
        if len(scanned := (kinds == SCANNED).nonzero()[:, 0]):
            of_frames, (_, about_scans) = summed(
                answered(self._frame_passes(about[scanned]), known.symbols.unbind(1)),
                len(scanned),
            )
            ink = self.ink.log_likelihood_nats(about_scans, known.ink, known.extents)
            ties = [(self._nudge_pass(about_scans, known.ties), known.nudged)]
            of_scans = of_frames + ink + log_likelihoods_nats(ties, len(scanned))
            result = result.index_add(0, scanned, of_scans)
        if len(grey := (kinds == GREY).nonzero()[:, 0]):
            of_greys = self.grey.log_likelihood_nats(about[grey], pixels[grey])
            result = result.index_add(0, grey, of_greys)
        return result

    def passes(self, z: Tensor) -> Passes:
        """Code images pass by pass; see `recvae.vae.networks.passes`."""
        about, every = self.seed(z), torch.arange(len(z), device=z.device)
        kinds = yield self._kind_pass(every)
        scanned, grey = ((kinds == kind).nonzero()[:, 0] for kind in (SCANNED, GREY))
        pixels = torch.zeros(len(z), SIDE, SIDE, dtype=torch.int64, device=z.device)
        pixels[scanned] = yield from of_images(scanned, self._scan_passes(about[scanned]))
        if len(grey):
            pixels[grey] = yield from of_images(grey, self.grey.passes(about[grey]))
        return pixels

    def known_passes(self, z: Tensor, pixels: Tensor) -> Iterator[tuple[Pass, Tensor]]:
        """As in `Decoder`; all bits of the ink are evaluated at once."""
        about, every = self.seed(z), torch.arange(len(z), device=z.device)
        kinds, known = _sorted_out(self._recovery(pixels.cpu().numpy()), z.device)
        yield self._kind_pass(every), kinds
        scanned, grey = ((kinds == kind).nonzero()[:, 0] for kind in (SCANNED, GREY))
        for step, symbols in self._known_scan_passes(about[scanned], known):
            yield replace(step, images=scanned[step.images]), symbols
        if len(grey):
            for of_grey, symbols in self.grey.known_passes(about[grey], pixels[grey]):
                yield replace(of_grey, images=grey[of_grey.images]), symbols

    def input_limit(self, path: str, limit: int) -> int | Tensor:
        """As in `Decoder`."""
        name, _, rest = path.partition(".")
        if name in ("ink", "grey"):
            return getattr(self, name).input_limit(rest, limit)
        return limit

    def _scan_passes(self, about: Tensor) -> Passes:
        """The images (b, 28, 28) that scans render to."""
        symbols, about = yield from self._frame_passes(about)
        frames = [Frame.of_symbols(row) for row in symbols.tolist()]
        bits = yield from self.ink.passes(about, extents_of(frames, about.device))
        scans = [
            joined(frame, turned[: frame.width, : frame.height].T)
            for frame, turned in zip(frames, bits.to(torch.uint8).cpu().numpy(), strict=True)
        ]
        ties = Ties.of(scans, about.device)
        nudged = yield self._nudge_pass(about, ties)
        images = [scan.render() for scan in ties.nudge(scans, nudged)]
        return (
            torch.from_numpy(np.array(images, dtype=np.uint8).reshape(-1, SIDE, SIDE))
            .long()
            .to(about.device)
        )

    def _known_scan_passes(self, about: Tensor, known: KnownScans) -> Iterator[tuple[Pass, Tensor]]:
        _, about = yield from answered(self._frame_passes(about), known.symbols.unbind(1))
        yield from self.ink.known_passes(about, known.ink, known.extents)
        yield self._nudge_pass(about, known.ties), known.nudged

    def _kind_pass(self, every: Tensor) -> Pass:
        logits = self.kind(torch.zeros_like(every))
        return Pass(2, logits.__getitem__, every)

    def _frame_passes(self, about: Tensor) -> Generator[Pass, Tensor, tuple[Tensor, Tensor]]:
        """Returns the symbols (b, 6) and, with them, all that is known of each scan (b, about)."""
        every, symbols = torch.arange(len(about), device=about.device), []
        for head, field, classes in zip(self.frame, self.fields, CLASSES, strict=True):
            logits = head(about)
            symbols.append((yield Pass(classes, logits.__getitem__, every)))
            about = torch.cat([about, field(symbols[-1]).to(about.dtype)], dim=1)
        return torch.stack(symbols, dim=1), self.known(about)

    def _nudge_pass(self, about: Tensor, ties: Ties) -> Pass:
        vectors = [self.tied(ties.values), self.rows(ties.rows), self.columns(ties.columns)]
        inputs = [about[ties.images], *(vector.to(about.dtype) for vector in vectors)]
        logits = self.nudge(torch.cat(inputs, dim=1))
        return Pass(2, logits.__getitem__, ties.images)


def _sorted_out(scans: Sequence[Bitmap | None], device: torch.device) -> tuple[Tensor, KnownScans]:
    """The kind of each image, (b,) int64, and the scans of those that have one."""
    kinds = [GREY if scan is None else SCANNED for scan in scans]
    known = KnownScans.of([scan for scan in scans if scan is not None], device)
    return torch.tensor(kinds, dtype=torch.int64, device=device), known


NETWORK = Network(
    "scans", ConvEncoder, ScanDecoder, ConvEncoderArguments, ScanArguments, size=(SIDE, SIDE)
)
