"""The rows: which codec, with which setting, on how many of which images."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from recvae.experiments.pictures.classical import ClassicalCodec
from recvae.experiments.pictures.images import Data

Kind: TypeAlias = Literal["classical", "coded", "ideal", "partition"]
OURS = "recvae"

IMAGES: dict[Data, int] = {"CIFAR-10": 200, "CIFAR-10, with effort": 20, "Kodak": 6}
QUALITIES: dict[Data, tuple[int, ...]] = {
    "CIFAR-10": (20, 34, 44, 58, 80),
    "CIFAR-10, with effort": (38, 54),
    "Kodak": (25, 50),
}
EFFORTS: dict[Data, tuple[int, ...]] = {
    "CIFAR-10": (1,),
    "CIFAR-10, with effort": (1, 16),
    "Kodak": (1,),
}

STRATEGIES = ("mutual information", "informative only", "random", "none")
"""The distribution of bins among a block's dimensions: by information; evenly among those that
carry information; at random; none."""
BLOCK_BITS = (16, 24, 32, 40, 48, 64)
LOG2_CANDIDATES = 16
PARTITION_QUALITY, PARTITION_IMAGES = 50, 6

QUICK_IMAGES: dict[Data, int] = {"CIFAR-10": 6, "CIFAR-10, with effort": 2, "Kodak": 1}
QUICK_QUALITIES, QUICK_EFFORT = (20, 50, 80), 2
STEPS: dict[Data, int] = {"CIFAR-10": 1, "Kodak": 2}  # every n-th classical setting
QUICK_STEP = 3
QUICK_BLOCK_BITS, QUICK_PARTITION_IMAGES = (16, 32), 2


@dataclass(frozen=True)
class Partition:
    """A way to partition latents: strategy, most bits of a block, log2 N of each block."""

    strategy: str
    block_bits: int
    log2_candidates: int


@dataclass(frozen=True)
class Row:
    """A measurement, with everything that determines the numbers except model, images and seed.

    Fields:
        kind: a classical codec; ours as files; ours by its KL; ours with another partition.
        codec: its name.
        data: the images.
        images: number of images.
        setting: the codec's setting: quality, distance or dB.
        effort: for ours as files.
        partition: for ours with another partition.
    """

    kind: Kind
    codec: str
    data: Data
    images: int
    setting: float
    effort: int | None = None
    partition: Partition | None = None

    @property
    def model(self) -> str:
        """The name of its codec."""
        return self.codec

    @property
    def name(self) -> str:
        """For display; identifies the row."""
        words = [self.data, self.codec, self.kind, f"{self.setting:g}"]
        if self.effort is not None:
            words.append(f"effort {self.effort}")
        if self.partition is not None:
            words.append(f"{self.partition.strategy}, {self.partition.block_bits} bits a block")
        return ", ".join(words)

    @property
    def slug(self) -> str:
        """The name of its file, without extension."""
        return to_slug(self.name)

    def settings(self) -> dict[str, Any]:
        """All fields as plain values, by names that differ from those of measurements."""
        return {f"row_{name}": value for name, value in asdict(self).items()}


def to_slug(name: str) -> str:
    """The name of the file of a row, without extension."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower())


def all_rows(quick: bool, classics: Sequence[ClassicalCodec]) -> list[Row]:
    """The rows in the order of measurement: fast ones first."""
    return [*_classical(quick, classics), *_ours(quick), *_partitions(quick)]


def _classical(quick: bool, classics: Sequence[ClassicalCodec]) -> Iterator[Row]:
    for data, step in STEPS.items():
        images = (QUICK_IMAGES if quick else IMAGES)[data]
        for codec in classics:
            for setting in codec.settings[:: QUICK_STEP if quick else step]:
                yield Row("classical", codec.name, data, images, setting)


def _ours(quick: bool) -> Iterator[Row]:
    for data, images in (QUICK_IMAGES if quick else IMAGES).items():
        qualities = QUICK_QUALITIES if quick else QUALITIES[data]
        for quality in qualities:
            yield Row("ideal", OURS, data, images, quality)
        for effort in EFFORTS[data]:
            for quality in qualities:
                taken = min(effort, QUICK_EFFORT) if quick else effort
                yield Row("coded", OURS, data, images, quality, taken)


def _partitions(quick: bool) -> Iterator[Row]:
    images = QUICK_PARTITION_IMAGES if quick else PARTITION_IMAGES
    for strategy in STRATEGIES:
        for block_bits in QUICK_BLOCK_BITS if quick else BLOCK_BITS:
            way = Partition(strategy, block_bits, LOG2_CANDIDATES)
            yield Row("partition", OURS, "CIFAR-10", images, PARTITION_QUALITY, partition=way)
