"""The rows of implicit neural representations (INR): which model, blocks and effort."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from recvae.codec.inr.sender import Effort
from recvae.experiments.pictures.images import Data
from recvae.experiments.pictures.rows import STRATEGIES, Kind, to_slug

INR = "INR"
INR_DATA: Data = "CIFAR-10, INR"
PARTITIONED, UNPARTITIONED = "mutual information", "none"

IMAGES, CALIBRATION_IMAGES, ABLATION_IMAGES = 32, 16, 8
QUICK_IMAGES, QUICK_CALIBRATION_IMAGES, QUICK_ABLATION_IMAGES = 4, 4, 2
QUICK_EFFORT = Effort(first_steps=20, block_steps=1, max_log2_candidates=10)
LOG2_CANDIDATES = 12  # of every block of the ablation


@dataclass(frozen=True)
class Blocks:
    """Blocks and their coding.

    Fields:
        block_bits: the most information of a block.
        strategy: how bins are shared among its latents.
        tuned: whether the rest is fitted anew after each block.
    """

    block_bits: int
    strategy: str = PARTITIONED
    tuned: bool = True

    @property
    def codec(self) -> str:
        """The name of a codec with such blocks, and of its curve."""
        words = [f"{INR}, {self.block_bits}-bit blocks"]
        if self.strategy == UNPARTITIONED:
            words.append("no partition")
        if not self.tuned:
            words.append("no fine-tuning")
        return ", ".join(words)


PARTITIONED_BLOCKS, UNPARTITIONED_BLOCKS = Blocks(48), Blocks(16, UNPARTITIONED)
CODED = (
    PARTITIONED_BLOCKS,
    replace(PARTITIONED_BLOCKS, tuned=False),
    Blocks(32),
    Blocks(24),
    UNPARTITIONED_BLOCKS,
    replace(UNPARTITIONED_BLOCKS, tuned=False),
)
ABLATION = (*(Blocks(48, strategy) for strategy in STRATEGIES), UNPARTITIONED_BLOCKS)


@dataclass(frozen=True)
class Measurable:
    """What determines the numbers of a model's rows besides its blocks and effort.

    Fields:
        name: of the model.
        model_hash: of all that it holds.
        bits_per_pixel: the KL that it keeps.
        images_sha256, calibration_sha256: fingerprints of the pictures.
    """

    name: str
    model_hash: str
    bits_per_pixel: float
    images_sha256: str
    calibration_sha256: str


@dataclass(frozen=True)
class InrRow:
    """A measurement of a model; see `rows.Row`.

    Fields:
        kind: as files; by the KL of fitted posteriors; with an equal search for all partitions.
        measured: the model and the pictures.
        images: number of images.
        effort: of the sender.
        blocks: the blocks; None for the model's own.
    """

    kind: Kind
    measured: Measurable
    images: int
    effort: Effort
    blocks: Blocks | None = None

    @property
    def codec(self) -> str:
        """The name of its codec, and of its curve."""
        return INR if self.blocks is None or self.kind == "partition" else self.blocks.codec

    @property
    def model(self) -> str:
        """The codec whose version decides whether a stored row is of this run.

        The model itself is among the settings: a row of an earlier one is measured anew.
        """
        return INR

    @property
    def name(self) -> str:
        """For display; identifies the row."""
        blocks = self.blocks
        if blocks is None:
            return f"{INR_DATA}, {self.measured.name}, {self.kind}"
        if self.kind == "coded":
            return f"{INR_DATA}, {self.measured.name}, {self.kind}, {blocks.codec}"
        # Without the model's: once there is one of a higher rate, its rows replace these.
        return f"{INR_DATA}, {self.kind}, {blocks.strategy}, {blocks.block_bits} bits a block"

    @property
    def slug(self) -> str:
        """The name of its file, without extension."""
        return to_slug(self.name)

    def settings(self) -> dict[str, Any]:
        """All fields as plain values, by names that differ from those of measurements."""
        return {f"row_{name}": value for name, value in asdict(self).items()}


def inr_rows(models: Sequence[Measurable], quick: bool) -> Iterator[InrRow]:
    """The rows of some models in the order of measurement; the ablation is of the highest rate."""
    effort = QUICK_EFFORT if quick else Effort()
    images = QUICK_IMAGES if quick else IMAGES
    for model in models:
        yield InrRow("ideal", model, images, effort)
    for model in models:
        for blocks in CODED:
            own = effort if blocks.tuned else replace(effort, block_steps=0)
            yield InrRow("coded", model, images, own, blocks)
    if models:
        highest = max(models, key=lambda model: model.bits_per_pixel)
        few = QUICK_ABLATION_IMAGES if quick else ABLATION_IMAGES
        equal = replace(effort, max_log2_candidates=LOG2_CANDIDATES, margin_bits=100.0)
        for blocks in ABLATION:
            yield InrRow("partition", highest, few, equal, blocks)
