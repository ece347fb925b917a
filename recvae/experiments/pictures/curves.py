"""Rate-distortion curves: points, PSNR at a rate, and the rate at a PSNR.

Between its points a curve is linear, in dB over bits per pixel; beyond them it is undefined.
"""

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]
"""Bits per pixel and PSNR in dB."""

Curve: TypeAlias = tuple[Point, ...]
"""Points by strictly ascending rate."""


def curve_of(points: Iterable[Point]) -> Curve:
    """The curve through points: the best at each rate, without infinite PSNRs."""
    finite = sorted((rate, db) for rate, db in points if math.isfinite(db))
    return tuple(sorted(dict(finite).items()))


def psnr_at(curve: Curve, rate_bpp: float) -> float | None:
    """PSNR in dB at a rate in bits per pixel; None beyond the ends of the curve."""
    if not curve or not curve[0][0] <= rate_bpp <= curve[-1][0]:
        return None
    rates, decibels = zip(*curve, strict=True)
    return float(np.interp(rate_bpp, rates, decibels))


def rate_at(curve: Curve, db: float) -> float | None:
    """Rate in bits per pixel at a PSNR in dB, of a curve that rises; None beyond its ends."""
    return psnr_at(curve_of((db, rate) for rate, db in curve), db)
