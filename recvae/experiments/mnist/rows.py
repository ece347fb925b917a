"""The rows of the table: which coder, on which model, with which settings, on how many images.

Main rows cover all test images; the many others fewer, always the first ones of one shuffled order
of the test set, so that rows with equal numbers use the same images.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

Family: TypeAlias = Literal[
    "partitioned ORC",
    "standard ORC",
    "PFR",
    "GPRS",
    "A*",
    "min-cost selection",
    "fitted bin prior",
    "bound",
]
FAMILIES: tuple[Family, ...] = (
    "bound",
    "partitioned ORC",
    "fitted bin prior",
    "min-cost selection",
    "standard ORC",
    "PFR",
    "GPRS",
    "A*",
)

MODELS = {20: "mnist-mlp-20", 50: "mnist-mlp", 100: "mnist-mlp-100"}
BASELINE = 50
VARIANTS = {"beta 1": "mnist-mlp-beta1", "controlled": "mnist-mlp-controlled"}
"""The baseline's network, trained with other weights of the dimensions' KL."""
MODEL_NAMES = (*MODELS.values(), *VARIANTS.values())
BLOCKS = (1, 2, 4, 8)
LOG2_CANDIDATES = (6, 8, 10, 12, 14, 16)
LOG2_CAP = 20  # of exact searches: the limit of model files for a block

# log2 J of a block over its information, by log2 N and number of blocks: the value in steps of 0.1
# that coded training images of the baseline in the fewest bits. With few candidates, bins must do
# what the search cannot; with many, more bins cost more than they save. One block of 50 latents is
# limited to 2^62 bins, whatever this says.
BINS_PER_INFORMATION = {
    6: {1: 1.0, 2: 1.1, 4: 1.0, 8: 0.9},
    8: {1: 1.0, 2: 1.0, 4: 1.0, 8: 0.8},
    10: {1: 1.0, 2: 1.0, 4: 0.9, 8: 0.7},
    12: {1: 1.0, 2: 1.0, 4: 0.8, 8: 0.7},
    14: {1: 1.0, 2: 0.9, 4: 0.7, 8: 0.6},
    16: {1: 1.0, 2: 0.9, 4: 0.6, 8: 0.6},
}
PFR_BINS_PER_INFORMATION = 0.75  # for exact searches, whose bins need not carry everything

ALL_IMAGES, MOST_IMAGES, SIDE_IMAGES = 10_000, 2_000, 1_000
QUICK_IMAGES, QUICK_TRAINING_IMAGES = 64, 100


@dataclass(frozen=True)
class Row:
    """A measurement, with everything that determines the numbers except model, seed and images.

    Fields:
        name: for display; with the model it identifies the row.
        family: the kind of coder.
        latent_dim: latents of the model, which it selects.
        variant: which of `VARIANTS` the model is; None for one of `MODELS`.
        images: number of test images.
        training_images: number of images that its constants are fitted to.
        rank_images: how many of those, at most, rank codes are fitted to, which needs a search.
        tried: candidates of a block that min-cost selection tries.
        beam: choices that min-cost selection keeps.
        blocks: number of blocks; None if `block_bits` determines it.
        block_bits: most mutual information of a block, instead of `blocks`.
        log2_candidates: log2 N if the number of candidates is fixed; None for exact searches.
        log2_cap: cap on the candidates of an exact search.
        bins_per_information: log2 J of a block over its information; None without bins.
        zeta: whether ranks use the zeta code of the literature instead of a fitted histogram.
        bisecting: for GPRS: whether it is the branch-and-bound form.
        group_size: images that share an entropy coder.
        batch_size: images per batch, as in `recvae compress`.
    """

    name: str
    family: Family
    latent_dim: int
    images: int
    blocks: int | None = None
    block_bits: float | None = None
    log2_candidates: int | None = None
    bins_per_information: float | None = None
    zeta: bool = False
    bisecting: bool = False
    training_images: int = 500
    rank_images: int = 500
    tried: int = 64
    beam: int = 4
    variant: str | None = None
    log2_cap: int = LOG2_CAP
    group_size: int = 64
    batch_size: int = 64

    @property
    def model(self) -> str:
        """The name of its model."""
        return MODELS[self.latent_dim] if self.variant is None else VARIANTS[self.variant]

    @property
    def slug(self) -> str:
        """The name of its file, without extension."""
        words = f"{self.model} {self.name}".lower().replace("a*", "a-star")
        return re.sub(r"[^a-z0-9]+", "-", words).strip("-")

    def settings(self) -> dict[str, Any]:
        """All fields as plain values, by their names in files of rows."""
        names = {"variant": "twin"}
        return {names.get(name, name): value for name, value in asdict(self).items()}


def all_rows(quick: bool) -> list[Row]:
    """The rows in the order of measurement; those that others need come first."""
    if quick:
        return [
            replace(row, training_images=QUICK_TRAINING_IMAGES, tried=8) for row in _quick_rows()
        ]
    return list(_full_rows())


def _full_rows() -> Iterator[Row]:
    yield bound(BASELINE, ALL_IMAGES)
    # The main rows: the best setting, its comparisons, and improvements on it.
    yield partitioned(BASELINE, 2, 16, ALL_IMAGES)
    yield standard(BASELINE, 16, 12.0, ALL_IMAGES)
    yield fitted_bins(BASELINE, 2, 16, ALL_IMAGES)
    yield min_cost(BASELINE, 4, 12, MOST_IMAGES)  # it tries many candidates of each
    for blocks in BLOCKS:
        for log2_candidates in LOG2_CANDIDATES:
            if (blocks, log2_candidates) != (2, 16):
                yield partitioned(BASELINE, blocks, log2_candidates, SIDE_IMAGES)
    for block_bits in (10.0, 14.0, 16.0):
        yield standard(BASELINE, 16, block_bits, SIDE_IMAGES)
    yield standard(BASELINE, 16, 12.0, SIDE_IMAGES, zeta=True)
    yield pfr(BASELINE, 8.0, SIDE_IMAGES)
    yield pfr(BASELINE, 12.0, SIDE_IMAGES, partitioned=True)
    yield gprs(BASELINE, 8.0, SIDE_IMAGES)
    yield gprs(BASELINE, None, SIDE_IMAGES)
    yield a_star(BASELINE, SIDE_IMAGES)
    for latent_dim in MODELS:
        if latent_dim != BASELINE:
            yield bound(latent_dim, ALL_IMAGES)
            for blocks in (1, 2, 4):
                yield partitioned(latent_dim, blocks, 14, ALL_IMAGES)
            yield standard(latent_dim, 16, 12.0, SIDE_IMAGES)
            yield min_cost(latent_dim, 4, 12, SIDE_IMAGES)
            yield gprs(latent_dim, 8.0, SIDE_IMAGES)
            yield a_star(latent_dim, SIDE_IMAGES)
    for variant in VARIANTS:
        yield replace(bound(BASELINE, SIDE_IMAGES), variant=variant)
        for log2_candidates in LOG2_CANDIDATES:
            row = partitioned(BASELINE, 2, log2_candidates, SIDE_IMAGES)
            yield replace(row, variant=variant)


def _quick_rows() -> Iterator[Row]:
    yield bound(BASELINE, QUICK_IMAGES)
    yield partitioned(BASELINE, 2, 8, QUICK_IMAGES)
    yield partitioned(BASELINE, 4, 10, QUICK_IMAGES)
    yield fitted_bins(BASELINE, 4, 10, QUICK_IMAGES)
    yield min_cost(BASELINE, 4, 10, QUICK_IMAGES)
    yield standard(BASELINE, 10, 8.0, QUICK_IMAGES)
    yield a_star(BASELINE, QUICK_IMAGES)


def bound(latent_dim: int, images: int) -> Row:
    """-ELBO, the lower bound of coding."""
    return Row("-ELBO", "bound", latent_dim, images)


def partitioned(latent_dim: int, blocks: int, log2_candidates: int, images: int) -> Row:
    """Partitioned ORC as in the codec."""
    name = f"partitioned ORC, {_blocks(blocks)}, N = 2^{log2_candidates}"
    return Row(
        name,
        "partitioned ORC",
        latent_dim,
        images,
        blocks,
        log2_candidates=log2_candidates,
        bins_per_information=BINS_PER_INFORMATION[log2_candidates][blocks],
    )


def fitted_bins(latent_dim: int, blocks: int, log2_candidates: int, images: int) -> Row:
    """Partitioned ORC whose bins are coded under the aggregate posterior."""
    return replace(
        partitioned(latent_dim, blocks, log2_candidates, images),
        name=f"fitted bin prior, {_blocks(blocks)}, N = 2^{log2_candidates}",
        family="fitted bin prior",
        training_images=20_000,  # many, as only posteriors are needed
    )


def min_cost(latent_dim: int, blocks: int, log2_candidates: int, images: int) -> Row:
    """Partitioned ORC that sends the candidate with the fewest bits in total."""
    return replace(
        partitioned(latent_dim, blocks, log2_candidates, images),
        name=f"min-cost selection, {_blocks(blocks)}, N = 2^{log2_candidates}",
        family="min-cost selection",
        training_images=200,
    )


def standard(
    latent_dim: int, log2_candidates: int, block_bits: float, images: int, zeta: bool = False
) -> Row:
    """ORC without partition."""
    name = f"standard ORC, {block_bits:g}-bit blocks, N = 2^{log2_candidates}"
    name += ", zeta code" if zeta else ""
    return Row(
        name, "standard ORC", latent_dim, images, None, block_bits, log2_candidates, zeta=zeta
    )


def pfr(latent_dim: int, block_bits: float, images: int, partitioned: bool = False) -> Row:
    """The Poisson functional representation."""
    kind = "partitioned PFR" if partitioned else "PFR"
    return Row(
        f"{kind}, {block_bits:g}-bit blocks",
        "PFR",
        latent_dim,
        images,
        block_bits=block_bits,
        bins_per_information=PFR_BINS_PER_INFORMATION if partitioned else None,
    )


def gprs(latent_dim: int, block_bits: float | None, images: int) -> Row:
    """Greedy Poisson rejection sampling: in blocks, or each dimension by branch and bound."""
    name = f"GPRS, {block_bits:g}-bit blocks" if block_bits else "GPRS, branch and bound"
    return Row(
        name, "GPRS", latent_dim, images, block_bits=block_bits, bisecting=block_bits is None
    )


def a_star(latent_dim: int, images: int) -> Row:
    """A* coding of each dimension."""
    return Row("A* coding", "A*", latent_dim, images)


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"
