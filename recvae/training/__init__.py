"""The command line of training: LightningCLI's fit, validate, test, and the export of a model."""

import signal
import sys

from recvae.errors import InputError
from recvae.threads import let_waiting_threads_sleep


def main() -> int:
    """Run `train.py`. Returns 0, 2 for bad input, 128 + the signal that ended it."""
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
        print(f"train.py: interrupted; {str(interrupt) or 'nothing was written'}", file=sys.stderr)
        return 128 + getattr(interrupt, "signal", signal.SIGINT)
    return 0
