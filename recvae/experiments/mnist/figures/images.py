"""The model on images: reconstructions, samples, and the cost of each pixel.

All of it comes from the exact decoder, and costs are for the latents that the codec sends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec import CodecModel
from recvae.exact import PRECISION_BITS, TOTAL, exact_arithmetic, frequencies, quantile
from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import panels, styled
from recvae.vae import Pass, PixelPass, posterior, run_passes

SHOWN = 10  # images in a row
GAP = 2  # pixels between them
BATCH = 64
SAMPLE_SEED = 0
FREE_BITS = 0.1  # up to this, a pixel is nearly free
BRIGHTEST = 0.998  # quantile of the costs at which brightness saturates


@dataclass(frozen=True)
class Costs:
    """Costs of images: latents (n,) and pixels (n, h, w), in bits; and latents z (n, D)."""

    latent_bits: Tensor
    pixel_bits: Tensor
    z: Tensor

    @property
    def image_bits(self) -> Tensor:
        """Bits of latents and pixels together, (n,)."""
        return self.latent_bits + self.pixel_bits.sum((1, 2))


def images(model: CodecModel, test_images: Tensor) -> Drawing:
    """Draw rows of images (n, h, w) uint8 of the test set, and of the model's samples."""
    parts = [coding_costs(model, part) for part in test_images.split(BATCH)]
    costs = Costs(
        torch.cat([part.latent_bits for part in parts]),
        torch.cat([part.pixel_bits for part in parts]),
        torch.cat([part.z for part in parts]),
    )
    return Drawing(
        "images",
        "Images, what the model makes of them, and what their pixels cost",
        _caption(model.name, costs),
        _draw(_image_rows(model, test_images, costs)),
    )


def coding_costs(model: CodecModel, pixels: Tensor) -> Costs:
    """Costs of images (n, h, w) uint8 in a file, and the latents that are sent."""
    with exact_arithmetic():
        codes = model.latents.send(posterior(model.encoder, pixels), pixels).codes
        z = model.latents.receive(codes)
    latent_bits = torch.from_numpy(sum(model.latents.bits(codes)))
    bits = torch.zeros(pixels.numel(), dtype=torch.float64, device=model.device)
    with exact_arithmetic():
        known = model.decoder.known_passes(z.to(model.device), pixels.to(model.device))
        for step, symbols in known:
            for piece, table in _tables(model, step):
                counts = table.gather(1, symbols[piece, None])[:, 0]
                assert isinstance(step, PixelPass)
                bits[step.sites[piece]] += PRECISION_BITS - counts.double().log2()
    return Costs(latent_bits, bits.cpu().reshape(pixels.shape), z)


def decode_at_level(model: CodecModel, z: Tensor, level: Callable[[int], Tensor]) -> Tensor:
    """Images (n, h, w) for latents: at each pixel, the quantile of the model's law at a level.

    `level` returns as many levels as asked for, in [0, TOTAL).
    """

    def answer(step: Pass) -> Tensor:
        symbols = torch.zeros_like(step.images)
        for piece, table in _tables(model, step):
            levels = level(len(table)).to(model.device)
            symbols[piece] = (table.cumsum(1) <= levels[:, None]).sum(1)
        return symbols

    with exact_arithmetic():
        return run_passes(model.decoder.passes(z.to(model.device)), answer).cpu()


def _tables(model: CodecModel, step: Pass) -> list[tuple[slice, Tensor]]:
    """The frequencies (m, classes) of each piece of a pass."""
    fraction_bits = model.number.fraction_bits
    return [(piece, frequencies(step.logits_at(piece), fraction_bits)) for piece in step.pieces()]


@dataclass(frozen=True)
class _ImageRow:
    """Images or costs (n, h, w) in a row, and the labels below."""

    title: str
    tiles: Tensor
    below: Sequence[str] = ()

    @property
    def is_cost(self) -> bool:
        return self.tiles.is_floating_point()


def _image_rows(model: CodecModel, test_images: Tensor, costs: Costs) -> list[_ImageRow]:
    generator = torch.Generator().manual_seed(SAMPLE_SEED)
    shape = SHOWN, model.architecture.latent_dim
    z = quantile(torch.randint(1 << 32, shape, generator=generator))

    def median(count: int) -> Tensor:
        return torch.full((count,), TOTAL // 2)

    def random(count: int) -> Tensor:
        return torch.randint(TOTAL, (count,), generator=generator)

    rows = [
        _ImageRow("test images", test_images[:SHOWN]),
        _ImageRow("reconstructions", decode_at_level(model, costs.z[:SHOWN], median)),
        _ImageRow("bits of each pixel", costs.pixel_bits[:SHOWN]),
        _ImageRow("samples of the model", decode_at_level(model, z, random)),
        _ImageRow("the same latents, medians of the pixels", decode_at_level(model, z, median)),
    ]
    order = costs.image_bits.argsort()
    for name, chosen in (("cheapest", order[:SHOWN]), ("dearest", order.flip(0)[:SHOWN])):
        bits = [f"{b:,.0f}" for b in costs.image_bits[chosen].tolist()]
        rows.append(_ImageRow(f"the {name} test images, bits of each", test_images[chosen], bits))
        rows.append(_ImageRow("bits of each pixel", costs.pixel_bits[chosen]))
    return rows


def _caption(name: str, costs: Costs) -> str:
    total, pixel_bits = costs.image_bits, costs.pixel_bits
    free = float((pixel_bits < FREE_BITS).double().mean())
    least, mean, most = (f"{float(f(total)):,.0f}" for f in (torch.min, torch.mean, torch.max))
    return (
        f"{name}, {len(total):,} test images, with the latents that the codec sends in the "
        "model's shipped layout. Reconstructions are medians of the decoder's distribution of each "
        "pixel; samples are decoded from latents of the prior. "
        f"The background is almost free: {free:.0%} of the pixels cost less than {FREE_BITS} "
        "bits. The costliest tenth of an image's pixels, at the edges of the strokes, takes "
        f"{_top_share(pixel_bits):.0%} of its pixels' bits. An image takes {mean} bits, from "
        f"{least} to {most}; the latents are {float(costs.latent_bits.mean()):.0f} of them."
    )


def _top_share(pixel_bits: Tensor) -> float:
    """Share of an image's bits in the most expensive tenth of its pixels, on average."""
    ordered = pixel_bits.flatten(1).sort(dim=1, descending=True).values
    return float((ordered[:, : ordered.shape[1] // 10].sum(1) / ordered.sum(1)).mean())


@styled
def _draw(rows: Sequence[_ImageRow]) -> Figure:
    figure, grid = panels(len(rows), 1, width=7.6, height=0.88)
    costs = torch.cat([row.tiles.flatten() for row in rows if row.is_cost])
    brightest = float(costs.quantile(BRIGHTEST))
    maps: list[AxesImage] = []
    for axes, row in zip(grid[:, 0], rows, strict=True):
        image = _show(axes, row, brightest)
        if row.is_cost:
            maps.append(image)
    beside = [image.axes for image in maps]
    bar = figure.colorbar(maps[0], ax=beside, extend="max", shrink=0.5, aspect=30, pad=0.02)
    bar.set_label("bits of a pixel")
    return figure


def _show(axes: Axes, row: _ImageRow, brightest: float) -> AxesImage:
    mosaic, middles = _mosaic(row.tiles.double().numpy())
    colours, most = ("magma", brightest) if row.is_cost else ("gray", 255.0)
    # "none" keeps the pixels unchanged, in the file and on the page.
    image = axes.imshow(mosaic, cmap=colours, vmin=0, vmax=most, interpolation="none")
    axes.set_title(row.title, fontsize=8.5, pad=2)
    axes.set_xticks(middles if row.below else [], row.below)
    axes.tick_params(length=0, pad=1, labelsize=7.5)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    return image


def _mosaic(tiles: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[float]]:
    """Put tiles (n, h, w) side by side, nan between them; return the middle of each too."""
    count, height, width = tiles.shape
    padded = np.full((height, count, width + GAP), np.nan)
    padded[:, :, :width] = tiles.swapaxes(0, 1)
    middles = [(width + GAP) * i + (width - 1) / 2 for i in range(count)]
    return padded.reshape(height, -1)[:, :-GAP], middles
