"""Export of a model: latents are coded as chosen, and measurements are kept."""

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from recvae.codec import Codec
from recvae.codec.vae.calibrate import CalibrationOptions, calibrate
from recvae.images import sample_images
from recvae.vae import Architecture


@pytest.fixture(scope="module")
def vae() -> SimpleNamespace:
    """An untrained model with informative posteriors."""
    torch.manual_seed(0)
    small = {"channels": 2, "hidden": 8}
    architecture = Architecture("staged", 4, encoder=small, decoder=small | {"blocks": 0})
    encoder, decoder = architecture.build()
    for parameter in encoder.parameters():
        parameter.data *= 2.5
    encoder = encoder.half().float().eval().requires_grad_(False)
    return SimpleNamespace(architecture=architecture, encoder=encoder, decoder=decoder.eval())


@pytest.mark.parametrize(
    ("latents", "algorithm", "coder"),
    [
        ("blocks", None, "PartitionedORC"),
        ("blocks", "partitioned PFR, sup", "PartitionedPFR"),
        ("blocks", "MRC", "PartitionedORC"),
        ("fitted bins", None, "PartitionedORC"),
        ("branch and bound", None, "AStar"),
        ("branch and bound", "branch-and-bound GPRS", "BranchAndBoundGPRS"),
    ],
)
def test_latents_are_coded_as_chosen(
    vae: SimpleNamespace, latents: str, algorithm: str | None, coder: str
) -> None:
    images = torch.from_numpy(sample_images("train")[:60].copy())
    options = CalibrationOptions(
        0 if latents == "branch and bound" else 2,
        max_log2_candidates=8,
        latents=latents,
        algorithm=algorithm,
    )
    said: list[str] = []
    made = SimpleNamespace(**vars(vae) | {"decoder": deepcopy(vae.decoder)})
    model = calibrate(made, images, "made", options, {"epochs": 1}, said.append)
    assert model.latents.name == latents
    assert {type(it).__name__ for it in model.coders} == {coder}
    assert len(model.metadata["mutual_information_bits"]) == 4
    assert "bits of latents + " in said[1]
    codec = Codec(model)
    data = codec.compress(images[:9])
    assert np.array_equal(codec.decompress(data), images[:9].numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latents": "morse"}, "latents: got 'morse', need one of blocks, "),
        ({"algorithm": "A*"}, "algorithm: got 'A\\*', which does not code blocks"),
        ({"algorithm": "PFE"}, "algorithm: got 'PFE', need one of PFR, "),
        ({"algorithm": "PFR", "max_log2_candidates": 21}, "need 0 to 20 for PFR"),
        ({"latents": "branch and bound", "algorithm": "ORC"}, "need one that codes by branch"),
        ({"latents": "branch and bound", "algorithm": "dithered quantisation"}, "scale: got"),
        (
            {"latents": "branch and bound", "bins_per_information": 1.0},
            "branch and bound has no bins",
        ),
        ({"algorithm": "GPRS", "bins_per_information": 0.5}, "got 0.5, GPRS has no bins"),
        ({"latents": "branch and bound", "num_blocks": 2}, "num_blocks: got 2, branch and bound"),
    ],
)
def test_bad_choices(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CalibrationOptions(**options)
