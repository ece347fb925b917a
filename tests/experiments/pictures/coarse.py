"""A lossy image coder in two layers, to measure: pixels in steps, high bits first."""

import json
import zlib
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from recvae.codec import Codec, ImageCoder, register_image_coder
from recvae.codec.container import Group
from recvae.codec.image_coder import Pixels
from recvae.experiments.pictures.classical import RGB
from recvae.experiments.pictures.images import mean_psnr_db, num_pixels
from recvae.experiments.pictures.ours import PartitionPoint
from recvae.experiments.pictures.rows import Partition
from recvae.images import ImageSpec

FORMAT = "coarse-1"
LEVELS = 16  # of the second layer


class Coarse(ImageCoder):
    name = "coarse"
    file_id = b"pixels in steps."
    plain = False
    lossy = True
    layers = 2
    quality = 50
    effort = 1

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], dict[str, Any]]:
        step = 1 + (100 - self.quality) // 2
        groups = []
        for start in range(0, len(pixels), group_size):
            part = pixels[start : start + group_size]
            level = np.round(part / step).astype(np.uint8)
            streams = (
                bytes([step]) + zlib.compress((level // LEVELS).tobytes(), min(self.effort, 9)),
                zlib.compress((level % LEVELS).tobytes(), min(self.effort, 9)),
            )
            groups.append(Group(len(part), ImageSpec.from_shape(part.shape), streams, layers=2))
        return groups, {"pixels": np.zeros(len(pixels))}

    def decode(self, groups: Sequence[Group]) -> Pixels:
        return np.concatenate([self._decode(group) for group in groups])

    def with_quality(self, quality: int) -> "Coarse":
        return self._with(quality=quality)

    def with_effort(self, effort: int) -> "Coarse":
        return self._with(effort=effort)

    def _with(self, **options: int) -> "Coarse":
        other = copy(self)
        vars(other).update(options)
        return other

    def _decode(self, group: Group) -> Pixels:
        high, low = group.streams
        level = LEVELS * np.frombuffer(zlib.decompress(high[1:]), np.uint8).astype(int)
        level += np.frombuffer(zlib.decompress(low), np.uint8)
        pixels = np.minimum(level * high[0], 255).astype(np.uint8)
        return pixels.reshape(group.num_images, *group.spec.shape)


register_image_coder(FORMAT, lambda folder: Coarse())


def make_model(folder: Path) -> Path:
    """Make a folder with this model."""
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"format": FORMAT}))
    return folder


def ideal(codec: Codec, images: list[RGB], quality: int, seed: int) -> tuple[float, float]:
    """Ideal point of this coder in place of a hierarchy: its streams, without the file."""
    decoded, num_bytes = [], 0
    for image in images:
        groups, _ = codec.model.with_quality(quality).encode(image[None], 1)
        num_bytes += sum(group.num_bytes for group in groups)
        decoded += list(codec.model.decode(groups))
    return 8 * num_bytes / num_pixels(images), mean_psnr_db(images, decoded)


def partitioned(
    codec: Codec, images: list[RGB], quality: int, partition: Partition, seed: int
) -> PartitionPoint:
    """Likewise; with nothing to partition here, the overhead is plain arithmetic."""
    rate, db = ideal(codec, images, quality, seed)
    overhead = 1 + len(partition.strategy) / 10 + partition.block_bits / 64
    return PartitionPoint(overhead, rate + overhead / partition.block_bits, db - overhead / 10)
