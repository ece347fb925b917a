"""Write golden files of networks over coordinates: `PYTHONPATH=tests python -m golden.make_inr`.

For each of its models, pictures in one and in several groups, and beside each file the digest of
the latents, and the pictures. The models are small, with random weights, so that the format stays
readable whatever ships. Existing files are kept for ever.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from codec.inr.tiny import PLAIN, WITH_GRID, pictures_of, tiny_model
from golden.inr import MODELS, digest, latents_of
from golden.make_version_2 import write_missing
from recvae.codec.container import Group
from recvae.codec.inr.model import InrModel
from recvae.codec.model_folder import save_model

ARGUMENTS = {"tiny": WITH_GRID, "plain": PLAIN}
KEY = (1 << 64) - 1
LOW_PRICE = -12.0  # log beta of a sender whose blocks exceed their budgets: ranks are large


def make_models() -> None:
    """Write missing models."""
    for name, folder in MODELS.items():
        if not folder.exists():
            save_model(tiny_model(ARGUMENTS[name], KEY), folder)


def files(model: InrModel) -> Iterator[tuple[str, list[Group]]]:
    """Groups of each file; the last group of `groups` is smaller, that of `stored` uncompressed."""
    pictures = pictures_of(model, 7)
    sender = replace(model, shared=replace(model.shared, log_beta=LOW_PRICE))
    yield "one", sender.encode(pictures[:3], 3)[0]
    yield "groups", sender.encode(pictures, 3)[0]
    as_they_are = Group(3, model.spec, (pictures[2:5].tobytes(),))
    yield "stored", [*sender.encode(pictures[:2], 2)[0], as_they_are]


def main() -> None:
    """Write missing files."""
    make_models()
    for name, path, model, groups in write_missing("inr", MODELS, files):
        found = {"model": name, "z": digest(latents_of(model, groups))}
        path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
