"""The pointer network, pixel by pixel, in int64."""

from dataclasses import dataclass, field

import numpy as np

from spec.coder import RangeDecoder
from spec.model import Model
from spec.network import dense, enter, residual, upsampled, weights_of_differences

TOTAL = 1 << 24
ROUNDS = 2


def pointer(model: Model, z: np.ndarray, coder: RangeDecoder) -> np.ndarray:
    """From latents (b, D) to images (b, height, width)."""
    features = upsampled(model, enter(model, z))
    images = [Image(model, maps).decode(coder) for maps in features]
    return np.array(images, np.uint8).reshape(features.shape[:3])


@dataclass
class Image:
    """An image during decoding; `seen` holds the non-zero pixels so far."""

    model: Model
    features: np.ndarray
    keys: list[list[np.ndarray]] = field(default_factory=list)
    answers: list[list[np.ndarray]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sizes = self.model.text["architecture"]["decoder"]
        self.table = weights_of_differences(self.model.fraction_bits)
        for k in range(ROUNDS):
            none = self.tensor(f"attention.{k}.none")[0]
            self.keys.append([none])
            self.answers.append([none * 0])

    def tensor(self, path: str) -> np.ndarray:
        return self.model.tensors[f"{path}.table"]

    def weights(self, below: np.ndarray) -> np.ndarray:
        """E(i)."""
        return self.table[np.minimum(below, len(self.table) - 1)]

    def clamp(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x, -self.model.limit, self.model.limit)

    def decode(self, coder: RangeDecoder) -> np.ndarray:
        height, width = self.features.shape[:2]
        pixels = np.zeros((height, width), int)
        for i in range(height):
            for j in range(width):
                around = self.context("flag_values", self.sizes["flag_radius"], pixels, i, j)
                inputs = np.concatenate([around, self.features[i, j]])
                hidden = dense(self.model, "flag_join", inputs, relu=True)
                for number in range(self.sizes["flag_blocks"]):
                    hidden = residual(self.model, f"flag_blocks.{number}", hidden)
                flags = dense(self.model, "flag", hidden, relu=False)
                if coder.symbol(self.frequencies(self.weights(flags.max() - flags))):
                    pixels[i, j] = self.value(coder, pixels, hidden, i, j)
        return pixels

    def context(self, path: str, r: int, pixels: np.ndarray, i: int, j: int) -> np.ndarray:
        steps = [(u, v) for u in range(-r, 0) for v in range(-r, r + 1)]
        steps += [(0, v) for v in range(-r, 0)]
        width = pixels.shape[1]
        values = [
            pixels[i + u, j + v] if i + u >= 0 and 0 <= j + v < width else 0 for u, v in steps
        ]
        return self.tensor(path)[values].flatten()

    def value(
        self, coder: RangeDecoder, pixels: np.ndarray, hidden: np.ndarray, i: int, j: int
    ) -> int:
        model, levels = self.model, self.sizes["levels"]
        around = self.context("values", self.sizes["radius"], pixels, i, j)
        place = np.concatenate([self.tensor("rows")[i], self.tensor("columns")[j]])
        inputs = np.concatenate([around, hidden, self.features[i, j], place])
        x = residual(model, "block", dense(model, "join", inputs, relu=True))
        entered = []
        for k in range(ROUNDS):
            path = f"attention.{k}"
            entered.append(x)
            q = dense(model, f"{path}.query", np.concatenate([x, place]), relu=False)
            shares, attended = self.look_back(k, q)
            x = self.clamp(x + dense(model, f"{path}.out", attended, relu=False))
            x = residual(model, f"{path}.block", x)
        occurred = np.array(sorted(set(self.seen)), int)
        x = residual(model, "last", self.clamp(x + self.tensor("memory")[occurred].sum(0)))
        law = dense(model, "law", x, relu=False)
        logits, gate, strengths = law[: levels - 1], law[levels - 1], law[levels:]
        logits[occurred - 1] += gate
        most = 8 << model.fraction_bits
        s = self.weights(most - np.clip(strengths, -most, most))
        pointed = np.zeros(levels, np.int64)
        for place_of, v in enumerate(self.seen):
            pointed[v] += (s * shares[:, 1 + place_of]).sum()
        weights = self.weights(logits.max() - logits) * (22512 + (pointed[1:] >> 8))
        shift = 0
        while int(weights.sum()) >> shift >= 1 << 38:
            shift += 1
        v = 1 + coder.symbol(self.frequencies(weights >> shift))
        for k in range(ROUNDS):
            path, row = f"attention.{k}", self.tensor("values")[v]
            y = dense(model, f"{path}.known", np.concatenate([entered[k], row]), relu=True)
            key = dense(model, f"{path}.key", np.concatenate([y, place]), relu=False)
            self.keys[k].append(key)
            self.answers[k].append(dense(model, f"{path}.value", y, relu=False))
        self.seen.append(v)
        return v

    def look_back(self, k: int, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares (heads, n) and mean answers, (w,)."""
        heads, bits = self.sizes["heads"], self.model.fraction_bits
        keys, answers = np.array(self.keys[k]), np.array(self.answers[k])
        all_shares, attended = [], []
        for own_q, own_keys, own_answers in zip(
            np.split(q, heads), np.split(keys, heads, 1), np.split(answers, heads, 1), strict=True
        ):
            scores = (own_keys @ own_q) >> bits
            m = self.weights(scores.max() - scores)
            shares = (2**15 * m // m.sum() + 1) // 2
            all_shares.append(shares)
            attended.append(self.clamp((shares @ own_answers + 2**13) >> 14))
        return np.array(all_shares), np.concatenate(attended)

    def frequencies(self, weights: np.ndarray) -> list[int]:
        f = 1 + weights * (TOTAL - len(weights)) // weights.sum()
        f[0] += TOTAL - f.sum()
        return [int(own) for own in f]
