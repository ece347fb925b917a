"""Measures missing rows, writes tables, figures and report, and prints a summary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Summary

from recvae.codec import Codec, shipped_models
from recvae.codec.inr.model import FORMAT as INR_FORMAT
from recvae.experiments.drawing import Drawing
from recvae.experiments.pictures import inr, ours
from recvae.experiments.pictures.classical import (
    RGB,
    ClassicalCodec,
    classical_codecs,
    missing_codecs,
)
from recvae.experiments.pictures.comparisons import Comparison, comparisons
from recvae.experiments.pictures.examples import crop, make_examples
from recvae.experiments.pictures.figures import (
    cifar10,
    inr_blocks,
    inr_partitions,
    kodak,
    layers,
    partitions,
    side_by_side,
)
from recvae.experiments.pictures.images import Data, fingerprint, load_images
from recvae.experiments.pictures.inr_findings import partitioning_gains
from recvae.experiments.pictures.inr_rows import INR, INR_DATA, InrRow, inr_rows
from recvae.experiments.pictures.measure import measure
from recvae.experiments.pictures.report import write_report
from recvae.experiments.pictures.rows import IMAGES, OURS, QUICK_IMAGES, Row, all_rows
from recvae.experiments.pictures.table import to_markdown, to_partition_table, to_table
from recvae.experiments.running import check_seed, output_folder, progress, write_files
from recvae.experiments.store import Measured, Store

ENLARGED = 4
SHOWN_PICTURE, SHOWN_SQUARE = 22, (0, 112, 144)  # of Kodak, from 0: a parrot's head


@dataclass(frozen=True)
class Shown:
    """The pictures to show: qualities, effort, number of images of CIFAR-10."""

    qualities: tuple[int, ...]
    effort: int
    images: int


SHOWN, QUICKLY_SHOWN = Shown((20, 50, 80), 1, 4), Shown((50,), 1, 1)


def run(
    out: str, root: str, model: str, quick: bool, seed: int, inr_folders: Sequence[str] = ()
) -> None:
    """Fill the folder `out`, keeping rows that an earlier run measured with the same settings.

    Rows whose own settings have changed since, or that another version measured, are measured anew.

    Args:
        out: output folder, created if necessary.
        root: folder with CIFAR10/test.npy and kodak/*.png; CIFAR10/train.npy for `inr_folders`.
        model: a lossy model, by name or folder.
        quick: few rows on few images.
        seed: seed of samples that are not sent.
        inr_folders: models of implicit neural representations, one for each rate.

    Raises:
        InputError: if an option does not fit, images or model are missing, or `out` cannot be
            written to or holds rows of other settings.
    """
    check_seed(seed)
    codec, classics = ours.load(model), classical_codecs()
    wanted = QUICK_IMAGES if quick else IMAGES
    images = {data: load_images(root, data, count) for data, count in wanted.items()}
    models = inr.load(inr_folders, root, quick)
    settings = {"quick": quick, "seed": seed} | {
        f"images_sha256_{data}": fingerprint(images[data]) for data in wanted
    }
    folder = output_folder(out)
    versions = {classic.name: classic.version for classic in classics}
    versions |= {OURS: codec.model.file_id.hex(), INR: INR_FORMAT}
    store = Store(folder, settings, versions)
    rows: list[Row | InrRow] = [*all_rows(quick, classics), *inr_rows(models.measurable, quick)]
    store.check(rows)
    with progress("rows") as track:
        for row in track(rows, lambda row: row.name):
            if store.load(row) is not None:
                continue
            if isinstance(row, InrRow):
                store.save(row, inr.measure(row, models))
            else:
                part = images[row.data][: row.images]
                store.save(row, measure(row, part, codec, classics, seed))
    measured = [found for row in rows if (found := store.load(row)) is not None]
    compared, gains, notes = comparisons(measured), partitioning_gains(measured), missing_codecs()
    files = {
        folder / "table.csv": to_table(measured).to_csv(),
        folder / "partitions.csv": to_partition_table(measured).to_csv(),
        folder / "table.md": to_markdown(measured, compared, classics, notes).encode(),
    }
    write_files(files)
    with progress("figures") as track:
        shown = QUICKLY_SHOWN if quick else SHOWN
        made = [draw() for draw in track(drawings(measured, codec, images, classics, shown))]
    line = _command_line(model, quick, seed, len(inr_folders))
    report = write_report(folder, measured, compared, made, classics, notes, line)
    _print_summary(compared, [*gains, *notes], [*files, *report])


def drawings(
    rows: Sequence[Measured],
    codec: Codec,
    images: dict[Data, list[RGB]],
    classics: Sequence[ClassicalCodec],
    shown: Shown,
) -> list[Callable[[], Drawing]]:
    """Functions that make the figures, in order; those of INR if it was measured."""
    has_inr = any(row["data"] == INR_DATA for row in rows)
    return [
        partial(cifar10, rows),
        *[partial(inr_blocks, rows), partial(inr_partitions, rows)] * has_inr,
        partial(kodak, rows),
        partial(partitions, rows),
        partial(layers, rows),
        partial(_cifar10_pictures, codec, images["CIFAR-10"], classics, shown),
        partial(_kodak_pictures, codec, images["Kodak"], classics, shown),
    ]


def _command_line(model: str, quick: bool, seed: int, inr_models: int) -> str:
    """The command that reproduces the results; folders are placeholders."""
    named = model if model in shipped_models() else "MODEL"
    options = [f"--model {named}", *["--quick"] * quick, f"--seed {seed}"]
    options += [f"--inr{inr_models * ' INR_MODEL'}"] * bool(inr_models)
    return f"python -m recvae.experiments pictures --data.root DIR --out OUT {' '.join(options)}"


def _cifar10_pictures(
    codec: Codec, images: list[RGB], classics: Sequence[ClassicalCodec], shown: Shown
) -> Drawing:
    made = make_examples(
        codec, images[: shown.images], shown.qualities, shown.effort, classics, whole=False
    )
    what = (
        f"The first images of CIFAR-10 as measured here; ours at effort {shown.effort}. No headers "
        "are counted: of ours the images' streams, of JPEG the scan, of AVIF what mdat holds; of "
        "WebP the whole file."
    )
    return side_by_side("cifar10_pictures", "CIFAR-10 at three rates", what, made, ENLARGED)


def _kodak_pictures(
    codec: Codec, images: list[RGB], classics: Sequence[ClassicalCodec], shown: Shown
) -> Drawing:
    number = min(SHOWN_PICTURE, len(images) - 1)
    square = crop(images[number], *SHOWN_SQUARE)
    made = make_examples(codec, [square], shown.qualities, shown.effort, classics, whole=True)
    what = (
        f"A part of the photograph kodim{number + 1:02d}, {square.shape[1]} × "
        f"{square.shape[0]} pixels, coded on its own; ours at effort {shown.effort}. Whole files."
    )
    return side_by_side("kodak_pictures", "A photograph at three rates", what, made, 1)


def _print_summary(
    compared: Sequence[Comparison], notes: Sequence[str], files: Sequence[Path]
) -> None:
    console = Console()
    table = Summary(title="PSNR at equal rate", title_justify="left")
    for heading in ("", "against", "bits per pixel", "dB", "the other", "difference"):
        table.add_column(heading, justify="left" if heading in ("", "against") else "right")
    data = None
    for found in compared:
        if found.data != data:
            data = found.data
            table.add_section()
            table.add_row(f"[bold]{data}[/bold]")
        table.add_row(
            f"  {escape(found.what)}",
            escape(found.against),
            f"{found.rate_bpp:.3f}",
            f"{found.ours_db:.2f}",
            f"{found.theirs_db:.2f}",
            f"{found.gain_db:+.2f}",
        )
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True)
