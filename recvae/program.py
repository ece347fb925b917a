"""Start and end of every program of this package: descriptors, signals, exit status."""

import atexit
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from recvae.errors import InputError, Terminated, gpu_failure
from recvae.reports import forgiving_streams
from recvae.threads import let_waiting_threads_sleep

BAD_INPUT, SIGNALLED = 2, 128
BROKEN_PIPE = SIGNALLED + 13  # as a shell reports it, also on systems without that signal
ONCE_SECONDS = 1.0  # a closing terminal and systemd send two signals; one is enough


def run_program(name: str, work: Callable[[], int | None]) -> int:
    """Run `work` for the program `name`; return its exit status.

    0 or what `work` returns; 2 for bad input or a failing GPU; 128 plus the number of the signal
    that ended it, such as 130 for Ctrl-C, or SIGPIPE's if the reader of the output is gone. The
    last line on standard error says why it is not 0.
    """
    _fill_standard_descriptors()
    let_waiting_threads_sleep()
    with forgiving_streams(), _warnings_in_one_line(name):
        try:
            with _signals_raised():
                return work() or 0
        except InputError as error:
            status, reason = BAD_INPUT, str(error)
        except RuntimeError as error:
            if (line := gpu_failure(error)) is None:
                raise
            status, reason = BAD_INPUT, line
        except KeyboardInterrupt as interrupt:
            number = interrupt.signal if isinstance(interrupt, Terminated) else signal.SIGINT
            word = "interrupted" if number == signal.SIGINT else "terminated"
            status, reason = SIGNALLED + number, "; ".join(filter(None, (word, str(interrupt))))
        except BrokenPipeError:
            return BROKEN_PIPE
        print(f"{name}: {reason}", file=sys.stderr)
        return status


@contextmanager
def _warnings_in_one_line(name: str) -> Iterator[None]:
    """Format warnings like errors, without source locations."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"{name}: warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def _fill_standard_descriptors() -> None:
    """Open closed ones: else a file would get their numbers, and what libraries print."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            os.set_inheritable(descriptor, True)


_to_restore: dict[int, Any] = {}
"""The handlers of before, once a signal has ended a program; ours stay until Python ends."""


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Let the signals that end a program raise `Terminated`, so that unfinished work is cleaned up.

    Signals that are ignored, as under nohup, or handled by someone else are left alone. After one
    that ends the program, those that belong to it must not kill it before it has said why.
    """
    process, last = os.getpid(), -ONCE_SECONDS

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now, before = time.monotonic(), last
        same = os.getpid() == process
        if same and now - before < ONCE_SECONDS:
            return
        if _to_restore or not same:  # or a forked worker of someone else: default behaviour
            signal.signal(number, replaced[number])
            signal.raise_signal(number)
            return
        last = now
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():  # which cannot handle signals
        yield
        return
    _restore()
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not all exist on every system
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    usual = (signal.SIG_DFL, signal.default_int_handler)
    replaced = {n: old for n in numbers if (old := signal.getsignal(n)) in usual}
    try:
        for number in replaced:
            signal.signal(number, handle)
        yield
    except Terminated:
        _to_restore.update(replaced)
        raise
    finally:
        if not _to_restore:
            _to_restore.update(replaced)
            _restore()


def _restore() -> None:
    while _to_restore:
        number, old = _to_restore.popitem()
        with suppress(ValueError):
            signal.signal(number, old)


@atexit.register
def _ignore_more() -> None:
    """Python's end would set what kills again."""
    for number in _to_restore:
        signal.signal(number, signal.SIG_IGN)
