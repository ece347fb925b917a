"""CPUs and threads: how many there are, how torch's wait, and that a fork leaves them behind."""

import os

_process = os.getpid()


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin for milliseconds. Where another process takes a core, they spin for one of
    their own that does not run, at every small operator: decoding took several times as long. It
    must be called before torch is imported; later it does nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def let_products_survive_forks() -> None:
    """Keep MKL from keeping memory by thread, unless the environment says otherwise.

    A fork of a process that has multiplied in several threads would look for theirs forever. It
    must be called before torch is imported; later it does nothing.
    """
    os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread_after_fork() -> None:
    """Let torch use the one thread that a forked process has, once; what its user sets then holds.

    OpenMP's threads, of a process that has used them, are missing in the child, which would wait
    for them forever.
    """
    global _process
    if _process != os.getpid():
        import torch

        _process = os.getpid()
        torch.set_num_threads(1)
