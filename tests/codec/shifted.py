"""An image coder in numpy only, whose model is a folder: pixels plus a shift by row and column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recvae.codec import ImageCoder, register_image_coder
from recvae.codec.container import Group
from recvae.codec.image_coder import Bits, Pixels
from recvae.codec.model_folder import WEIGHTS_NAME, FolderModel, content_hash, read_tensors
from recvae.codec.models import JSON_NAME, read_object
from recvae.images import ImageSpec

FORMAT = "shifted-1"
SHAPE = (2, 3)


class Shifted(FolderModel, ImageCoder):
    name = "shifted"
    cpu_only = True

    def __init__(self, shifts: np.ndarray) -> None:
        self.shifts = shifts  # int8 SHAPE, repeated over an image

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        spec = ImageSpec.from_shape(pixels.shape)
        shifted = pixels + self._over(spec)
        parts = [shifted[start : start + group_size] for start in range(0, len(pixels), group_size)]
        # One byte more than the pixels: else it would mean uncompressed pixels.
        groups = [Group(len(part), spec, (part.tobytes() + b"\0",)) for part in parts]
        return groups, {"pixels": np.full(len(pixels), 8.0 * spec.raw_bytes)}

    def decode(self, groups: Sequence[Group]) -> Pixels:
        spec = groups[0].spec
        data = b"".join(group.streams[0][:-1] for group in groups)
        return np.frombuffer(data, np.uint8).reshape(-1, *spec.shape) - self._over(spec)

    def description(self) -> dict[str, Any]:
        return {"format": FORMAT}

    def tensors(self) -> dict[str, np.ndarray]:
        return {"shifts": self.shifts}

    def _over(self, spec: ImageSpec) -> Pixels:
        rows, columns = np.ogrid[: spec.height, : spec.width]
        shifts = self.shifts.view(np.uint8)[rows % SHAPE[0], columns % SHAPE[1]]
        return shifts.reshape(spec.height, spec.width, *spec.shape[2:] and (1,))


def load(folder: Path) -> Shifted:
    tensors = read_tensors(folder / WEIGHTS_NAME, {"shifts": (np.int8, SHAPE)})
    model = Shifted(tensors["shifts"])
    if content_hash({"format": FORMAT}, tensors) != read_object(folder / JSON_NAME)["hash"]:
        raise ValueError("its contents do not match its hash")
    return model


register_image_coder(FORMAT, load)
