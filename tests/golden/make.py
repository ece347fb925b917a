"""Write golden files: `PYTHONPATH=tests python -m golden.make`, for a new model or a new version.

For each model, one file in groups of 8 and one in groups of 1, whose batches can have any size; and
beside each the digests of its steps. Existing ones are kept for ever: a new version or a new model
uses a new name.
"""

import json

import numpy as np

import recvae
from golden import make_models
from golden.steps import FOLDER, decode_steps, digests, model_folder
from recvae.codec import shipped_models
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT


def images() -> np.ndarray:
    """Twenty digits of MNIST, noise, a black and a white image: (23, 28, 28) uint8."""
    return np.load(FOLDER / "v1-images.npz")["images"]


def main() -> None:
    """Write missing files."""
    make_models.main()
    for model in [*shipped_models(VAE_FORMAT), *make_models.LATENTS]:
        codec = recvae.load(model_folder(model))
        for name, group_size in ((f"v1-{model}", 8), (f"v1-{model}-single", 1)):
            path = FOLDER / f"{name}.recvae"
            if not path.exists():
                path.write_bytes(codec.compress(images(), group_size))
            if not path.with_suffix(".json").exists():
                steps = {"model": model} | digests(*decode_steps(codec, path.read_bytes()))
                path.with_suffix(".json").write_text(json.dumps(steps, indent=1) + "\n")


if __name__ == "__main__":
    main()
