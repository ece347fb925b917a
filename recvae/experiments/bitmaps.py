"""The scans behind MNIST: the share of its images they explain exactly, and examples."""

import time
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Summary

from recvae.bitmaps import MAX_SIZE, MIN_SIZE, Bitmap, recover
from recvae.experiments.figures import panels, render, styled
from recvae.experiments.mnist.images import SPLIT_IMAGES, Split, load_images
from recvae.experiments.running import Track, output_folder, progress, write_files
from recvae.experiments.tables import Table

IMAGES, QUICK_IMAGES = 10_000, 100
SPLITS: tuple[Split, ...] = ("train", "test")
SIZES_A_ROW = 10
SHOWN = 8


def run(out: str, root: str | None, quick: bool) -> None:
    """Write scans.csv and scans.svg to the folder `out`, and print a summary.

    Args:
        out: output folder, created if necessary.
        root: folder with MNIST/raw; None for the package's images.
        quick: few images.

    Raises:
        InputError: if MNIST is missing or `out` cannot be written to.
    """
    folder = output_folder(out)
    table = Table(("split", "least_size", "images", "recovered", "seconds_per_image"))
    summary = Summary(title="images of MNIST that a scan explains exactly", title_justify="left")
    for heading in ("split", "images", "recovered", "ms an image"):
        summary.add_column(heading, justify="left" if heading == "split" else "right")
    for split in SPLITS:
        images = load_images(root, split, QUICK_IMAGES if quick else IMAGES).numpy()
        recover(images[0])  # compiles
        with progress(split) as track:
            bitmaps, seconds = _recover_all(images, track)
        for row in _rows(split, bitmaps, seconds):
            table.add(*row)
        found = sum(bitmap is not None for bitmap in bitmaps)
        summary.add_row(
            f"{split}, of {SPLIT_IMAGES[split]:,}" if root else f"{split}, of the package",
            str(len(bitmaps)),
            f"{found / len(bitmaps):.2%}",
            f"{1e3 * float(np.mean(seconds)):.1f}",
        )
    shown = [
        (image, bitmap) for image, bitmap in zip(images, bitmaps, strict=True) if bitmap is not None
    ]
    figure = _draw(shown[:SHOWN])
    files = {folder / "scans.csv": table.to_csv(), folder / "scans.svg": render(figure, "svg")}
    write_files(files)
    console = Console()
    console.print(summary)
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True)


def _recover_all(
    images: NDArray[np.uint8], track: Track
) -> tuple[list[Bitmap | None], NDArray[np.float64]]:
    bitmaps, seconds = [], np.zeros(len(images))
    for k in track(range(len(images))):
        started = time.perf_counter()
        bitmaps.append(recover(images[k]))
        seconds[k] = time.perf_counter() - started
    return bitmaps, seconds


def _rows(
    split: str, bitmaps: Sequence[Bitmap | None], seconds: NDArray[np.float64]
) -> list[tuple[str, int | None, int, int, float]]:
    """A row for each range of sizes, and one without a size for images that no scan explains."""
    sizes = np.array([bitmap.size if bitmap else 0 for bitmap in bitmaps])
    rows: list[tuple[str, int | None, int, int, float]] = []
    for least in (None, *range(MIN_SIZE, MAX_SIZE + 1, SIZES_A_ROW)):
        in_row = sizes == 0 if least is None else (sizes - least) // SIZES_A_ROW == 0
        if in_row.any():
            count, found = int(in_row.sum()), int((sizes[in_row] > 0).sum())
            rows.append((split, least, count, found, float(seconds[in_row].mean())))
    return rows


@styled
def _draw(shown: Sequence[tuple[NDArray[np.uint8], Bitmap]]) -> Figure:
    """Draw images above and their scans below."""
    figure, axes = panels(2, max(len(shown), 1), 1.1, 1.25)
    for panel in axes.flat:
        panel.set_axis_off()
    for (upper, lower), (image, bitmap) in zip(axes.T, shown, strict=False):
        upper.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
        lower.imshow(1 - bitmap.bits, cmap="gray", vmin=0, vmax=1)
        lower.set_title(" x ".join(map(str, bitmap.bits.shape)), fontsize=7, loc="center")
    return figure
