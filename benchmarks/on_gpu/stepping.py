"""Steps in processes of their own: one that fails, hangs or breaks its GPU ends no other."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from on_gpu.rows import FAILED, Row, Run

# None of them does anything with a GPU before it is asked to.
PRELOADED = ["torch", "triton", "numba", "recvae.codec", "recvae.rec"]


@dataclass(frozen=True)
class Step:
    """A function of a module, from a `Run` to rows.

    Args:
        name: of the function.
        module: where it is.
        limit_s: how long it may take.
        dry: whether a dry run takes it.
    """

    name: str
    module: str
    limit_s: float
    dry: bool = True


def preload() -> None:
    """Has the processes of steps begin with what takes long to import; before the first step."""
    get_context("forkserver").set_forkserver_preload(PRELOADED)


def rows_of(step: Step, run: Run, limit_s: float) -> Iterator[Row]:
    """The rows of a step as they come; the last one says what went wrong, if something did."""
    context = get_context("forkserver")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(step, run, writer))
    process.start()
    writer.close()
    group = process.pid
    assert group is not None
    try:
        yield from _received(step, reader, process, limit_s)
    finally:
        process.kill()
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)  # what it has started
        process.join()


def _received(
    step: Step, reader: Connection, process: BaseProcess, limit_s: float
) -> Iterator[Row]:
    end = time.monotonic() + limit_s
    while reader.poll(max(0.0, end - time.monotonic())):
        try:
            row = reader.recv()
        except EOFError:
            process.join()
            yield Row(FAILED, f"its process ended with status {process.exitcode}", step=step.name)
            return
        if row is None:
            return
        yield replace(row, step=step.name)
    yield Row(FAILED, f"it took more than {limit_s:.0f} s", step=step.name)


def _work(step: Step, run: Run, writer: Connection) -> None:
    os.setpgrp()  # its own processes end with it
    try:
        for row in getattr(import_module(step.module), step.name)(run):
            writer.send(row)
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        writer.send(Row(FAILED, f"{type(error).__name__}: {line}"))
    writer.send(None)
