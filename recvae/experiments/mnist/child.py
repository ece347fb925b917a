"""Work in a process of its own, whose peak of memory is then its own."""

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

# A server that has imported everything and computed nothing: its children start at once.
PRELOADED = ["recvae.experiments.mnist.measure", "recvae.rec.search.numba.backend"]


def in_child(function: Callable[..., R], *arguments: Any) -> R:
    """What the function returns in a child process, which ends with the call.

    Raises what the function raises if that is an InputError, RuntimeError with its traceback for
    anything else or if the process is killed.
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
        message = f"a process that measures was ended, with status {process.exitcode}"
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
    """Ctrl-C waits: a child that is half started would print what it misses."""
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
    with suppress(BrokenPipeError):  # a parent that was interrupted waits no longer
        sender.send((failure, result))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
