"""Write golden files of the hierarchy: `PYTHONPATH=tests python -m golden.make_pictures`.

For each of its models, pictures of several sizes, in groups, layers and tiles, and beside each file
the digests of the latents `n` of each layer, and the pictures. One model is small, with random
weights, so that the format stays readable whatever ships. Existing files are kept for ever.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from codec.hierarchy.tiny import module_of, smooth
from golden.make_version_2 import write_missing
from golden.pictures import MODELS, TINY, latents_of, layer_digests
from recvae.codec.container import Group
from recvae.codec.hierarchy.calibrate import (
    CalibrationOptions,
    calibrate_pictures,
    unfitted_cuts,
)
from recvae.codec.hierarchy.classes import ClassTables
from recvae.codec.hierarchy.coder import Shared
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.tables import Tables
from recvae.codec.model_folder import save_model
from recvae.hierarchy.network import HierarchyArguments
from recvae.images.spec import ImageSpec

ARGUMENTS = HierarchyArguments(8, (1, 2, 1), (3, 4, 2), (1, 1, 1), 1, 1)
OPTIONS = CalibrationOptions(classes=6, bands=3, block_bits=14.0)
EDGES_BITS = (54.0, 55.5, 56.5, 58.0, 60.0, 63.0)
KEY = (1 << 64) - 1
SIZES = ((9, 7, 1), (16, 16, 3), (1, 1, 3), (32, 24, 3), (20, 33, 1))


def make_tiny() -> None:
    """Write a model whose key wraps when a block's number is added, if missing."""
    if TINY.exists():
        return
    pictures = list(torch.from_numpy(smooth(4, 32, 32)).permute(0, 3, 1, 2))
    facts = {"note": "random weights"}
    module = module_of(ARGUMENTS)
    model = calibrate_pictures(module, pictures, "tiny pictures", facts, lambda text: None, OPTIONS)
    shared = Shared(model.shared.network, varied(model.shared.tables), KEY)
    TINY.parent.mkdir(exist_ok=True)
    save_model(PictureModel(name=model.name, shared=shared, metadata=facts), TINY)


def varied(tables: Tables) -> Tables:
    """Tables with every possibility: all classes and cuts, some of which send less."""
    layers = []
    for number, own in enumerate(tables.layers):
        block_positions, intervals = own.layout.block_positions.copy(), own.layout.intervals.copy()
        block_positions[: number + 1] = 0
        intervals[number % 2 :: 2, :, 1] = 0
        layout = replace(own.layout, block_positions=block_positions, intervals=intervals)
        layers.append(replace(own, layout=layout, cut_frequencies=unfitted_cuts(OPTIONS.classes)))
    edges_bits = np.array(EDGES_BITS, np.float32)
    return Tables(ClassTables(tables.classes.frequencies, edges_bits), tuple(layers))


def files(model: PictureModel) -> Iterator[tuple[str, list[Group]]]:
    """Groups of each file. The last but one has separate layers, the last one tiles too."""
    for quality in (30, 80):
        sender = model.with_quality(quality)
        yield (
            f"q{quality}",
            [group for size in SIZES for group in sender.encode(smooth(1, *size), 1)[0]],
        )
    together = smooth(7, 12, 10)
    as_they_are = Group(3, ImageSpec(12, 10, 3), (together[:3].tobytes(),))
    yield "together", [*model.encode(together, 3)[0], as_they_are]
    yield "layers", model.encode(smooth(1, 70, 90), 1)[0]
    narrow = [smooth(1, 300, 20, 1), smooth(2, 260, 5)]
    yield "tiles", [group for pictures in narrow for group in model.encode(pictures, 2)[0]]


def main() -> None:
    """Write missing files."""
    make_tiny()
    for name, path, model, groups in write_missing("pictures", MODELS, files):
        digests = {"model": name, "n": layer_digests(latents_of(model, groups))}
        path.with_suffix(".json").write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
