"""Corrections of a network's weights and scales of components."""

import numpy as np

MOST_SAID, MOST_BIAS, MOST_GAIN = 1 << 14, 1 << 26, 1 << 16


class Corrections:
    """Corrections of a network: rows are weights, then the scales of each channel."""

    def __init__(self, channels: int, components: int) -> None:
        self.places = [0, *range(1 + channels, 1 + 2 * channels)]
        self.biases, self.gains = np.zeros((2, 1 + channels, components), np.int64)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """The corrected rows of outputs."""
        self.said = np.clip(rows[self.places], -MOST_SAID, MOST_SAID)
        corrected = rows.copy()
        corrected[self.places] = self.said + (self.biases + self.gains * self.said >> 16)
        return corrected

    def learn_scales(self, i: int, weights: np.ndarray, z: np.ndarray, s: np.ndarray) -> None:
        """Learn from z and S at both ends of the value of channel i."""
        flux = z * (s * ((1 << 22) - s) >> 22)
        d = s[1] - s[0]
        slope = np.clip(flux[0] - flux[1] >> 17, -8 * d, 8 * d)
        reciprocal = (1 << 56) // (1 + int(weights @ d))
        self._learn(1 + i, weights * slope * reciprocal >> 40)

    def learn_weights(self, before: np.ndarray, after: np.ndarray) -> None:
        """Learn from the weights of a pixel."""
        self._learn(0, 8 * (after - before))

    def _learn(self, row: int, h: np.ndarray) -> None:
        gain = self.gains[row] + (h * self.said[row] >> 16)
        self.biases[row] = np.clip(self.biases[row] + h, -MOST_BIAS, MOST_BIAS)
        self.gains[row] = np.clip(gain, -MOST_GAIN, MOST_GAIN)
