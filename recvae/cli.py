"""The command line `recvae`: arguments in, exit status out."""

import argparse
from collections.abc import Mapping, Sequence

from recvae import __version__
from recvae.program import run_program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns the exit status, see `run_program`; 1 means that `salvage` could not save everything or
    that `compress --skip-bad` skipped a file.
    """

    def run() -> int | None:
        options = _parser().parse_args(arguments)
        # Imported here, so that `--help` and usage errors do not wait for numpy and Pillow.
        from recvae import commands

        return getattr(commands, options.command)(options)

    return run_program("recvae", run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae",
        description="Image compression with VAEs and relative entropy coding, lossless or lossy "
        "depending on the model.",
    )
    parser.add_argument("--version", action="version", version=f"recvae {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    _add_compress_options(commands.add_parser("compress", help="images to a .recvae file"))

    decompress = commands.add_parser("decompress", help="a .recvae file to images")
    decompress.add_argument("input", help="the .recvae file, or - for stdin")
    decompress.add_argument(
        "output",
        help="its name selects the format: .npy, .idx or -ubyte (also .gz), .png or another "
        "picture format, else a folder of pictures (also any name with a final /); - writes idx to "
        "stdout",
    )
    decompress.add_argument(
        "--layers",
        type=int,
        help="decode only this many layers, coarse to fine (default: all); of a truncated file "
        "made with layers, the complete ones are decoded (status 1)",
    )

    info = commands.add_parser("info", help="show what a .recvae file holds, without decoding it")
    info.add_argument("input", help="the .recvae file, or - for stdin")

    verify = commands.add_parser("verify", help="decode a .recvae file and compare checksums")
    verify.add_argument("input", help="the .recvae file, or - for stdin")
    verify.add_argument(
        "--against",
        help="images to compare with, given as to `compress`: they must be equal, or, for lossy "
        "models, the PSNR to them is reported",
    )

    salvage = commands.add_parser(
        "salvage",
        help="save the undamaged groups of a damaged .recvae file",
        description="Write what is left of a damaged or truncated .recvae file to a new one and "
        "list what is lost. Of several files concatenated in one, those made with the first one's "
        "model are saved. Status 0: everything was saved; 1: something is lost; 2: nothing "
        "was written.",
    )
    salvage.add_argument("input", help="the damaged .recvae file, or - for stdin")
    salvage.add_argument("output", help="the .recvae file to write")

    demo = commands.add_parser("demo", help="compress the images that come with the package")
    demo.add_argument("--model", help="name or folder (default: all that ship for these images)")

    _add_shared_options(commands.choices)
    return parser


def _add_compress_options(compress: argparse.ArgumentParser) -> None:
    compress.add_argument(
        "input",
        help="idx file or .npy (plain or .gz), a picture, a folder of pictures, or - for stdin; "
        "pixels are kept, metadata such as EXIF and colour profiles are not",
    )
    compress.add_argument("output", help="the .recvae file to write, or - for stdout")
    compress.add_argument(
        "--skip-bad",
        action="store_true",
        help="skip files of a folder that cannot be read, and name them (status 1); this reads "
        "all files twice",
    )
    compress.add_argument(
        "--model",
        help="name or folder (default: the shipped lossless model with the shortest file of the "
        "first 64 images)",
    )
    compress.add_argument(
        "--group-size",
        type=int,
        help="images that share an entropy coder: larger groups make smaller files, but decoding "
        "one image takes its whole group (1 to 1024; default: 64; for pictures of any size, as "
        "many as fit 65,536 pixels; for lossy models, 1)",
    )
    compress.add_argument(
        "--effort",
        type=int,
        default=1,
        help="1 to 256: candidates of each block of latents that are tried with the decoder, for "
        "smaller files, or better pictures with lossy models; encoding takes longer, decoding does "
        "not (default: 1)",
    )
    quality = compress.add_mutually_exclusive_group()
    quality.add_argument(
        "--quality", type=int, help="for lossy models: 1 to 100 (default: the model's own)"
    )
    quality.add_argument(
        "--target-bpp",
        type=float,
        metavar="BITS",
        help="for lossy models: the highest quality whose file takes at most this many bits per "
        "pixel, found by coding the images seven times; of more than 64 images or 16 megapixels "
        "only a sample is coded, so the file comes near the target",
    )
    quality.add_argument(
        "--target-psnr",
        type=float,
        metavar="DECIBELS",
        help="for lossy models: the lowest quality whose mean PSNR over the images is at least "
        "this, found likewise",
    )
    compress.add_argument(
        "--elbo",
        action="store_true",
        help="also report -ELBO, the bound, and the overhead over it",
    )
    compress.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run with the same input and options; the file will be the "
        "same as without interruption",
    )


def _add_shared_options(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Add the options that several commands share."""

    def some(*names: str) -> list[argparse.ArgumentParser]:
        return [commands[name] for name in names]

    for command in some("compress", "verify"):
        command.add_argument(
            "--channels",
            type=int,
            default=1,
            choices=[1, 2, 3, 4],
            help="3: .npy and idx arrays are RGB, (n, height, width, 3); 2 or 4, .npy only: grey "
            "or RGB with alpha as the last channel (default: 1)",
        )
    for command in some("compress", "decompress", "verify"):
        command.add_argument(
            "--max-pixels",
            type=int,
            default=1 << 28,
            help="refuse larger pictures, in the input of compress or else in the .recvae file, as "
            "damaged files may claim any size (default: 2^28)",
        )
    for command in some("decompress", "info", "verify", "salvage"):
        command.add_argument("--model", help="folder of the model, unless it ships with recvae")
    for command in some("compress", "decompress", "verify", "salvage", "demo"):
        command.add_argument(
            "--device", default="auto", choices=["cpu", "cuda", "auto"], help="(default: auto)"
        )
        command.add_argument(
            "--batch-size",
            type=int,
            default=64,
            help="images per batch, rounded up to whole groups; bounds memory (default: 64)",
        )
    for command in some("compress", "decompress", "salvage"):
        command.add_argument("--force", action="store_true", help="replace an existing output")
    for command in commands.values():
        how = command.add_mutually_exclusive_group()
        how.add_argument("--quiet", action="store_true", help="print nothing but errors")
        how.add_argument("--json", action="store_true", help="print one line of JSON")
