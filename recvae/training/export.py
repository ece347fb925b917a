"""`train.py export`: from a checkpoint to a model of the codec."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from recvae.errors import InputError, tell_of_interrupt

EXPORT = "Calibrate a checkpoint on its training set and write the codec model."
VAE_OPTIONS = ("num_blocks", "bins_per_information", "max_log2_candidates", "latents", "algorithm")
OPTIONS = dict.fromkeys(VAE_OPTIONS, ("VAE",)) | {
    "data.reduce": ("PictureVAE", "PictureINR"),
    "block_bits": ("PictureINR",),
}
"""The kinds of models that an option is for; all others are for every kind."""
Calibrate = Callable[[Any, dict[str, Any], Any], Any]


def export_parser() -> ArgumentParser:
    """Make the parser of `export`; options for one kind of model default to None."""
    parser = ArgumentParser(prog="train.py export", description=EXPORT)
    parser.add_argument("--ckpt_path", required=True, help="checkpoint of `train.py fit`")
    parser.add_argument("--out", required=True, type=Path, help="folder to write the model to")
    parser.add_argument(
        "--data.root",
        help="folder of MNIST/raw, or the images or pictures that the model was trained on; not "
        "needed for a PixelPredictor",
    )
    parser.add_argument("--name", help="name of the model; the folder's if omitted")
    parser.add_argument("--force", action="store_true", help="replace an existing model")
    vae = parser.add_argument_group("for a VAE")
    vae.add_argument(
        "--num-blocks", type=int, help="blocks of latents; the best number if 0 or omitted"
    )
    vae.add_argument("--bins-per-information", type=float, help="log2 J / I; 0.9 if omitted")
    vae.add_argument("--max-log2-candidates", type=int, help="limit of log2 N; 14 if omitted")
    vae.add_argument(
        "--latents",
        help='how to code latents, "fitted bins" or "branch and bound"; in blocks if omitted',
    )
    vae.add_argument(
        "--algorithm",
        help="algorithm of relative entropy coding; partitioned ORC or A* if omitted",
    )
    pictures = parser.add_argument_group("for a PictureVAE or a PictureINR")
    pictures.add_argument(
        "--data.reduce",
        type=float,
        help="factor to reduce pictures by; that of training if omitted",
    )
    inr = parser.add_argument_group("for a PictureINR")
    inr.add_argument("--block-bits", type=float, help="bits of a block; 48 if omitted")
    return parser


def export(arguments: list[str]) -> None:
    """Calibrate a checkpoint on its training set and write the codec model."""
    options = export_parser().parse_args(arguments)

    from recvae.codec.model_folder import save_model
    from recvae.files import translate_os_errors
    from recvae.training.checkpoints import read_checkpoint

    _calibration_options(options)  # refuses bad options before anything is read
    _inr_options(options)
    if options.out.exists() and not options.force:
        raise InputError(f"{options.out} exists: pass --force to replace it")
    folder = next(path for path in options.out.parents if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written to")
    module, checkpoint = read_checkpoint(options.ckpt_path)
    calibrate = _calibration(type(module).__name__, options)
    options.name = options.name or options.out.resolve().name
    try:
        model = calibrate(module.eval().requires_grad_(False), checkpoint, options)
    except ValueError as error:
        raise InputError(f"{options.ckpt_path}: {error}") from error
    except KeyboardInterrupt as interrupt:
        tell_of_interrupt(interrupt, "no model was written")
        raise
    with translate_os_errors(options.out):
        options.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, options.out)
    print(f"{options.out}: model {model.name!r}, hash {model.hash}")


def _calibration(kind: str, options: Any) -> Calibrate:
    """Return the function that makes a codec model of this kind of module.

    Raises `InputError` for options of another kind.
    """
    for name, kinds in OPTIONS.items():
        if kind not in kinds and options[name] is not None:
            option, others = name.replace("_", "-"), " or a ".join(kinds)
            raise InputError(
                f"{options.ckpt_path}: holds a {kind}: omit --{option}, for a {others} only"
            )
    if kind == "PixelPredictor":
        return _quantise
    if options.data.root is None:
        raise InputError(f"{options.ckpt_path}: holds a {kind}: pass --data.root to calibrate it")
    return {"PictureVAE": _calibrate_pictures, "PictureINR": _calibrate_inr}.get(
        kind, _calibrate_vae
    )


def _quantise(module: Any, checkpoint: dict[str, Any], options: Any) -> Any:
    from recvae.codec.pixelwise.quantise import quantise

    return quantise(module, options.name, _metadata(checkpoint))


def _calibrate_vae(vae: Any, checkpoint: dict[str, Any], options: Any) -> Any:
    from recvae.codec.vae.calibrate import calibrate

    images, given = _training_images(options.data.root), _calibration_options(options)
    return calibrate(vae, images, options.name, given, _metadata(checkpoint), print)


def _calibrate_pictures(module: Any, checkpoint: dict[str, Any], options: Any) -> Any:
    from recvae.codec.hierarchy.calibrate import calibrate_pictures

    pictures = _pictures(checkpoint, options)
    return calibrate_pictures(module, pictures, options.name, _metadata(checkpoint), print)


def _pictures(checkpoint: dict[str, Any], options: Any) -> Any:
    """Pictures (3, h, w) to calibrate with, reduced as in training unless an option says how."""
    from recvae.data.pictures import read_pictures

    trained = checkpoint.get("options", {}).get("data.init_args.reduce", 1.0)
    given = options.data.reduce
    return read_pictures(options.data.root, trained if given is None else given)


def _calibrate_inr(module: Any, checkpoint: dict[str, Any], options: Any) -> Any:
    from recvae.codec.inr.calibrate import calibrate_inr
    from recvae.data.pictures import check_sides, middle_crops

    side = module.architecture.side
    pictures = _pictures(checkpoint, options)
    check_sides(options.data.root, pictures, side)
    crops = middle_crops(pictures, side).permute(0, 2, 3, 1).numpy()
    return calibrate_inr(
        module, crops, options.name, _inr_options(options), _metadata(checkpoint), print
    )


def _inr_options(options: Any) -> Any:
    from recvae.codec.inr.calibrate import CalibrationOptions

    given = {} if options.block_bits is None else {"block_bits": options.block_bits}
    return CalibrationOptions(**given)


def _calibration_options(options: Any) -> Any:
    from recvae.codec.vae.calibrate import CalibrationOptions

    given = {name: options[name] for name in VAE_OPTIONS if options[name] is not None}
    try:
        return CalibrationOptions(**given)
    except ValueError as error:
        raise InputError(str(error)) from error


def _metadata(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Metadata of a model about its training."""
    return {
        "epochs": checkpoint["epoch"] + 1,
        "steps": checkpoint["global_step"],
        "training": checkpoint["hyper_parameters"],
    }


def _training_images(root: str) -> Any:
    """All training images, (n, h, w) uint8 tensor."""
    import torch

    from recvae.data.datamodule import load_mnist, read_grey

    if os.path.isdir(os.path.join(root, "MNIST", "raw")):
        return load_mnist(root, train=True)[:, 0]
    return torch.from_numpy(read_grey(root))
