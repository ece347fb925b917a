"""From the latents of a hierarchy to pixels, in numpy: as exact as the given arrays."""

from collections.abc import Sequence

import numpy as np

from spec.hierarchy import Hierarchy


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def spread(x: np.ndarray) -> np.ndarray:
    """(h, w, 4 m) to (2 h, 2 w, m)."""
    height, width, channels = x.shape
    quarters = x.reshape(height, width, channels // 4, 2, 2).transpose(0, 3, 1, 4, 2)
    return quarters.reshape(2 * height, 2 * width, channels // 4)


class Synthesis:
    """The networks of a model for one quality, in float64."""

    def __init__(self, model: Hierarchy, quality: int) -> None:
        self.model = model
        bumps = np.exp(-((15 * (quality - 1) / 99 - np.arange(16)) ** 2) / 2)
        hidden = silu(self.dense("condition.first", bumps))
        self.condition = silu(self.dense("condition.second", hidden))

    def tensor(self, path: str) -> np.ndarray:
        return self.model.tensors[f"network.{path}"].astype(np.float64)

    def dense(self, path: str, x: np.ndarray) -> np.ndarray:
        return self.tensor(f"{path}.weight") @ x + self.tensor(f"{path}.bias")

    def convolve(self, path: str, x: np.ndarray) -> np.ndarray:
        """(h, w, inputs) to (h, w, outputs)."""
        weight, (height, width) = self.tensor(f"{path}.weight"), x.shape[:2]
        edge = weight.shape[2] // 2
        padded = np.pad(x, ((edge, edge), (edge, edge), (0, 0)))
        return self.tensor(f"{path}.bias") + sum(
            padded[i : i + height, j : j + width] @ weight[:, :, i, j].T
            for i, j in np.ndindex(*weight.shape[2:])
        )

    def block(self, path: str, x: np.ndarray) -> np.ndarray:
        a, d = np.split(self.dense(f"{path}.condition", self.condition), 2)
        hidden = self.convolve(f"{path}.first", silu(x)) * (1 + a) + d
        return x + self.convolve(f"{path}.second", silu(hidden))

    def picture(self, latents: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
        """Red, green and blue, (height, width, 3), about 0 to 1; the last layers may be missing."""
        architecture = self.model.text["architecture"]
        size, resolution = self.model.size(0, height, width), 0
        state = np.broadcast_to(self.tensor("start"), (*size, architecture["width"]))
        for j, layer in enumerate(self.model.layers):
            while resolution < layer.resolution:
                state = spread(self.convolve(f"up.{resolution}", state))
                resolution += 1
            n = np.zeros((*state.shape[:2], layer.channels))
            if j < len(latents):
                n = (latents[j] * 2.0**-28).astype(np.float32)
            gain = self.convolve(f"layers.{j}.gain", state)
            state = state + self.convolve(f"layers.{j}.add", n * (1 + 4 * np.tanh(gain / 4)))
            for block in range(architecture["decoder_blocks"]):
                state = self.block(f"layers.{j}.blocks.{block}", state)
        while resolution < self.model.resolutions - 1:
            state = spread(self.convolve(f"up.{resolution}", state))
            resolution += 1
        for block in range(architecture["output_blocks"]):
            state = self.block(f"output.{block}", state)
        return (spread(self.convolve("out", silu(state))) / 2 + 0.5)[:height, :width]


def to_pixels(picture: np.ndarray, channels: int) -> np.ndarray:
    """(h, w, 3) to uint8 (h, w, channels)."""
    values = np.rint(np.clip(picture, 0, 1) * 255).astype(np.int64)
    if channels == 1:
        values = (2 * values.sum(2, keepdims=True) + 3) // 6
    return values.astype(np.uint8)
