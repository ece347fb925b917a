"""The command line of training: LightningCLI's fit, validate, test, and the export of a model."""

import sys

from recvae.program import run_program


def main() -> int:
    """Run `train.py`. Returns the exit status, see `run_program`."""
    return run_program("train.py", _run)


def _run() -> None:
    if sys.argv[1:2] == ["export"]:
        from recvae.training.export import export

        export(sys.argv[2:])
    else:
        from recvae.training.cli import run

        run()
