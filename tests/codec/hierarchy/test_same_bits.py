"""Bins, ranks and `n` are the same integers on every machine; pictures differ by at most 1."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from codec.hierarchy.tiny import smooth
from recvae.codec.container import Group
from recvae.codec.hierarchy.coder import tile_codes
from recvae.codec.hierarchy.draws import draw_latents
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.pictures import from_network
from recvae.codec.hierarchy.streams import PictureCode
from recvae.codec.hierarchy.synthesis import synthesise


def latents(model: PictureModel, code: PictureCode) -> list[np.ndarray]:
    """The latents of each layer of a picture, in units of 2^-28."""
    shared = model.shared
    return [
        draw_latents(own.layout, layer, shared.key, part, part.shape[0] * part.shape[1])
        for layer, (own, part) in enumerate(zip(shared.tables.layers, code.layers, strict=True))
    ]


def all_latents(model: PictureModel, groups: list[Group]) -> list[np.ndarray]:
    codes = [code for group in groups for code in tile_codes(model.shared, group, 0) or ()]
    return [z for code in codes for z in latents(model, code)]


@pytest.fixture(scope="module")
def groups(model: PictureModel) -> list[Group]:
    return model.encode(smooth(6, 32, 40), 1)[0]


def test_pictures_of_float64_differ_by_one_in_few_values(
    model: PictureModel, groups: list[Group]
) -> None:
    shared = model.shared
    precise = copy.deepcopy(shared.network).double()
    expected = all_latents(model, groups)
    exact = replace(model, shared=replace(shared, network=precise))
    assert all(map(np.array_equal, all_latents(exact, groups), expected))
    by_layer = [np.concatenate(expected[layer::2]) for layer in range(2)]
    qualities = [model.quality] * len(groups)
    pictures = [
        from_network(synthesise(network, by_layer, qualities, (32, 40)), 32, 40)
        for network in (shared.network, precise)
    ]
    difference = np.abs(pictures[0].astype(int) - pictures[1])
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.001
    assert np.array_equal(pictures[0], model.decode(groups))


def test_batch_size_and_threads_change_no_latents(model: PictureModel, groups: list[Group]) -> None:
    expected, together = all_latents(model, groups), model.decode(groups)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            assert all(map(np.array_equal, all_latents(model, groups), expected))
            alone = np.concatenate([model.decode([group]) for group in groups])
            difference = np.abs(alone.astype(int) - together)
            assert difference.max() <= 1
            assert (difference > 0).mean() <= 0.001
    finally:
        torch.set_num_threads(before)


def test_pictures_of_a_group_are_those_they_are_alone(model: PictureModel) -> None:
    """Streams of several pictures hold the same codes one after the other."""
    pictures = smooth(4, 20, 24)
    together, alone = model.encode(pictures, 4)[0], model.encode(pictures, 1)[0]
    assert len(together) == 1
    assert all(map(np.array_equal, all_latents(model, together), all_latents(model, alone)))
