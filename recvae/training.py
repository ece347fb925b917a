"""The command line of training: LightningCLI's fit, validate, test, and the export of a model."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from recvae.errors import InputError


def main() -> int:
    """Run `train.py`. Returns the exit status: 0, or 2 for bad input."""
    try:
        if sys.argv[1:2] == ["export"]:
            export(sys.argv[2:])
        else:
            fit()
    except InputError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    return 0


def fit() -> None:
    """LightningCLI with the VAE as model."""
    for option, value in zip(sys.argv, sys.argv[1:], strict=False):
        if option == "--ckpt_path" and not os.path.isfile(value):
            raise InputError(f"{value}: no such checkpoint")
    from pytorch_lightning.cli import LightningCLI

    from recvae.vae.lightning import VAE

    LightningCLI(VAE, seed_everything_default=0)


def export(arguments: list[str]) -> None:
    """Calibrate a checkpoint on its training set and write the codec model."""
    parser = argparse.ArgumentParser(prog="train.py export", description=export.__doc__)
    parser.add_argument("--ckpt_path", required=True, help="checkpoint of `train.py fit`")
    parser.add_argument("--out", required=True, type=Path, help="folder to write the model to")
    parser.add_argument(
        "--data.root",
        dest="root",
        required=True,
        help="folder of MNIST/raw, or the images that the model was trained on",
    )
    parser.add_argument("--name", help="of the model (default: the folder's name)")
    parser.add_argument(
        "--num-blocks", type=int, default=0, help="blocks of latents (default: what codes best)"
    )
    parser.add_argument(
        "--bins-per-information", type=float, default=0.9, help="log2 J / I (default: 0.9)"
    )
    parser.add_argument(
        "--max-log2-candidates", type=int, default=14, help="limit of log2 N (default: 14)"
    )
    parser.add_argument(
        "--latents",
        default="blocks",
        help='how latents are coded: blocks (default), "fitted bins" or "branch and bound"',
    )
    parser.add_argument(
        "--algorithm", help="of relative entropy coding (default: partitioned ORC, or A*)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing model")
    options = parser.parse_args(arguments)

    from recvae.codec.vae.calibrate import CalibrationOptions, calibrate
    from recvae.codec.vae.model import save_model
    from recvae.files import translate_os_errors

    try:
        calibration = CalibrationOptions(
            latents=options.latents,
            algorithm=options.algorithm,
            num_blocks=options.num_blocks,
            bins_per_information=options.bins_per_information,
            max_log2_candidates=options.max_log2_candidates,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    if options.out.exists() and not options.force:
        raise InputError(f"{options.out} exists: pass --force to replace it")
    with translate_os_errors(options.out):
        options.out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(options.out.parent, os.W_OK):
        raise InputError(f"{options.out.parent}: cannot be written to")
    vae, metadata = _load_checkpoint(options.ckpt_path)
    try:
        model = calibrate(
            vae,
            _training_images(options.root),
            options.name or options.out.resolve().name,
            calibration,
            metadata,
            print,
        )
    except ValueError as error:
        raise InputError(f"{options.ckpt_path}: {error}") from error
    save_model(model, options.out)
    print(f"{options.out}: model {model.name!r}, hash {model.hash}")


def _load_checkpoint(path: str) -> tuple[Any, dict[str, Any]]:
    """The VAE of a checkpoint, and what it says about its training."""
    import torch

    from recvae.vae.lightning import VAE

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        vae = VAE(**checkpoint["hyper_parameters"] | {"compile": False})
        vae.load_state_dict(checkpoint["state_dict"])
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # torch.load meets damage with whatever it stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a checkpoint of `train.py fit` ({reason})") from error
    metadata = {
        "epochs": checkpoint["epoch"] + 1,
        "steps": checkpoint["global_step"],
        "training": checkpoint["hyper_parameters"],
    }
    return vae.eval().requires_grad_(False), metadata


def _training_images(root: str) -> Any:
    """All training images, (n, h, w) uint8 tensor."""
    import torch

    from recvae.data.datamodule import load_mnist, read_grey

    if os.path.isdir(os.path.join(root, "MNIST", "raw")):
        return load_mnist(root, train=True)[:, 0]
    return torch.from_numpy(read_grey(root))
