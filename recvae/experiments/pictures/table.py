"""The measured rows as CSV and Markdown, with published points and comparisons."""

from collections.abc import Sequence

from recvae.experiments.pictures.classical import ClassicalCodec
from recvae.experiments.pictures.comparisons import Comparison
from recvae.experiments.pictures.images import PLACES
from recvae.experiments.pictures.inr_findings import conditions, partitioning_gains
from recvae.experiments.pictures.inr_rows import INR
from recvae.experiments.pictures.published import RESULTS, SPLITS
from recvae.experiments.pictures.rows import OURS
from recvae.experiments.store import Measured
from recvae.experiments.tables import Cell, Table, markdown_grid, markdown_text

COLUMNS = (
    "data",
    "kind",
    "codec",
    "setting",
    "effort",
    "images",
    "files",
    "bits_per_pixel",
    "psnr_db",
    "payload_bpp",
    "one_file_each_bpp",
    "encode_seconds",
    "decode_seconds",
    "file_bytes",
    "payload_bytes",
    "one_file_each_bytes",
    "layer_bpp",
)
"""Cells of a row with a rate; units are in the names, `_seconds` are per image."""

PARTITION_COLUMNS = (
    "data",
    "kind",
    "codec",
    "setting",
    "effort",
    "images",
    "strategy",
    "block_bits",
    "log2_candidates",
    "overhead_bits_per_block",
    "bits_per_pixel",
    "psnr_db",
)

MARKDOWN: dict[str, tuple[str, str]] = {
    "codec": ("codec", ""),
    "setting": ("setting", "g"),
    "effort": ("effort", "d"),
    "files": ("files", "d"),
    "bits_per_pixel": ("bits per pixel", ".3f"),
    "psnr_db": ("dB", ".2f"),
    "payload_bpp": ("payload", ".3f"),
    "one_file_each_bpp": ("a file each", ".3f"),
    "encode_seconds": ("encode, ms per image", ",.1f"),
    "decode_seconds": ("decode, ms per image", ",.1f"),
}
"""Heading and format of the columns of the Markdown tables, one for each set of images."""

NOTES = (
    "Rates are bytes of files × 8 / pixels; `ideal` is the KL of the posteriors, for which there "
    "is no file. dB is PSNR on RGB, the mean over images of each image's PSNR. Classical codecs "
    'make a file an image; ours puts all CIFAR-10 images into one, in groups of 1 ("a file '
    "each\" is what the same groups take in files of their own), and Kodak's into a file each. "
    '"Payload" leaves out headers, where the format tells which bytes these are. Times are the '
    "smaller of two passes, of one alone where that took over a minute; the model was loaded."
)


def about(rows: Sequence[Measured]) -> str:
    """What the numbers of rows are."""
    return f"{NOTES} {conditions(rows)}".rstrip()


def to_table(rows: Sequence[Measured]) -> Table:
    """All rows with a rate, as measured."""
    return _table(COLUMNS, [row for row in rows if row["kind"] != "partition"])


def to_partition_table(rows: Sequence[Measured]) -> Table:
    """The rows of partitions."""
    return _table(PARTITION_COLUMNS, [row for row in rows if row["kind"] == "partition"])


def codec_notes(classics: Sequence[ClassicalCodec]) -> list[tuple[str, str]]:
    """Options of each classical codec and the bytes its payload leaves out: (name, text)."""
    return [
        (
            codec.name,
            f"{codec.options} The setting is its {codec.setting}. ({codec.version})"
            + (f" The payload leaves out {codec.left_out}." if codec.left_out else ""),
        )
        for codec in classics
    ]


def to_markdown(
    rows: Sequence[Measured],
    comparisons: Sequence[Comparison],
    classics: Sequence[ClassicalCodec],
    notes: Sequence[str],
) -> str:
    """Comparisons, a table for each set of images, and published points, for GitHub."""
    parts = ["# Lossy pictures", about(rows), SPLITS, "## At equal rate", _comparisons(comparisons)]
    for data in PLACES:
        measured = [row for row in rows if row["data"] == data and row["kind"] != "partition"]
        if measured:
            parts.append(f"## {data}, {measured[0]['images']} images")
            grid = [_cells(row) for row in measured]
            parts.append(markdown_grid([heading for heading, _ in MARKDOWN.values()], grid))
    if gains := partitioning_gains(rows):
        parts += ["## INR with and without partition", "\n".join(f"- {gain}" for gain in gains)]
    by_codec = {"## Partitions": OURS, "## Partitions of INR": INR}
    for heading, codec in by_codec.items():
        if (part := to_partition_table(rows).where(codec=codec)).rows:
            parts += [heading, _partitions(part)]
    parts += ["## Published", SPLITS, _published(), "## How classical codecs were run"]
    parts.append("\n".join(f"- {name}: {words}" for name, words in codec_notes(classics)))
    return "\n\n".join([*parts, *notes]) + "\n"


def _table(columns: tuple[str, ...], rows: Sequence[Measured]) -> Table:
    table = Table(columns)
    for row in rows:
        table.add(*(_plain(row[column]) for column in columns))
    return table


def _plain(cell: Cell | list[float]) -> Cell:
    """Turn several numbers into one text cell."""
    return " ".join(f"{number:.6g}" for number in cell) if isinstance(cell, list) else cell


def _cells(row: Measured) -> list[str]:
    seconds = {
        name: None if row[name] is None else 1000 * row[name]
        for name in ("encode_seconds", "decode_seconds")
    }
    codec = f"{row['codec']}, ideal" if row["kind"] == "ideal" else row["codec"]
    shown = row | seconds | {"codec": codec}
    return [markdown_text(shown[column], form) for column, (_, form) in MARKDOWN.items()]


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    headings = (
        "what",
        "against",
        "images",
        "bits per pixel",
        "dB",
        "dB of the other",
        "difference",
    )
    rows = [
        (
            found.what,
            found.against,
            found.data,
            f"{found.rate_bpp:.3f}",
            f"{found.ours_db:.2f}",
            f"{found.theirs_db:.2f}",
            f"{found.gain_db:+.2f}",
        )
        for found in comparisons
    ]
    return markdown_grid(headings, rows)


def _partitions(table: Table) -> str:
    columns = {"strategy": "", "block_bits": "d", "log2_candidates": "d"} | {
        "overhead_bits_per_block": ".2f",
        "bits_per_pixel": ".3f",
        "psnr_db": ".2f",
    }
    places = [table.columns.index(column) for column in columns]
    rows = [
        [
            markdown_text(row[place], form)
            for place, form in zip(places, columns.values(), strict=True)
        ]
        for row in table.rows
    ]
    headings = ("partition", "bits a block", "log2 N", "overhead, bits a block", "bits per pixel")
    return markdown_grid((*headings, "dB"), rows)


def _published() -> str:
    rows = [
        (f"{result.name}, {result.setting}", f"{rate:.3f}", f"{db:.2f}", result.source)
        for result in RESULTS
        for rate, db in result.curve
    ]
    return markdown_grid(("codec", "bits per pixel", "dB", "source"), rows)
