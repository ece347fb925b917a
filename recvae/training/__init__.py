"""The command line of training: LightningCLI's fit, validate, test, and the export of a model."""

import sys

from recvae.errors import InputError
from recvae.threads import let_waiting_threads_sleep


def main() -> int:
    """Run `train.py`. Returns the exit status: 0, 2 for bad input, or 130 when interrupted."""
    let_waiting_threads_sleep()
    try:
        if sys.argv[1:2] == ["export"]:
            from recvae.training.export import export

            export(sys.argv[2:])
        else:
            from recvae.training.cli import run

            run()
    except InputError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"train.py: interrupted; {interrupt or 'nothing was written'}", file=sys.stderr)
        return 130
    return 0
