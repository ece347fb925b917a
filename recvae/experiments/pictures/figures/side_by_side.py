"""Pictures at three rates beside other codecs at the same size."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import panels, styled
from recvae.experiments.pictures.classical import RGB
from recvae.experiments.pictures.examples import Examples, difference

GAIN = 4  # of the differences
GAP = 2  # pixels between images of a mosaic
COLUMN_INCHES, TITLE_INCHES = 1.55, 0.34


def side_by_side(name: str, title: str, what: str, examples: Examples, enlarged: int) -> Drawing:
    """Draw a row of pictures and a row of differences for each rate.

    Args:
        name, title: those of the drawing.
        what: a sentence on the pictures and on which bytes are counted.
        examples: the pictures.
        enlarged: factor of enlargement in each direction.
    """
    larger = f" Each pixel is shown as {enlarged} × {enlarged}." if enlarged > 1 else ""
    caption = (
        f"{what} At each rate the others use at most as many bytes per image as ours, or their "
        f"minimum if that is more.{larger} Below each row: decoded minus original, amplified "
        f"{GAIN} times; grey is no difference. dB is the mean over the images shown."
    )
    return Drawing(name, title, caption, _draw(examples, enlarged))


@styled
def _draw(examples: Examples, enlarged: int) -> Figure:
    columns = 1 + max(map(len, examples.rates))
    original = _mosaic(examples.images, enlarged)
    height = COLUMN_INCHES * original.shape[0] / original.shape[1]
    heights = [height + TITLE_INCHES, height] * len(examples.rates)
    figure, grid = panels(
        len(heights), columns, COLUMN_INCHES, height + TITLE_INCHES / 2, height_ratios=heights
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore
    for axes in grid.flat:
        axes.set_axis_off()
    for row, decoded in enumerate(examples.rates):
        pictures, differences = grid[2 * row], grid[2 * row + 1]
        _show(pictures[0], original, "original")
        words = f"differences,\namplified {GAIN} times"
        differences[0].text(0.98, 0.5, words, ha="right", va="center", fontsize=7.5)
        for k, column in enumerate(decoded, 1):
            title = f"{column.name}\n{column.bits_per_pixel:.2f} bpp, {column.psnr_db:.1f} dB"
            _show(pictures[k], _mosaic(column.images, enlarged), title)
            pairs = zip(examples.images, column.images, strict=True)
            apart = [difference(image, other, GAIN) for image, other in pairs]
            _show(differences[k], _mosaic(apart, enlarged), "")
    return figure


def _show(axes: Axes, picture: RGB, title: str) -> None:
    axes.imshow(picture, interpolation="none")
    axes.set_title(title, fontsize=7.5, loc="center", pad=2)


def _mosaic(images: Sequence[RGB], enlarged: int) -> RGB:
    """Arrange images of one size in a square on white, each pixel enlarged."""
    height, width, _ = images[0].shape
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    shape = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    mosaic = np.full(shape, 255, np.uint8)
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + GAP), (k % columns) * (width + GAP)
        mosaic[top : top + height, left : left + width] = image
    return mosaic.repeat(enlarged, 0).repeat(enlarged, 1)
