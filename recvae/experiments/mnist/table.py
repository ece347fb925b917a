"""The measured rows as CSV and Markdown, beside published results."""

from collections.abc import Sequence

from recvae.experiments.mnist.published import RESULTS
from recvae.experiments.mnist.rows import FAMILIES
from recvae.experiments.store import Measured
from recvae.experiments.tables import Table, markdown_grid, markdown_text

COLUMNS = (
    "name",
    "family",
    "model",
    "latent_dim",
    "blocks",
    "log2_candidates",
    "images",
    "bits_per_pixel",
    "standard_error_bpp",
    "bins_bpp",
    "ranks_bpp",
    "pixels_bpp",
    "container_bpp",
    "negative_elbo_bpp",
    "overhead_bpp",
    "overhead_bits",
    "bias_bits",
    "encode_seconds",
    "decode_seconds",
    "peak_mb",
    "capped_images",
    "file_bytes",
    "published_bpp",
)
"""Cells of a row; units are in the names, `_bits` and `_seconds` are per image."""

_MARKDOWN: dict[str, tuple[str, str]] = {
    "name": ("coder", ""),
    "images": ("images", ",d"),
    "bits_per_pixel": ("bits per pixel", ".4f"),
    "standard_error_bpp": ("± s.e.", ".4f"),
    "negative_elbo_bpp": ("-ELBO", ".4f"),
    "overhead_bpp": ("overhead", ".4f"),
    "published_bpp": ("published", ".3f"),
    "bins_bpp": ("bins", ".4f"),
    "ranks_bpp": ("ranks", ".4f"),
    "pixels_bpp": ("pixels", ".4f"),
    "container_bpp": ("container", ".4f"),
    "overhead_bits": ("overhead, bits per image", ".1f"),
    "bias_bits": ("bias, bits per image", ".1f"),
    "encode_seconds": ("encode, ms per image", ".1f"),
    "decode_seconds": ("decode, ms per image", ".1f"),
    "peak_mb": ("peak MB", ",.0f"),
    "capped_images": ("capped", ",d"),
}
"""Heading and format of the columns of the Markdown table, which has one section a model."""

_NOTES = """\
Lossless MNIST, 784 pixels per image: real files, decoded and compared. Rates are in bits per pixel
and add up: bins + ranks + pixels + container = bits per pixel. Overhead is the rate of the file
minus -ELBO of the same images with the same decoder. Bias is the additional cost of the pixels
compared with true posterior samples, in bits per image. Rows of fewer than 10,000 test images use
the first images of one shuffled order, and state the standard error of the mean over images; their
-ELBO and overhead are of the same images. Constants (bins, rank codes) are fitted to training
images. "Capped" counts images with an exact search that reached its cap: their samples are not
exact. "Published" is greedy rejection coding, for A\\* coding the published A\\*, for -ELBO BB-ANS.
Times are the shorter of two passes, or of one if it took over a minute. Min-cost selection can fall
below -ELBO, which bounds the cost only if latents are posterior samples; selected ones are not."""


def sorted_rows(rows: Sequence[Measured]) -> list[Measured]:
    """Sort rows by number of latents, model, kind of coder, blocks, candidates."""

    def key(row: Measured) -> tuple[int, str, int, int, float, str]:
        return (
            row["latent_dim"],
            row["model"],
            FAMILIES.index(row["family"]),
            row["blocks"] or 0,
            row["log2_candidates"] or 0.0,
            row["name"],
        )

    return sorted(rows, key=key)


def to_table(rows: Sequence[Measured]) -> Table:
    """All cells of all rows, sorted."""
    table = Table(COLUMNS)
    for row in sorted_rows(rows):
        table.add(*(row[column] for column in COLUMNS))
    return table


def to_markdown(rows: Sequence[Measured], notes: Sequence[str]) -> str:
    """One table for each model, and one of published results, for GitHub.

    Args:
        rows: measured rows.
        notes: lines to add below, such as which rows are missing.
    """
    parts = ["# Lossless MNIST", _NOTES]
    ordered = sorted_rows(rows)
    for model in dict.fromkeys(row["model"] for row in ordered):
        model_rows = [row for row in ordered if row["model"] == model]
        parts.append(f"## {model_rows[0]['latent_dim']} latents (`{model}`)")
        parts.append(
            markdown_grid([h for h, _ in _MARKDOWN.values()], [_cells(row) for row in model_rows])
        )
    parts.append("## Published")
    published = [
        [
            markdown_text(result.name, ""),
            str(result.latent_dim),
            markdown_text(result.negative_elbo_bpp, ".3f"),
            f"{result.bits_per_pixel:.3f}",
        ]
        for result in RESULTS
    ]
    parts.append(markdown_grid(["coder", "latents", "-ELBO", "bits per pixel"], published))
    parts += notes
    return "\n\n".join(parts) + "\n"


def _cells(row: Measured) -> list[str]:
    seconds = ("encode_seconds", "decode_seconds")
    shown = row | {name: _thousandfold(row[name]) for name in seconds}
    return [markdown_text(shown[column], form) for column, (_, form) in _MARKDOWN.items()]


def _thousandfold(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
