"""Measures missing rows, writes table, figures and report, and prints a summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recvae.codec import CodecModel
from recvae.codec.vae.model import load_vae
from recvae.errors import InputError
from recvae.experiments.mnist.child import in_child
from recvae.experiments.mnist.figures import Drawing, drawings
from recvae.experiments.mnist.images import fingerprint, load_images
from recvae.experiments.mnist.measure import Job, measure
from recvae.experiments.mnist.models import find_models, read_hash, train_model
from recvae.experiments.mnist.report import write_report
from recvae.experiments.mnist.rows import (
    ALL_IMAGES,
    BASELINE,
    MODELS,
    QUICK_IMAGES,
    Row,
    all_rows,
)
from recvae.experiments.mnist.table import sorted_rows, to_markdown, to_table
from recvae.experiments.running import check_seed, output_folder, progress, write_files
from recvae.experiments.store import Measured, Store

# Training and test images that the figures show.
SHOWN, QUICKLY_SHOWN = (60_000, ALL_IMAGES), (500, QUICK_IMAGES)


def run(out: str, root: str | None, quick: bool, train: bool, seed: int) -> None:
    """Fill the folder `out`, keeping rows that an earlier run measured with the same settings.

    Rows whose own settings have changed since, or that another version measured, are measured anew.

    Args:
        out: output folder, created if necessary.
        root: folder with MNIST/raw; optional for a quick run.
        quick: few rows on few images.
        train: whether to train missing models.
        seed: seed of the shared randomness and of the samples for -ELBO.

    Raises:
        InputError: if an option does not fit, MNIST is missing, or `out` cannot be written to or
            holds rows of other settings.
    """
    check_seed(seed)
    if root is None and not quick:
        raise InputError("--data.root: pass the folder with MNIST/raw, or --quick")
    if root is None and train:
        raise InputError("--train: pass the folder with MNIST/raw by --data.root")
    if quick and train:
        raise InputError("--train: a quick run needs only shipped models: drop --train or --quick")
    settings = {
        "quick": quick,
        "seed": seed,
        "train_images_sha256": fingerprint(root, "train"),
        "test_images_sha256": fingerprint(root, "test"),
    }
    folder = output_folder(out)
    planned = all_rows(quick)
    models = find_models(folder)
    _store(folder, settings, models).check(planned)
    if train and root is not None:
        for name in sorted({row.model for row in planned} - models.keys()):
            train_model(folder, root, name)
        models = find_models(folder)
    store, notes = _store(folder, settings, models), notes_on_missing(models, planned)
    rows = [row for row in planned if row.model in models]
    with progress("rows") as track:
        for row in track(rows, lambda row: f"{row.model}, {row.name}"):
            if store.load(row) is None:
                job = Job(row, str(models[row.model]), root, seed, folder / "bounds")
                store.save(row, in_child(measure, job))
    measured = [found for row in rows if (found := store.load(row)) is not None]
    files = {
        folder / "table.csv": to_table(measured).to_csv(),
        folder / "table.md": to_markdown(measured, notes).encode(),
    }
    write_files(files)
    loaded = {name: load_vae(path) for name, path in models.items()}
    made = _drawings(measured, loaded, root, quick)
    report = write_report(folder, measured, made, notes, _command_line(quick, train, seed))
    _print_summary(measured, notes, [*files, *report])


def _drawings(
    rows: Sequence[Measured], models: dict[str, CodecModel], root: str | None, quick: bool
) -> list[Drawing]:
    num_train, num_test = QUICKLY_SHOWN if quick else SHOWN
    train_images = load_images(root, "train", num_train)
    test_images = load_images(root, "test", num_test)
    figures = drawings(MODELS[BASELINE], to_table(rows), models, train_images, test_images)
    with progress("figures") as track:
        return [draw() for draw in track(figures)]


def _command_line(quick: bool, train: bool, seed: int) -> str:
    """The command that reproduces the results; folders are placeholders."""
    options = ["--quick"] * quick + ["--train"] * train + [f"--seed {seed}"]
    return f"python -m recvae.experiments mnist --data.root DIR --out OUT {' '.join(options)}"


def _store(folder: Path, settings: dict[str, Any], models: Mapping[str, Path]) -> Store:
    return Store(folder, settings, {name: read_hash(path) for name, path in models.items()})


def notes_on_missing(models: Mapping[str, Path], rows: Sequence[Row]) -> list[str]:
    """A line for each missing model that rows need."""
    missing = dict.fromkeys(row.model for row in rows if row.model not in models)
    return [f"Rows of {name} are left out: no such model; --train trains it." for name in missing]


def _print_summary(rows: Sequence[Measured], notes: Sequence[str], files: Sequence[Path]) -> None:
    console = Console()
    table = Table(title="lossless MNIST, bits per pixel", title_justify="left")
    for heading in ("coder", "images", "in the file", "-ELBO", "overhead", "published"):
        table.add_column(heading, justify="left" if heading == "coder" else "right")
    model = None
    for row in sorted_rows(rows):
        if row["model"] != model:
            model = row["model"]
            table.add_section()
            table.add_row(f"[bold]{row['latent_dim']} latents[/bold], {model}")
        table.add_row(
            "  " + escape(row["name"]),
            str(row["images"]),
            f"{row['bits_per_pixel']:.4f}",
            f"{row['negative_elbo_bpp']:.4f}",
            "" if row["overhead_bpp"] is None else f"{row['overhead_bpp']:.4f}",
            "" if row["published_bpp"] is None else f"{row['published_bpp']:.3f}",
        )
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True)
