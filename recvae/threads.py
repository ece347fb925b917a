"""CPUs and threads: their number, how torch's threads wait, and what a fork does to them."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_process = os.getpid()


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise.

    By default they spin for milliseconds. If another process takes a core, they spin at every small
    operator, waiting for a thread that is not running: decoding took several times as long. Must be
    called before torch is imported; later it has no effect.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def let_products_survive_forks() -> None:
    """Keep MKL from caching memory per thread, unless the environment says otherwise.

    A fork of a process that has multiplied in several threads would search for theirs forever. Must
    be called before torch is imported; later it has no effect.
    """
    os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")


def usable_cpus() -> int:
    """The number of CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread_after_fork() -> None:
    """Set torch to one thread in a forked process, once; the user's later settings hold.

    If the parent has used OpenMP's threads, they are missing in the child, which would wait for
    them forever.
    """
    global _process
    if _process != os.getpid():
        import torch

        _process = os.getpid()
        torch.set_num_threads(1)


def in_threads(
    work: Callable[[Job], Result], jobs: Iterable[Job], threads: int | None = None
) -> Iterator[Result]:
    """Results in order, of as many jobs at once as `threads`, by default the number of CPUs."""
    waiting = list(jobs)
    if len(waiting) < 2:
        yield from map(work, waiting)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads or usable_cpus()) as pool:
        yield from pool.map(work, waiting)
