"""The targets, and whether they were reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recvae.experiments.mnist.published import GREEDY_REJECTION, published_bpp
from recvae.experiments.mnist.rows import ALL_IMAGES, BASELINE, MODELS
from recvae.experiments.store import Measured

MOST_OVERHEAD = 0.015  # of -ELBO, at the best setting
LEAST_SAVING = 0.05  # of the total, against other coders


@dataclass(frozen=True)
class Verdict:
    """One line of the summary: a target, the value found, whether it was reached."""

    target: str
    found: str
    reached: bool


def verdicts(rows: Sequence[Measured]) -> list[Verdict]:
    """The targets that the rows can decide, for partitioned ORC at its best setting.

    Rows may have different test images, so rates are compared relative to -ELBO of those images.
    """
    found: list[Verdict] = []
    for latent_dim, model in MODELS.items():
        model_rows = [row for row in rows if row["model"] == model]
        ours = best(model_rows, "partitioned ORC")
        if ours is None:
            continue
        if latent_dim == BASELINE:
            overhead = _ratio(ours) - 1
            found.append(
                Verdict(
                    f"{ours['name']}: within {MOST_OVERHEAD:.1%} of -ELBO",
                    f"{overhead:.2%} above",
                    overhead <= MOST_OVERHEAD,
                )
            )
        for name, saving in _savings(model_rows, ours):
            target = f"{latent_dim} latents: at least {LEAST_SAVING:.0%} below {name}"
            found.append(Verdict(target, f"{saving:.2%} below", saving >= LEAST_SAVING))
    return found


def best(rows: Sequence[Measured], family: str) -> Measured | None:
    """The row of a family with the lowest rate relative to -ELBO."""
    return min((row for row in rows if row["family"] == family), key=_ratio, default=None)


def best_on_all_images(rows: Sequence[Measured], model: str | int | None) -> Measured | None:
    """The best row of partitioned ORC with a model, among rows comparable to published rates."""
    whole = [row for row in rows if row["model"] == model and row["images"] == ALL_IMAGES]
    return best(whole, "partitioned ORC")


def _savings(rows: Sequence[Measured], ours: Measured) -> Iterable[tuple[str, float]]:
    for family in ("standard ORC", "GPRS"):
        if (other := best(rows, family)) is not None:
            yield other["name"], 1 - _ratio(ours) / _ratio(other)
    theirs = published_bpp(GREEDY_REJECTION, ours["latent_dim"])
    whole = best_on_all_images(rows, ours["model"])
    if theirs is not None and whole is not None:
        name = f"the published {theirs} of {GREEDY_REJECTION}"
        yield name, 1 - whole["bits_per_pixel"] / theirs


def _ratio(row: Measured) -> float:
    return row["bits_per_pixel"] / row["negative_elbo_bpp"]
