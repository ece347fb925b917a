"""The command line `recvae`: arguments in, exit status out."""

import argparse
from collections.abc import Mapping, Sequence

from recvae import __version__
from recvae.program import run_program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns its exit status, see `run_program`: 1 is that of `salvage` if it could not save all, and
    of `compress --skip-bad` if it skipped a file.
    """

    def run() -> int | None:
        options = _parser().parse_args(arguments)
        # Imported here: `--help` and wrong arguments need not wait for numpy and Pillow.
        from recvae import commands

        return getattr(commands, options.command)(options)

    return run_program("recvae", run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae",
        description="Compression of images, lossless or lossy as the model is: VAEs and relative "
        "entropy coding.",
    )
    parser.add_argument("--version", action="version", version=f"recvae {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    _add_compress_options(commands.add_parser("compress", help="images to a .recvae file"))

    decompress = commands.add_parser("decompress", help="a .recvae file to images")
    decompress.add_argument("input", help="the .recvae file, or - for stdin")
    decompress.add_argument(
        "output",
        help="by its name: .npy, .idx or -ubyte (also .gz), .png or as other pictures, else a "
        "folder of pictures (any name with / at its end is one); - writes idx to stdout",
    )
    decompress.add_argument(
        "--layers",
        type=int,
        help="make pictures of so many layers, coarse to fine (default: all); of a file whose end "
        "is missing, of models with layers, those that are whole are taken (status 1)",
    )

    info = commands.add_parser("info", help="what a .recvae file holds, without decoding it")
    info.add_argument("input", help="the .recvae file, or - for stdin")

    verify = commands.add_parser("verify", help="decode a .recvae file and compare checksums")
    verify.add_argument("input", help="the .recvae file, or - for stdin")
    verify.add_argument(
        "--against",
        help="images to compare with, as `compress` takes them: equal ones or, of lossy models, "
        "those that the PSNR is told to",
    )

    salvage = commands.add_parser(
        "salvage",
        help="save the undamaged groups of a damaged .recvae file",
        description="Write what a damaged or truncated .recvae file still holds to a new one and "
        "list what is lost; of several files one behind the other, those of the first one's model. "
        "Status 0: everything was saved; 1: something is lost; 2: nothing "
        "was written.",
    )
    salvage.add_argument("input", help="the damaged .recvae file, or - for stdin")
    salvage.add_argument("output", help="the .recvae file to write")

    demo = commands.add_parser("demo", help="compress the images that come with the package")
    demo.add_argument("--model", help="name or folder (default: each that ships for such images)")

    _add_shared_options(commands.choices)
    return parser


def _add_compress_options(compress: argparse.ArgumentParser) -> None:
    compress.add_argument(
        "input",
        help="idx file or .npy (plain or .gz), a picture, a folder of pictures, or - for stdin; "
        "pixels come back, metadata as EXIF and colour profiles do not",
    )
    compress.add_argument("output", help="the .recvae file to write, or - for stdout")
    compress.add_argument(
        "--skip-bad",
        action="store_true",
        help="pass over files of a folder that cannot be read, and name them (status 1); all files "
        "are read once more for that",
    )
    compress.add_argument(
        "--model", help="name or folder (default: mnist for grey images of 28 x 28, else photos)"
    )
    compress.add_argument(
        "--group-size",
        type=int,
        help="images that share an entropy coder: larger is smaller, and it takes a whole group to "
        "decode one image (1 to 1024; default: 64, of pictures of any size as many as have 65,536 "
        "pixels, of lossy models 1)",
    )
    compress.add_argument(
        "--effort",
        type=int,
        default=1,
        help="more takes longer and decodes as fast: smaller files, by so many candidates for each "
        "block of latents that are tried with the decoder; of lossy models better pictures "
        "(1 to 256, default: 1)",
    )
    quality = compress.add_mutually_exclusive_group()
    quality.add_argument(
        "--quality", type=int, help="of lossy models: 1 to 100 (default: the model's own)"
    )
    quality.add_argument(
        "--target-bpp",
        type=float,
        metavar="BITS",
        help="of lossy models: the highest quality whose file takes at most so many bits per "
        "pixel; it is found by coding the images seven times, of more than 64 images or 16 "
        "megapixels a part of them, so that the file of all is near the target only",
    )
    quality.add_argument(
        "--target-psnr",
        type=float,
        metavar="DECIBELS",
        help="of lossy models: the lowest quality whose mean PSNR over the images is at least so "
        "much, found likewise",
    )
    compress.add_argument(
        "--elbo",
        action="store_true",
        help="also evaluate -ELBO, the bound, and the overhead over it",
    )
    compress.add_argument(
        "--resume",
        action="store_true",
        help="go on where an interrupted run with the same input and options ended; the file will "
        "be the same as without interruption",
    )


def _add_shared_options(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Those that several commands have, each of one kind."""

    def some(*names: str) -> list[argparse.ArgumentParser]:
        return [commands[name] for name in names]

    for command in some("compress", "verify"):
        command.add_argument(
            "--channels",
            type=int,
            default=1,
            choices=[1, 2, 3, 4],
            help="3: arrays of .npy and idx files are RGB, (n, height, width, 3); 2 and 4: those "
            "of .npy files are grey or RGB with alpha, which comes last (default: 1)",
        )
    for command in some("compress", "decompress", "verify"):
        command.add_argument(
            "--max-pixels",
            type=int,
            default=1 << 28,
            help="refuse a file that claims larger pictures, as a damaged one may: a picture that "
            "is compressed, a .recvae file otherwise (default: 2^28)",
        )
    for command in some("decompress", "info", "verify", "salvage"):
        command.add_argument("--model", help="folder of the model, if it is not one that ships")
    for command in some("compress", "decompress", "verify", "salvage", "demo"):
        command.add_argument(
            "--device", default="auto", choices=["cpu", "cuda", "auto"], help="(default: auto)"
        )
        command.add_argument(
            "--batch-size",
            type=int,
            default=64,
            help="images at once, at least a group: memory and speed (default: 64)",
        )
    for command in some("compress", "decompress", "salvage"):
        command.add_argument("--force", action="store_true", help="replace an existing output")
    for command in commands.values():
        how = command.add_mutually_exclusive_group()
        how.add_argument("--quiet", action="store_true", help="print nothing but errors")
        how.add_argument("--json", action="store_true", help="print one line of JSON")
