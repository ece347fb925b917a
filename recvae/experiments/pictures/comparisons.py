"""Comparisons of the measured curves with each other and with published ones, at equal rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recvae.experiments.pictures.curves import Curve, curve_of, psnr_at
from recvae.experiments.pictures.images import PLACES, Data
from recvae.experiments.pictures.inr_rows import (
    INR,
    INR_DATA,
    PARTITIONED_BLOCKS,
    UNPARTITIONED_BLOCKS,
)
from recvae.experiments.pictures.published import ORC, PARTITIONED, RESULTS, THEORY, Published
from recvae.experiments.pictures.rows import OURS
from recvae.experiments.store import Measured

RATES_BPP: dict[Data, tuple[float, ...]] = {
    "CIFAR-10": (0.85, 1.10, 1.50, 2.0),
    "CIFAR-10, with effort": (0.85, 1.10, 1.50),
    "Kodak": (0.25, 0.5, 1.0, 1.5),
}
"""Rates at which ours is compared with classical codecs and with its own ideal."""

IDEAL, EFFORT = f"{OURS}, ideal (KL)", f"{OURS}, effort "
"""Names of our curves; those of files end in the effort."""

INR_IDEAL, INR_BINS, INR_NO_BINS = (
    f"{INR}, ideal (KL)", PARTITIONED_BLOCKS.codec, UNPARTITIONED_BLOCKS.codec,
)  # fmt: skip
INR_PUBLISHED: dict[str, Published] = {
    INR_IDEAL: THEORY, INR_BINS: PARTITIONED, INR_NO_BINS: ORC,
}  # fmt: skip
"""The published curve of each of these curves."""


@dataclass(frozen=True)
class Comparison:
    """Two curves at one rate.

    Fields:
        what, against: the two curves.
        data: the images of the first.
        rate_bpp: bits per pixel.
        ours_db, theirs_db: PSNR there, of the first and of the second.
    """

    what: str
    against: str
    data: Data
    rate_bpp: float
    ours_db: float
    theirs_db: float

    @property
    def gain_db(self) -> float:
        """The difference of the first to the second, in dB."""
        return self.ours_db - self.theirs_db


def curves(rows: Sequence[Measured], data: Data) -> dict[str, Curve]:
    """The curves of a set of images by name, in the order of the rows.

    Codecs whose headers are identified have a curve of files and one of payloads.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["data"] == data and row["kind"] != "partition":
            points.setdefault(_name(row), []).append((row["bits_per_pixel"], row["psnr_db"]))
            if row.get("payload_bpp") is not None:
                payload = (row["payload_bpp"], row["psnr_db"])
                points.setdefault(f"{row['codec']} payload", []).append(payload)
    return {name: curve_of(found) for name, found in points.items()}


def comparisons(rows: Sequence[Measured]) -> list[Comparison]:
    """All comparisons that the rows allow, at rates that both curves reach."""
    return [found for data in PLACES for found in _of(curves(rows, data), data)]


def is_coded(name: str) -> bool:
    """Whether it is a curve of our files."""
    return name.startswith(EFFORT)


def _name(row: Measured) -> str:
    codec: str = row["codec"]
    if row["kind"] == "ideal":
        return f"{codec}, ideal (KL)"
    return f"{EFFORT}{row['effort']}" if (row["kind"], codec) == ("coded", OURS) else codec


def _of(found: dict[str, Curve], data: Data) -> Iterator[Comparison]:
    """The comparisons of a set of images."""
    if data == INR_DATA:
        yield from _inr(found)
    else:
        yield from _with_published(found, data)
        yield from _here(found, data)


def _with_published(found: dict[str, Curve], data: Data) -> Iterator[Comparison]:
    """Compare files with published coded points, the ideal curve with the published ideal one."""
    if data != "CIFAR-10":
        return
    for result in RESULTS:
        for name, curve in found.items():
            if (name == IDEAL) if result is THEORY else is_coded(name):
                rates = [rate for rate, _ in result.curve]
                against = f"{result.name}, {result.setting}"
                yield from _compare(name, curve, against, result.curve, data, rates)


def _here(found: dict[str, Curve], data: Data) -> Iterator[Comparison]:
    """Compare files with the ideal, and with classical codecs."""
    for name, curve in found.items():
        if is_coded(name):
            for against, other in found.items():
                if not is_coded(against):
                    yield from _compare(name, curve, against, other, data, RATES_BPP[data])


def _inr(found: dict[str, Curve]) -> Iterator[Comparison]:
    """Compare at the rates that were measured, since there may be one only."""
    for name, curve in found.items():
        rates = [rate for rate, _ in curve]
        if result := INR_PUBLISHED.get(name):
            against = f"{result.name}, {result.setting}"
            yield from _compare(name, curve, against, result.curve, INR_DATA, rates)
        others = [] if name == INR_IDEAL else [INR_IDEAL]
        others += [INR_NO_BINS] if name == INR_BINS else []
        for against in others:
            yield from _compare(name, curve, against, found.get(against, ()), INR_DATA, rates)


def _compare(
    what: str, ours: Curve, against: str, theirs: Curve, data: Data, rates: Sequence[float]
) -> Iterator[Comparison]:
    for rate in rates:
        here, there = psnr_at(ours, rate), psnr_at(theirs, rate)
        if here is not None and there is not None:
            yield Comparison(what, against, data, rate, here, there)
