"""The command line `recvae`: arguments in, exit status out."""

import argparse
import sys
from collections.abc import Sequence

from recvae.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0; 1 if `salvage` could not save everything; 2 for bad input; 130 when interrupted.
    """
    options = _parser().parse_args(arguments)
    # Imported here: `--help` and wrong arguments need not wait for torch.
    from recvae import commands

    try:
        status = getattr(commands, options.command)(options)
    except InputError as error:
        print(f"recvae: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("recvae: interrupted; no output was written", file=sys.stderr)
        return 130
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae",
        description="Lossless compression of grey images: VAE and relative entropy coding.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    compress = commands.add_parser("compress", help="images to a .recvae file")
    compress.add_argument("input", help="idx file (plain or .gz), .npy, PNG, or a folder of PNGs")
    compress.add_argument("output", help="the .recvae file to write")
    compress.add_argument("--model", help="name or folder (default: mnist)")
    compress.add_argument(
        "--group-size",
        type=int,
        help="images that share an entropy coder: larger is smaller, and it takes a whole group to "
        "decode one image (1 to 1024, default: 64)",
    )
    compress.add_argument(
        "--elbo",
        action="store_true",
        help="also evaluate -ELBO, the bound, and the overhead over it",
    )

    decompress = commands.add_parser("decompress", help="a .recvae file to images")
    decompress.add_argument("input", help="the .recvae file")
    decompress.add_argument(
        "output", help="by its name: .npy, .idx or -ubyte (also .gz), .png, else a folder of PNGs"
    )

    info = commands.add_parser("info", help="what a .recvae file holds, without decoding it")
    info.add_argument("input", help="the .recvae file")

    verify = commands.add_parser("verify", help="decode a .recvae file and compare checksums")
    verify.add_argument("input", help="the .recvae file")
    verify.add_argument("--against", help="images to compare with, as `compress` takes them")

    salvage = commands.add_parser(
        "salvage",
        help="save the undamaged groups of a damaged .recvae file",
        description="Write what a damaged or truncated .recvae file still holds to a new one and "
        "list what is lost. Status 0: everything was saved; 1: something is lost; 2: nothing "
        "was written.",
    )
    salvage.add_argument("input", help="the damaged .recvae file")
    salvage.add_argument("output", help="the .recvae file to write")

    demo = commands.add_parser("demo", help="compress the images that come with the package")
    demo.add_argument("--model", help="name or folder (default: mnist)")

    for command in (decompress, verify, salvage):
        command.add_argument("--model", help="folder of the model, if it is not one that ships")
    for command in (compress, decompress, verify, salvage, demo):
        command.add_argument(
            "--device", default="auto", choices=["cpu", "cuda", "auto"], help="(default: auto)"
        )
        command.add_argument(
            "--batch-size",
            type=int,
            default=64,
            help="images at once, at least a group: memory and speed (default: 64)",
        )
    for command in (compress, decompress, salvage):
        command.add_argument("--force", action="store_true", help="replace an existing output")
    for command in (compress, decompress, info, verify, salvage, demo):
        how = command.add_mutually_exclusive_group()
        how.add_argument("--quiet", action="store_true", help="print nothing but errors")
        how.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser
