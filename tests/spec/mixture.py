"""The mixture of discretised logistic distributions that gives a pixel's frequencies."""

import numpy as np

from spec.coder import TOTAL, RangeDecoder
from spec.corrections import Corrections
from spec.rounded import INVERSES, LOGISTIC, WEIGHTS

MIDDLE = 1 << 21
AT = 32 * np.arange(1, 256) - 16
VALUES = np.arange(1, 256)


class Mixture:
    """The mixture of a pixel: outputs of the network, and weights, conditioned on values."""

    def __init__(
        self, outputs: np.ndarray, channels: int, corrections: Corrections | None, teaches: bool
    ) -> None:
        rows = corrections.apply(outputs) if corrections else outputs
        self.teacher = corrections if teaches else None
        self.means, self.scales, self.follow = (
            rows[1 + part * channels : 1 + (part + 1) * channels] for part in range(3)
        )
        self.pairs = rows[1 + 3 * channels :]
        less = rows[0].max() - rows[0]
        self.first = self.weights = normalised(WEIGHTS[np.minimum(less, len(WEIGHTS) - 1)])

    def decode(
        self, coder: RangeDecoder, i: int, median: int, further: int, known: list[int]
    ) -> int:
        """The value of channel i."""
        means = self.means[i] + 32 * median + (self.follow[i] * further >> 7)
        for before, difference in enumerate(known):
            means = means + (self.pairs[i * (i - 1) // 2 + before] * difference >> 3)
        inverses = INVERSES[np.clip(self.scales[i] + 384, -896, 1280) + 896]
        q = np.clip((AT[:, None] - means) * inverses + MIDDLE, 0, 2 * MIDDLE - 1)
        first, rest = LOGISTIC[q >> 11], q & 2047
        below = first + ((LOGISTIC[(q >> 11) + 1] - first) * rest >> 11)
        begins = VALUES + (below @ self.weights * (TOTAL - 256) >> 38)
        value = coder.symbol(np.diff(begins, prepend=0, append=TOTAL))
        ends = np.vstack([0 * means, below, 0 * means + (1 << 22)])
        if self.teacher:
            z = np.vstack([0 * means, q - MIDDLE, 0 * means])  # at the ends of all, S decides
            both = slice(value, value + 2)
            self.teacher.learn_scales(i, self.weights, z[both], ends[both])
        self.weights = normalised((self.weights * (ends[value + 1] - ends[value]) >> 8) + 1)
        if self.teacher and i + 1 == len(self.means):
            self.teacher.learn_weights(self.first, self.weights)
        return value


def normalised(weights: np.ndarray) -> np.ndarray:
    """Normalise weights to the sum 2^16."""
    shares = (weights << 16) // weights.sum()
    shares[0] += (1 << 16) - shares.sum()
    return shares
