"""The command line `python -m recvae.experiments`: arguments in, exit status out."""

import argparse
from collections.abc import Sequence

from recvae.errors import InputError
from recvae.program import run_program

ON_INTERRUPT = {
    "synthetic": "{out} holds the experiments that were finished",
    "scans": "nothing was written to {out}",
    "mnist": "{out} holds the rows that were measured; the same command goes on from there",
    "pictures": "{out} holds the rows that were measured; the same command goes on from there",
}

NEEDS = {"matplotlib": "the figures need matplotlib", "jinja2": "the report needs Jinja2"}
"""What of the extra `experiments` is for what, by module."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one group of experiments. Returns the exit status, see `run_program`."""

    def run() -> None:
        options = _parser().parse_args(arguments)
        try:
            _run(options)
        except ModuleNotFoundError as error:
            need = NEEDS.get((error.name or "").partition(".")[0])
            if need is None:
                raise
            raise InputError(
                f"{options.group}: {need}: pip install 'recvae[experiments]'"
            ) from error
        except KeyboardInterrupt as interrupt:
            interrupt.args = (ON_INTERRUPT[options.group].format(out=options.out),)
            raise

    return run_program("recvae.experiments", run)


def _run(options: argparse.Namespace) -> None:
    # Imported here: `--help` and wrong arguments need not wait for torch.
    if options.group == "synthetic":
        from recvae.experiments.synthetic import command as synthetic

        synthetic.run(options.out, options.only, options.quick, options.seed)
    elif options.group == "scans":
        from recvae.experiments import bitmaps

        bitmaps.run(options.out, options.root, options.quick)
    elif options.group == "pictures":
        from recvae.experiments.pictures import command as pictures

        pictures.run(options.out, options.root, options.model, options.quick, options.seed)
    else:
        from recvae.experiments.mnist import command as mnist

        mnist.run(options.out, options.root, options.quick, options.train, options.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae.experiments", description="Published tables and figures, made again."
    )
    groups = parser.add_subparsers(dest="group", required=True, metavar="EXPERIMENTS")
    synthetic = groups.add_parser("synthetic", help="relative entropy coding of random Gaussians")
    mnist = groups.add_parser("mnist", help="lossless MNIST with a VAE and every coder")
    bitmaps = groups.add_parser("scans", help="the black and white scans that MNIST was made from")
    pictures = groups.add_parser("pictures", help="lossy pictures beside classical codecs")
    for group, what in (
        (synthetic, "tables and figures"),
        (mnist, "rows, table and report"),
        (bitmaps, "table and figure"),
        (pictures, "rows, tables and report"),
    ):
        group.add_argument("--out", required=True, help=f"folder for {what}; it is made if need be")
    for group in (synthetic, mnist, pictures):
        group.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    synthetic.add_argument(
        "--only", nargs="+", metavar="NAME", help="some of the experiments (default: all)"
    )
    synthetic.add_argument(
        "--quick", action="store_true", help="few items: the whole in less than a minute"
    )
    for group, without in (
        (mnist, "--quick can do with images of the package"),
        (bitmaps, "without it, on images of the package"),
    ):
        group.add_argument(
            "--data.root",
            dest="root",
            metavar="DIR",
            help=f"folder that holds MNIST/raw; {without}",
        )
    pictures.add_argument(
        "--data.root",
        "--data",
        dest="root",
        metavar="DIR",
        required=True,
        help="folder that holds CIFAR10/test.npy and kodak/*.png",
    )
    pictures.add_argument(
        "--model", default="cifar10", help="a lossy model, by name or folder (default: cifar10)"
    )
    pictures.add_argument(
        "--quick", action="store_true", help="few rows on few images: in about a minute"
    )
    bitmaps.add_argument("--quick", action="store_true", help="few images: in seconds")
    mnist.add_argument(
        "--quick", action="store_true", help="few rows on few images: in about a minute"
    )
    mnist.add_argument(
        "--train",
        action="store_true",
        help="train the models that do not ship: 20 and 100 latents, and the baseline's twins with "
        "beta = 1 and with the controller (hours)",
    )
    return parser
