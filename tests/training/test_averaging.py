"""The moving average of the weights."""

import pytest
import torch

from recvae.training.averaging import averaged


def average_of(weights: list[float], decay: float) -> float:
    average = torch.tensor(weights[0], dtype=torch.float64)
    for n, own in enumerate(weights[1:], start=1):
        average = averaged(decay, average, torch.tensor(own, dtype=torch.float64), n)
    return float(average)


def test_a_short_run_forgets_its_first_weights() -> None:
    assert average_of([1.0] + 300 * [0.0], 0.998) < 1e-9
    assert average_of([1.0] + 30 * [0.0], 0.0) == 0


def test_a_long_run_averages_with_the_final_decay() -> None:
    settled = average_of(6000 * [0.0] + 500 * [1.0], 0.998)
    assert settled == pytest.approx(1 - 0.998**500)


def test_it_averages_the_latest_steps() -> None:
    """With n steps, over some n / 9 of the latest, which weigh less the older they are."""
    jumps = [average_of((1000 - k) * [0.0] + k * [1.0], 0.9999) for k in (0, 100, 500, 1000)]
    assert jumps == sorted(jumps)
    assert jumps[1] == pytest.approx(1 - (900 / 1000) ** 9, abs=0.01)
