"""What rows of INR models say in words: how models were trained, and what partitions gain."""

from collections.abc import Sequence

from recvae.experiments.pictures.curves import Curve, curve_of, rate_at
from recvae.experiments.pictures.inr_rows import (
    INR_DATA,
    PARTITIONED_BLOCKS,
    UNPARTITIONED_BLOCKS,
)
from recvae.experiments.store import Measured


def conditions(rows: Sequence[Measured]) -> str:
    """How the models were trained and on how many images rows were measured; "" without rows."""
    own = [row for row in rows if row["data"] == INR_DATA and row["kind"] != "partition"]
    trained = {row["setting"]: row["training"] for row in own}
    told = [f"{rate:.2f} bits per pixel ({words})" for rate, words in sorted(trained.items())]
    if not told:
        return ""
    models = "one model, for" if len(told) == 1 else "a model for each rate:"
    return (
        f"INR: {models} {', '.join(told)}; the first {own[0]['images']} images, in one file in the "
        "coder's groups. The ideal is the KL of posteriors fitted to each image."
    )


def partitioning_gains(rows: Sequence[Measured]) -> list[str]:
    """A sentence for each model: rate and PSNR of large blocks with a partition, and of small ones
    without; where the curve of the former reaches the PSNR of the latter, the bits it saves.
    """
    coded = {
        codec: {row["setting"]: row for row in rows if _is_of(row, codec)}
        for codec in (PARTITIONED_BLOCKS.codec, UNPARTITIONED_BLOCKS.codec)
    }
    with_bins, without = coded.values()
    curve = curve_of((row["bits_per_pixel"], row["psnr_db"]) for row in with_bins.values())
    return [
        f"KL of {setting:.2f} bits per pixel: {PARTITIONED_BLOCKS.block_bits}-bit blocks with "
        f"partition {_point(with_bins[setting])}, {UNPARTITIONED_BLOCKS.block_bits}-bit blocks "
        f"without {_point(other)}{_saving(curve, other)}."
        for setting, other in without.items()
        if setting in with_bins
    ]


def _is_of(row: Measured, codec: str) -> bool:
    return bool(row["kind"] == "coded" and row["codec"] == codec)


def _point(row: Measured) -> str:
    return f"{row['bits_per_pixel']:.3f} bits per pixel at {row['psnr_db']:.2f} dB"


def _saving(curve: Curve, other: Measured) -> str:
    rate = rate_at(curve, other["psnr_db"])
    if rate is None:
        return ""
    share = 1 - rate / other["bits_per_pixel"]
    return f"; at {other['psnr_db']:.2f} dB the former takes {share:.1%} fewer bits"
