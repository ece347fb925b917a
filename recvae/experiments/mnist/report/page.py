"""One HTML page that holds everything and needs no network or other files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from recvae.experiments.mnist.figures import Drawing
from recvae.experiments.mnist.published import OTHERS, RESULTS, Published
from recvae.experiments.mnist.report.columns import COLUMNS, FAMILIES
from recvae.experiments.mnist.rows import ALL_IMAGES, MODELS
from recvae.experiments.report import render_page
from recvae.experiments.store import Measured


@dataclass(frozen=True)
class Contents:
    """The contents of the page.

    Fields:
        rows: measured rows, in the order to show.
        drawings: the figures, in order.
        svgs: SVGs of the drawings that have a figure, by name.
        notes: lines about what is missing.
        command: the command that reproduces all of it.
    """

    rows: Sequence[Measured]
    drawings: Sequence[Drawing]
    svgs: Mapping[str, bytes]
    notes: Sequence[str]
    command: str


def page(contents: Contents) -> str:
    """Fill the template `page.html`."""
    return render_page(
        "mnist/report/page.html",
        **vars(contents),
        summary=list(_best_of_models(contents.rows)),
        published=_published(contents.rows),
        columns=COLUMNS,
        headings=[("coder", ""), ("model", ""), *((c.heading, c.unit) for c in COLUMNS)],
        families=FAMILIES,
    )


def _best_of_models(rows: Sequence[Measured]) -> Iterator[Measured]:
    """The best row of partitioned ORC for each model."""
    for model in dict.fromkeys(row["model"] for row in rows):
        ours = _best(row for row in rows if row["model"] == model)
        if ours is not None:
            yield ours


def _published(rows: Sequence[Measured]) -> Iterator[tuple[Published, Measured, float | None]]:
    """Published results, our best row with as many latents, and its saving in %."""
    for result in (*RESULTS, *OTHERS):
        model = result.latent_dim and MODELS.get(result.latent_dim)
        ours = _best_on_all_images(rows, model) or {}
        saving = 100 * (1 - ours["bits_per_pixel"] / result.bits_per_pixel) if ours else None
        yield result, ours, saving


def _best_on_all_images(rows: Sequence[Measured], model: str | int | None) -> Measured | None:
    """The best row of a model among those comparable to published rates."""
    return _best(row for row in rows if row["model"] == model and row["images"] == ALL_IMAGES)


def _best(rows: Iterable[Measured]) -> Measured | None:
    """The row of partitioned ORC with the lowest rate relative to -ELBO of its own images."""
    return min(
        (row for row in rows if row["family"] == "partitioned ORC"),
        key=lambda row: row["bits_per_pixel"] / row["negative_elbo_bpp"],
        default=None,
    )
