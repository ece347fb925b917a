"""Compiles all kernels that the search can launch, ahead of time.

No GPU is needed: a kernel is compiled for the arguments of its launch, by the functions with which
Triton itself prepares one.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend
from triton.errors import TritonError
from triton.runtime.jit import create_function_from_signature

from on_gpu.rows import Row, Run
from on_gpu.settings import QUICK_SWEEP, swept
from recvae.errors import InputError
from recvae.rec import DiagonalGaussian, Partition
from recvae.rec.arrivals import Arrivals
from recvae.rec.proposal import log2_sup_ratio, propose
from recvae.rec.search import FirstAccepted, Race, RaceToEnd, SearchInputs, StoppingRule
from recvae.rec.search.triton import MAX_KEEP, OLDEST_CAPABILITY
from recvae.rec.search.triton.backend import first_slots
from recvae.rec.search.triton.kernel import Given
from recvae.rec.search.triton.launch import (
    NO_SLOTS,
    Arguments,
    Launch,
    Settings,
    Slots,
    draw_launch,
    search_launch,
)
from recvae.rec.stretch import stretch_function
from recvae.threads import usable_cpus

TARGETS = (80, 90, 120)
PROCESSES = 2
PARTITIONS = ((1, 1), (4, 4), (3,) * 33)
"""One for each possible number of digit words."""
KEEPS = (1, 16, MAX_KEEP)
HASHED = Slots(12)
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

WIDTH = 48


@dataclass(frozen=True)
class Compiled:
    """The resources of a kernel on a GPU.

    Args:
        kernel: its function and specialisation.
        target: compute capability, 90 for 9.0.
        registers: registers of a thread.
        shared_bytes: shared memory of a program.
        stack_bytes: stack of a thread.
        spills: instructions that move registers to memory and back.
        instructions: instructions of the whole kernel.
        seconds: time to compile, nearly none if Triton had it in its cache.
    """

    kernel: str
    target: int
    registers: int
    shared_bytes: int
    stack_bytes: int
    spills: int
    instructions: int
    seconds: float

    @property
    def line(self) -> str:
        """Its line in the table headed by `HEADING`."""
        return (
            f"{self.kernel:<{WIDTH}} {self.target:>3} {self.registers:>5} {self.shared_bytes:>6} "
            f"{self.stack_bytes:>5} {self.spills:>6} {self.instructions:>7} {self.seconds:>5.1f}"
        )


HEADING = f"{'kernel':<{WIDTH}}  sm  regs shared stack spills  instr.     s"


def launches(settings: Settings) -> list[Launch]:
    """All distinct kernels that the backend launches with some settings."""
    return _distinct(
        launch for partition in PARTITIONS for launch in _launches(partition, settings)
    )


def race_launches(settings: Settings) -> list[Launch]:
    """The kernels of ordered random coding only, with and without partition."""
    return _distinct(
        search_launch(Arguments.of(*_search(partition, "ordered", "race")), settings, slots)
        for partition, slots in zip(PARTITIONS[:2], (NO_SLOTS, HASHED), strict=True)
    )


def _distinct(made: Iterable[Launch]) -> list[Launch]:
    """Keep one of those that compile to the same kernel."""
    return list({_prepared(launch, TARGETS[0])[0].hash(): launch for launch in made}.values())


def _launches(intervals: tuple[int, ...], settings: Settings) -> Iterator[Launch]:
    orders: tuple[Arrivals, ...] = ("ordered", "unordered")
    for arrivals, keep in product(orders, KEEPS):
        inputs, rule = _search(intervals, arrivals, "race", keep)
        arguments = Arguments.of(inputs, rule)
        yield from _with_tables(arguments, settings)
        draw = draw_launch(arguments, settings, settings.block)
        yield draw
        given = Given(draw.arguments["since"], draw.arguments["bins"])
        yield search_launch(arguments, settings, chunk=settings.block, given=given)
    yield from _with_tables(Arguments.of(*_search(intervals, "poisson", "end")), settings)
    if max(intervals) == 1:
        yield from _with_tables(Arguments.of(*_search(intervals, "poisson", "accept")), settings)


def _with_tables(arguments: Arguments, settings: Settings) -> Iterator[Launch]:
    """Launches with the initial table for some bins, and with one for more bins."""
    yield search_launch(
        arguments, settings, first_slots(arguments.inputs, arguments.rule, settings)
    )
    if arguments.digits:
        yield search_launch(arguments, settings, HASHED)


def _search(
    intervals: tuple[int, ...], arrivals: Arrivals, rule: str, keep: int = 1
) -> tuple[SearchInputs, StoppingRule]:
    """A small search on the CPU."""
    shape = (2, len(intervals))
    target = DiagonalGaussian(torch.zeros(shape), torch.full(shape, 0.5))
    proposal = propose(target, Partition(intervals), "mass")
    words = torch.zeros(2, dtype=torch.int64)
    inputs = SearchInputs(proposal, (words, words), (words, words), arrivals, 100)
    if rule == "race":
        return inputs, Race(keep)
    if rule == "end":
        return inputs, RaceToEnd(log2_sup_ratio(target, proposal))
    return inputs, FirstAccepted(stretch_function(target))


def kernel_name(launch: Launch) -> str:
    """A kernel's name and its specialisation."""
    constants = {name: int(value) for name, value in launch.constants.items()}
    order = ("ordered", "unordered", "Poisson")[constants["ARRIVALS"]]
    bins = ("no bins", "bins", "bins of two words")[constants["DIGIT_WORDS"]]
    if "RULE" not in constants:
        return f"draw {order}, {bins}"
    rule = ("race", "race to its end,", "first accepted,")[constants["RULE"]]
    order = "in chunks" if constants["GIVEN"] else order
    return f"{rule} {order}, keep {constants['KEEP']}, {bins}"


def compile_launch(launch: Launch, target: int) -> Compiled:
    """Compile a kernel as its launch would, for a compute capability."""
    source, options = _prepared(launch, target)
    started = time.perf_counter()
    compiled = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
    seconds = time.perf_counter() - started
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = _run_tool("cuobjdump", "-res-usage", file.name)
        code = _run_tool("nvdisasm", "-c", file.name)
    found = re.search(r"REG:(\d+) STACK:(\d+) SHARED:\d+", usage)
    if not found:
        raise RuntimeError(f"cuobjdump: no usage of registers in {usage!r}")
    registers, stack_bytes = map(int, found.groups())
    return Compiled(
        kernel_name(launch),
        target,
        registers,
        compiled.metadata.shared,
        stack_bytes,
        len(re.findall(r"\b(?:LDL|STL)\b", code)),
        len(re.findall(r"^\s+/\*[0-9a-f]{4,}\*/", code, re.MULTILINE)),
        seconds,
    )


def _run_tool(name: str, *arguments: str) -> str:
    command = [str(TOOLS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _prepared(launch: Launch, target: int) -> tuple[ASTSource, dict[str, Any]]:
    """The source and options that Triton compiles for a launch on such tensors."""
    kernel, backend = launch.kernel, make_backend(GPUTarget("cuda", target, 32))
    given = {**launch.arguments, **launch.constants, **launch.options}
    given |= {"debug": False, "instrumentation_mode": ""}  # added as Triton does
    bind = create_function_from_signature(kernel.signature, kernel.params, backend)
    options, signature, constants, attributes = kernel._pack_args(backend, given, *bind(**given))
    return ASTSource(kernel, signature, constants, attributes), options.__dict__


@cache
def _made(settings: Settings, all_of_them: bool) -> list[Launch]:
    return launches(settings) if all_of_them else race_launches(settings)


def _compile_one(settings: Settings, all_of_them: bool, number: int, target: int) -> Compiled:
    return compile_launch(_made(settings, all_of_them)[number], target)


def compile_all(
    targets: tuple[int, ...],
    processes: int = PROCESSES,
    sweep: tuple[Settings, ...] = (),
) -> Iterator[Compiled]:
    """All kernels for the default settings, then those of ordered random coding for others."""
    with ProcessPoolExecutor(processes, get_context("forkserver")) as pool:
        jobs = [
            pool.submit(_compile_one, settings, all_of_them, number, target)
            for settings, all_of_them in [(Settings(), True), *((s, False) for s in sweep)]
            for target in targets
            for number in range(len(_made(settings, all_of_them)))
        ]
        for job in jobs:
            yield job.result()


def compile_only(targets: tuple[int, ...]) -> int:
    """Print a line for each kernel and target; return the exit status: 1 if one spills.

    Raises InputError for a target that is too old, and if a kernel does not compile.
    """
    oldest = 10 * OLDEST_CAPABILITY[0] + OLDEST_CAPABILITY[1]
    if min(targets) < oldest:
        raise InputError(f"--targets {min(targets)}: need {oldest} or above (90 for 9.0)")
    print(f"Triton {triton.__version__}, {asdict(Settings())}\n{HEADING}", flush=True)
    spilling, count, started = [], 0, time.perf_counter()
    try:
        for compiled in compile_all(targets):
            print(compiled.line, flush=True)
            count += 1
            if compiled.spills or compiled.stack_bytes:
                spilling.append(f"{compiled.kernel} (sm_{compiled.target})")
    except (TritonError, BrokenProcessPool) as error:
        lines = [line for line in str(error).splitlines() if line.strip(" =")]
        raise InputError(f"a kernel does not compile: {' '.join(lines[:3])}") from error
    print(f"{count} kernels in {time.perf_counter() - started:.0f} s")
    if spilling:
        print(f"registers spill: {'; '.join(spilling)}", file=sys.stderr)
    return 1 if spilling else 0


def compiling(run: Run) -> Iterator[Row]:
    """Report registers of all kernels on this GPU, which then are in Triton's cache."""
    major, minor = torch.cuda.get_device_capability()
    sweep = tuple(swept(1)[:QUICK_SWEEP] if run.quick else swept(1))
    for compiled in compile_all((10 * major + minor,), usable_cpus(), sweep):
        yield Row(
            compiled.kernel,
            compiled.registers,
            "registers",
            note=f"{compiled.instructions} instructions, {compiled.shared_bytes} B shared, "
            f"{compiled.spills} spills, {compiled.seconds:.1f} s",
        )
