"""Runs steps in separate processes: one that fails, hangs or breaks its GPU ends no other."""

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

# None of them uses a GPU on import.
PRELOADED = ["torch", "triton", "numba", "recvae.codec", "recvae.rec"]


@dataclass(frozen=True)
class Step:
    """A function of a module, from a `Run` to rows.

    Args:
        name: the function's name.
        module: the function's module.
        limit_s: time limit.
        dry: whether a dry run includes it.
    """

    name: str
    module: str
    limit_s: float
    dry: bool = True


def preload() -> None:
    """Preload slow imports for the processes of steps; called before the first one."""
    get_context("forkserver").set_forkserver_preload(PRELOADED)


def rows_of(step: Step, run: Run, limit_s: float) -> Iterator[Row]:
    """The rows of a step as they come; after a failure, the last one names it."""
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
            os.killpg(group, signal.SIGKILL)  # with its children
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
    os.setpgrp()  # so that its children end with it
    try:
        for row in getattr(import_module(step.module), step.name)(run):
            writer.send(row)
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        writer.send(Row(FAILED, f"{type(error).__name__}: {line}"))
    writer.send(None)
