"""Runs work in a separate process, to measure its peak memory."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from recvae.errors import InputError

R = TypeVar("R")

# A server that has imported everything but computed nothing, so its children start fast.
PRELOADED = ["recvae.experiments.mnist.measure", "recvae.rec.search.numba.backend"]


def in_child(function: Callable[..., R], *arguments: Any) -> R:
    """Call a function in a child process, which ends afterwards, and return its result.

    Raises the function's exception if that is an InputError, and RuntimeError with its traceback
    for any other, or if the process is killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments), daemon=True)
    try:
        with _interrupt_later():
            process.start()
        sender.close()
        failure, result = receiver.recv()
    except EOFError:
        process.join()
        message = f"a measuring process ended with status {process.exitcode}"
        raise RuntimeError(message) from None
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
    if isinstance(failure, InputError):
        raise failure
    if failure:
        raise RuntimeError(failure)
    return result


@contextmanager
def _interrupt_later() -> Iterator[None]:
    """Delay Ctrl-C: a half-started child would print errors."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _call(sender: Connection, function: Callable[..., R], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()  # even if it is killed
    failure: InputError | str | None = None
    result = None
    try:
        result = function(*arguments)
    except InputError as error:
        failure = error
    except Exception:
        failure = traceback.format_exc()
    with suppress(BrokenPipeError):  # an interrupted parent no longer waits
        sender.send((failure, result))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
