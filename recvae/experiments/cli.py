"""The command line `python -m recvae.experiments`: arguments in, exit status out."""

import argparse
from collections.abc import Sequence

from recvae.errors import InputError
from recvae.program import run_program

ON_INTERRUPT = {
    "synthetic": "{out} holds the finished experiments",
    "scans": "nothing was written to {out}",
    "mnist": "{out} holds the rows measured so far; the same command continues from there",
    "pictures": "{out} holds the rows measured so far; the same command continues from there",
}

NEEDS = {"matplotlib": "the figures need matplotlib", "jinja2": "the report needs Jinja2"}
"""The purpose of each module of the extra `experiments`."""


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
    # Imported here, so that `--help` and usage errors do not wait for torch.
    if options.group == "synthetic":
        from recvae.experiments.synthetic import command as synthetic

        synthetic.run(options.out, options.only, options.quick, options.seed)
    elif options.group == "scans":
        from recvae.experiments import bitmaps

        bitmaps.run(options.out, options.root, options.quick)
    elif options.group == "pictures":
        from recvae.experiments.pictures import command as pictures

        pictures.run(
            options.out, options.root, options.model, options.quick, options.seed, options.inr
        )
    else:
        from recvae.experiments.mnist import command as mnist

        mnist.run(options.out, options.root, options.quick, options.train, options.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae.experiments", description="Reproduces published tables and figures."
    )
    groups = parser.add_subparsers(dest="group", required=True, metavar="EXPERIMENTS")
    synthetic = groups.add_parser("synthetic", help="relative entropy coding of random Gaussians")
    mnist = groups.add_parser("mnist", help="lossless MNIST with a VAE and every coder")
    bitmaps = groups.add_parser("scans", help="the scans that MNIST was computed from")
    pictures = groups.add_parser("pictures", help="lossy pictures beside classical codecs")
    for group, what in (
        (synthetic, "tables and figures"),
        (mnist, "rows, table and report"),
        (bitmaps, "table and figure"),
        (pictures, "rows, tables and report"),
    ):
        group.add_argument("--out", required=True, help=f"folder for {what}, created if necessary")
    for group in (synthetic, mnist, pictures):
        group.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    synthetic.add_argument(
        "--only", nargs="+", metavar="NAME", help="some of the experiments (default: all)"
    )
    synthetic.add_argument(
        "--quick", action="store_true", help="few items: everything in less than a minute"
    )
    for group, without in (
        (mnist, "--quick can use the package's images"),
        (bitmaps, "default: the package's images"),
    ):
        group.add_argument(
            "--data.root",
            dest="root",
            metavar="DIR",
            help=f"folder with MNIST/raw; {without}",
        )
    pictures.add_argument(
        "--data.root",
        "--data",
        dest="root",
        metavar="DIR",
        required=True,
        help="folder with CIFAR10/test.npy and kodak/*.png; for --inr, CIFAR10/train.npy too",
    )
    pictures.add_argument(
        "--model", default="cifar10", help="a lossy model, by name or folder (default: cifar10)"
    )
    pictures.add_argument(
        "--inr",
        nargs="+",
        metavar="DIR",
        default=[],
        help="models of implicit neural representations, one for each rate (default: none)",
    )
    pictures.add_argument(
        "--quick", action="store_true", help="few rows on few images: takes about a minute"
    )
    bitmaps.add_argument("--quick", action="store_true", help="few images: takes seconds")
    mnist.add_argument(
        "--quick", action="store_true", help="few rows on few images: takes about a minute"
    )
    mnist.add_argument(
        "--train",
        action="store_true",
        help="train the models that do not ship: 20 and 100 latents, and variants of the "
        "baseline with beta = 1 and with the controller (takes hours)",
    )
    return parser
