"""Steps in processes of their own: one that fails, hangs or breaks its GPU ends no other."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection

from on_gpu.rows import FAILED, Row, Run

# What takes long to import and does nothing with a GPU before it is asked to.
PRELOADED = ["torch", "triton", "numba", "recvae.codec", "recvae.rec"]


@dataclass(frozen=True)
class Step:
    """A function of a module of this package.

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


def rows_of(step: Step, run: Run, limit_s: float) -> Iterator[Row]:
    """The rows of a step as they come; the last one says what went wrong, if something did."""
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(step, run, writer))
    process.start()
    writer.close()
    end = time.monotonic() + limit_s
    failure = f"it took more than {limit_s:.0f} s"
    while reader.poll(max(0.0, end - time.monotonic())):
        try:
            row = reader.recv()
        except EOFError:
            process.join(max(0.0, end - time.monotonic()))
            failure = f"its process ended with status {process.exitcode}"
            break
        if row is None:
            failure = ""
            break
        yield replace(row, step=step.name)
    process.join(1)
    process.kill()
    process.join()
    if failure:
        yield Row(FAILED, failure, step=step.name)


def _work(step: Step, run: Run, writer: Connection) -> None:
    try:
        for row in getattr(import_module(f"on_gpu.{step.module}"), step.name)(run):
            writer.send(row)
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        writer.send(Row(FAILED, f"{type(error).__name__}: {line}"))
    writer.send(None)
