"""`train.py export`: from a checkpoint to a model of the codec."""

import os
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from recvae.errors import InputError, tell_of_interrupt

EXPORT = "Calibrate a checkpoint on its training set and write the codec model."


def export_parser() -> ArgumentParser:
    """The options of `export`."""
    parser = ArgumentParser(prog="train.py export", description=EXPORT)
    parser.add_argument("--ckpt_path", required=True, help="checkpoint of `train.py fit`")
    parser.add_argument("--out", required=True, type=Path, help="folder to write the model to")
    parser.add_argument(
        "--data.root",
        required=True,
        help="folder of MNIST/raw, or the images that the model was trained on",
    )
    parser.add_argument("--name", help="of the model, if not that of the folder")
    parser.add_argument(
        "--num-blocks", type=int, default=0, help="blocks of latents; 0: what codes best"
    )
    parser.add_argument("--bins-per-information", type=float, default=0.9, help="log2 J / I")
    parser.add_argument("--max-log2-candidates", type=int, default=14, help="limit of log2 N")
    parser.add_argument(
        "--latents",
        default="blocks",
        help='how latents are coded: blocks, "fitted bins" or "branch and bound"',
    )
    parser.add_argument(
        "--algorithm",
        help="of relative entropy coding, if not partitioned ORC or A*",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing model")
    return parser


def export(arguments: list[str]) -> None:
    """Calibrate a checkpoint on its training set and write the codec model."""
    options = export_parser().parse_args(arguments)

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
    folder = next(path for path in options.out.parents if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written to")
    vae, metadata = _load_checkpoint(options.ckpt_path)
    try:
        model = calibrate(
            vae,
            _training_images(options.data.root),
            options.name or options.out.resolve().name,
            calibration,
            metadata,
            print,
        )
    except ValueError as error:
        raise InputError(f"{options.ckpt_path}: {error}") from error
    except KeyboardInterrupt as interrupt:
        tell_of_interrupt(interrupt, "no model was written")
        raise
    with translate_os_errors(options.out):
        options.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, options.out)
    print(f"{options.out}: model {model.name!r}, hash {model.hash}")


def _load_checkpoint(path: str) -> tuple[Any, dict[str, Any]]:
    """The VAE of a checkpoint, and what it says about its training."""
    from recvae.training.checkpoints import read_checkpoint

    vae, checkpoint = read_checkpoint(path)
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
