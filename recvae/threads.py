"""How the threads behind torch's operators wait for each other, in processes that are ours."""

import os


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin for milliseconds. Where another process takes a core, they spin for one of
    their own that does not run, at every small operator: decoding took several times as long. It
    must be called before torch is imported; later it does nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
