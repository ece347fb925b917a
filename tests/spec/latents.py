"""Latents of a group: their symbols, by the model's codec, and their meaning."""

from collections.abc import Sequence

import numpy as np

from spec.coder import TOTAL, RangeDecoder, latents, philox, quantile
from spec.container import check
from spec.model import Model


def decode_latents(model: Model, table: list[int], coder: RangeDecoder, count: int) -> np.ndarray:
    """Latents (count, D) of the images that the model codes."""
    description = model.text.get("latents", {"codec": "blocks", "blocks": model.text.get("blocks")})
    z = np.zeros((count, model.text["architecture"]["latent_dim"]), np.int64)
    if description["codec"] == "branch and bound":
        return by_branch_and_bound(model.text["key"], description, table, coder, z)
    check(description["codec"] in ("blocks", "fitted bins"), "the codec for latents")
    for number, block in enumerate(description["blocks"]):
        intervals = block["intervals"]
        if description["codec"] == "blocks":
            bins = [[coder.uniform(size) for size in intervals] for _ in range(count)]
        else:
            tables = description["bin_frequencies"][number]
            columns = [[coder.symbol(rows) for _ in range(count)] for rows in tables]
            bins = [list(image) for image in zip(*columns, strict=True)]
        ranks = decode_ranks(block["rank_code"], coder, count, block["num_candidates"])
        for image, rank in enumerate(ranks):
            z[image, block["dimensions"]] = latents(
                model.text["key"], number, intervals, bins[image], rank, table
            )
    return z


def decode_ranks(code: dict, coder: RangeDecoder, count: int, limit: int) -> list[int]:
    """Ranks of all images: their buckets, then their places."""
    buckets = [coder.symbol(code["frequencies"]) for _ in range(count)]
    places = [coder.uniform(1 << code["raw_bits"][bucket]) for bucket in buckets]
    ranks = [
        place + sum(1 << bits for bits in code["raw_bits"][:bucket])
        for bucket, place in zip(buckets, places, strict=True)
    ]
    check(all(rank < limit for rank in ranks), "a rank that is no candidate")
    return ranks


def by_branch_and_bound(
    key: int, description: dict, table: list[int], coder: RangeDecoder, z: np.ndarray
) -> np.ndarray:
    """Fill z (count, D), all dimensions alike."""
    count, limit = len(z), description["max_candidates"]
    ranks = np.array(
        [decode_ranks(code, coder, count, limit) for code in description["rank_codes"]], np.int64
    ).T.reshape(z.shape)
    ends = {place: (0, 1 << 32) for place in np.ndindex(*z.shape)}
    for k in range(int(ranks.max(initial=-1)) + 1):
        for (image, dimension), (low, high) in ends.items():
            if ranks[image, dimension] >= k:
                v = candidate(key, dimension, k, low, high)
                z[image, dimension] = quantile(v, table)
            if ranks[image, dimension] > k:
                above = coder.symbol(ways(low, high, v))
                ends[image, dimension] = (v + 1, high) if above else (low, v)
                check(len(range(*ends[image, dimension])) > 0, "a way that has ended")
    return z


def candidate(key: int, dimension: int, k: int, low: int, high: int) -> int:
    """The position of candidate k of a dimension, whose interval is [low, high)."""
    w = philox(key, 0)
    u = philox(w[0] | w[1] << 32, dimension, k)[0]
    return low + (u * (high - low) >> 32)


def ways(low: int, high: int, v: int) -> Sequence[int]:
    """Frequencies of continuing below and above v."""
    a = (high - v - 1) * TOTAL // max(high - low - 1, 1)
    a = min(max(a, 1), TOTAL - 1)
    return TOTAL - a, a
