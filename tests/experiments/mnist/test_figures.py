"""The figures of the MNIST experiment agree with the models and the codec."""

import io
import re

import numpy as np
import pytest
import torch

from experiments.mnist.rows import make_row
from recvae.codec import Codec, CodecModel, load_model
from recvae.experiments.mnist.figures import block_kl, images, information
from recvae.experiments.mnist.figures.images import coding_costs, decode_at_level
from recvae.experiments.mnist.figures.weights import MODELS, needed_log2_candidates
from recvae.experiments.mnist.table import to_table
from recvae.vae import posterior


def test_balanced_blocks_are_told_to_be_alike(
    model: CodecModel, train_images: torch.Tensor
) -> None:
    found = re.search(
        r"random the means range from ([\d.]+) to ([\d.]+) bits, balanced ones from ([\d.]+) to "
        r"([\d.]+)",
        block_kl(model, train_images).caption,
    )
    assert found
    low, high, balanced_low, balanced_high = map(float, found.groups())
    assert balanced_high - balanced_low < (high - low) / 2
    mean = 0.25 * float(posterior(model.encoder, train_images).kl_bits().sum(1).mean())
    assert low < balanced_low <= mean + 0.05
    assert mean - 0.05 <= balanced_high < high


def test_candidates_needed_lie_between_the_rows() -> None:
    table = to_table(
        [
            make_row("", "partitioned ORC", blocks=1, log2_candidates=n, overhead_bits=bits)
            for n, bits in ((6, 40.0), (8, 20.0), (10, 10.0), (12, 12.0))
        ]
    )
    assert needed_log2_candidates(table, 50) == 6
    assert needed_log2_candidates(table, 40) == 6
    assert needed_log2_candidates(table, 30) == pytest.approx(7)
    assert needed_log2_candidates(table, 15) == pytest.approx(9)
    assert needed_log2_candidates(table, 10) == pytest.approx(10)


@pytest.mark.parametrize("name", ["mnist", "mnist-mlp"])
def test_costs_of_pixels_add_up_to_the_file(name: str, test_images: torch.Tensor) -> None:
    codec = Codec(load_model(name))
    costs = coding_costs(codec.model, test_images)
    report = codec.compress_to(io.BytesIO(), test_images)
    latents = report.bits["bins"] + report.bits["ranks"]
    assert float(costs.latent_bits.sum()) == pytest.approx(latents)
    assert float(costs.pixel_bits.sum()) == pytest.approx(report.bits["pixels"])
    assert float(costs.pixel_bits.min()) >= 0


def test_levels_of_the_law_order_the_images(model: CodecModel, test_images: torch.Tensor) -> None:
    z = coding_costs(model, test_images).z

    def at(level: float) -> np.ndarray:
        return decode_at_level(model, z, lambda n: torch.full((n,), int(level * (1 << 24)))).numpy()

    dark, median, light = at(0.05), at(0.5), at(0.95)
    assert (dark <= median).all()
    assert (median <= light).all()
    assert (dark < light).any()
    true = test_images.numpy()
    assert np.mean((dark <= true) & (true <= light)) > 0.9
    assert np.abs(median - true).mean() < 0.3 * np.abs(true).mean()


def test_figures_of_any_model_can_be_drawn(
    models: dict[str, CodecModel], train_images: torch.Tensor, test_images: torch.Tensor
) -> None:
    staged = models[list(MODELS)[1]]
    made = [
        information(staged, train_images, test_images),
        images(staged, test_images[:3]),
    ]
    assert all(drawing.figure is not None for drawing in made)
    assert "3 test images" in made[1].caption
