"""Rows as the MNIST experiment writes them, with plausible numbers, to draw and report from."""

import math
from typing import Any

PIXELS = 784
SEARCH_KL_BITS = {1: 30.0, 2: 17.0, 4: 9.5, 8: 5.5}  # all blocks: the part bins leave to the search
LOG2_CANDIDATES = range(6, 17)


def make_row(name: str, family: str, **cells: Any) -> dict[str, Any]:
    """A row whose sums add up; `cells` override defaults."""
    row: dict[str, Any] = {
        "name": name,
        "family": family,
        "model": "mnist-mlp",
        "latent_dim": 50,
        "blocks": 3,
        "log2_candidates": None,
        "images": 10_000,
        "standard_error_bpp": None,
        "bins_bpp": 0.1075,
        "ranks_bpp": 0.02,
        "container_bpp": 0.001,
        "negative_elbo_bpp": 1.3495,
        "overhead_bits": 14.0,
        "bias_bits": 0.1,
        "encode_seconds": 0.004,
        "decode_seconds": 0.0021,
        "peak_mb": 700.0,
        "capped_images": 0,
        "published_bpp": None,
    } | cells
    row["overhead_bpp"] = row["overhead_bits"] / PIXELS
    row["bits_per_pixel"] = row["negative_elbo_bpp"] + row["overhead_bpp"]
    parts = row["bins_bpp"] + row["ranks_bpp"] + row["container_bpp"]
    row["pixels_bpp"] = row["bits_per_pixel"] - parts
    row["file_bytes"] = round(row["bits_per_pixel"] * PIXELS * row["images"] / 8)
    return row


def bound() -> dict[str, Any]:
    """The row of -ELBO, without a file."""
    row = make_row("-ELBO", "bound", overhead_bits=0.0)
    kept = ("name", "family", "model", "latent_dim", "images", "negative_elbo_bpp")
    return dict.fromkeys(row) | {key: row[key] for key in (*kept, "bits_per_pixel", "pixels_bpp")}


def partitioned(model: str = "mnist-mlp", easier_bits: float = 0.0) -> list[dict[str, Any]]:
    """The sweep over blocks and candidates, with `easier_bits` fewer bits for each search."""
    rows = []
    for blocks, search_kl_bits in SEARCH_KL_BITS.items():
        for log2_candidates in LOG2_CANDIDATES:
            spare_bits = log2_candidates - search_kl_bits + easier_bits
            bias_bits = blocks * math.log2(1 + 2 ** (1 - 0.6 * spare_bits))
            rows.append(
                make_row(
                    f"{model}, {blocks} blocks, 2^{log2_candidates}",
                    "partitioned ORC",
                    model=model,
                    blocks=blocks,
                    log2_candidates=log2_candidates,
                    ranks_bpp=0.005 + 0.004 * blocks,
                    overhead_bits=2.6 * blocks + 2 + bias_bits,
                    bias_bits=bias_bits,
                    encode_seconds=0.002 + 4e-7 * blocks * 2**log2_candidates,
                )
            )
    return rows


def full() -> list[dict[str, Any]]:
    """Rows of all families."""
    subset: dict[str, Any] = {
        "images": 500,
        "standard_error_bpp": 0.014,
        "negative_elbo_bpp": 1.3402,
        "bins_bpp": 0.0,
        "ranks_bpp": 0.16,
    }
    wide = {"blocks": 8, "log2_candidates": 16, "bins_bpp": 0.0, "ranks_bpp": 0.185}
    return [
        bound(),
        *partitioned(),
        *partitioned("mnist-mlp-beta1", -0.5),
        *partitioned("mnist-mlp-controlled", 1.5),
        make_row("min-cost", "min-cost selection", log2_candidates=12, overhead_bits=8.0),
        make_row("fitted bins", "fitted bin prior", log2_candidates=12, overhead_bits=11.0),
        make_row("ORC", "standard ORC", **wide, overhead_bits=60.0, encode_seconds=0.3),
        make_row("PFR", "PFR", **subset, blocks=8, overhead_bits=52.0, encode_seconds=2.0),
        make_row("GPRS", "GPRS", **subset, blocks=8, overhead_bits=47.0, encode_seconds=3.1),
        make_row("A*", "A*", **subset, blocks=50, overhead_bits=140.0, encode_seconds=0.02),
        *(
            make_row(
                f"{dim} latents",
                "partitioned ORC",
                model=f"mnist-mlp-{dim}",
                latent_dim=dim,
                log2_candidates=14,
                negative_elbo_bpp=bound,
                published_bpp=published,
            )
            for dim, bound, published in ((20, 1.379, 1.472), (100, 1.351, 1.523))
        ),
    ]
