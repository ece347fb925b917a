"""The command line `python -m recvae.experiments`: arguments in, exit status out."""

import argparse
import sys
from collections.abc import Sequence

from recvae.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one group of experiments. Returns 0, 2 for bad input, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        try:
            # Imported here: `--help` and wrong arguments need not wait for torch.
            from recvae.experiments.synthetic.command import run
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "matplotlib":
                raise
            raise InputError(
                f"{options.group}: the figures need matplotlib: pip install 'recvae[experiments]'"
            ) from error
        run(options.out, options.only, options.quick, options.seed)
    except InputError as error:
        print(f"recvae.experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        message = f"interrupted; {options.out} holds the experiments that were finished"
        print(f"recvae.experiments: {message}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="recvae.experiments", description="Published tables and figures, made again."
    )
    groups = parser.add_subparsers(dest="group", required=True, metavar="EXPERIMENTS")
    synthetic = groups.add_parser("synthetic", help="relative entropy coding of random Gaussians")
    synthetic.add_argument(
        "--out", required=True, help="folder for tables and figures; it is made if need be"
    )
    synthetic.add_argument(
        "--only", nargs="+", metavar="NAME", help="some of the experiments (default: all)"
    )
    synthetic.add_argument(
        "--quick", action="store_true", help="few items: the whole in less than a minute"
    )
    synthetic.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    return parser
