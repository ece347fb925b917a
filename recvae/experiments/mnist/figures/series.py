"""The looks of families and numbers of blocks, and the rows that belong to a line."""

from typing import Any

from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Series,
)
from recvae.experiments.tables import Table

FAMILIES = {
    "partitioned ORC": Series("partitioned ORC", PURPLE, "o"),
    "min-cost selection": Series("min-cost selection", VERMILLION, "D"),
    "fitted bin prior": Series("fitted bin prior", ORANGE, "s"),
    "standard ORC": Series("standard ORC", GREEN, "^"),
    "GPRS": Series("GPRS", SKY, "P"),
    "PFR": Series("PFR", BLUE, "X"),
    "A*": Series("A*", BLACK, "v"),
}
"""The families of rows that are files, unlike "bound", which is −ELBO."""

_BLOCK_STYLES = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"))


def block_series(rows: Table) -> dict[int, Series]:
    """The looks of each number of blocks in the rows, ascending."""
    numbers = sorted({int(n) for n in rows.column("blocks")})
    return {
        n: Series(blocks_label(n), *_BLOCK_STYLES[i % len(_BLOCK_STYLES)])
        for i, n in enumerate(numbers)
    }


def blocks_label(number: float) -> str:
    """A label such as "1 block"."""
    return f"{number:.0f} block" + ("" if number == 1 else "s")


def sweep(rows: Table, model: str) -> Table:
    """Rows of partitioned ORC with a model, sorted by blocks and candidates."""
    part = rows.where(family="partitioned ORC", model=model)
    blocks, candidates = (part.columns.index(key) for key in ("blocks", "log2_candidates"))
    swept = [row for row in part.rows if row[blocks] is not None and row[candidates] is not None]
    return Table(part.columns, sorted(swept, key=lambda row: (row[blocks], row[candidates])))


def bound_bpp(rows: Table) -> float:
    """−ELBO of a model's rows in bits per pixel, from those with the most images."""
    bounds = zip(rows.column("images"), rows.column("negative_elbo_bpp"), strict=True)
    return max(bounds)[1]


def rates_bpp(rows: Table, bound: float) -> list[float]:
    """Bits per pixel of a model's rows as if on one set of images, whose −ELBO is `bound`.

    Rates on few images vary with the images, overheads over their own −ELBO hardly do.
    """
    return [bound + overhead for overhead in rows.column("overhead_bpp")]


def cheapest(rows: Table) -> dict[str, Any]:
    """The row of a model with the smallest overhead, by column."""
    overheads = rows.column("overhead_bpp")
    return dict(zip(rows.columns, rows.rows[overheads.index(min(overheads))], strict=True))


def cheapest_by_family(rows: Table) -> dict[str, dict[str, Any]]:
    """The row with the smallest overhead in each family of files among a model's rows."""
    parts = {family: rows.where(family=family) for family in FAMILIES}
    return {family: cheapest(part) for family, part in parts.items() if part.rows}
