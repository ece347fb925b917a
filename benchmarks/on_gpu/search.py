"""The search: equality of codes, rates, settings, and a profile."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from types import ModuleType

import torch
import torch.profiler

from on_gpu.rows import DIFFERENT, Row, Run
from on_gpu.settings import QUICK_SWEEP, swept
from recvae.rec import ALGORITHMS, DiagonalGaussian, Partition, PartitionedCoder, Setting
from recvae.rec.code import SearchResult
from recvae.rec.proposal import propose
from recvae.rec.randomness import key_tensor, private_key, shared_key
from recvae.rec.search import BACKENDS, BestCandidates, SearchInputs, StoppingRule
from recvae.rec.search.triton.backend import search as triton_search

BENCHMARKS = Path(__file__).parents[1]
CUT = (4,) * 12 + (1,) * 4
FEW_CUT = (4, 2, 3, 1)
SCALE = 0.4
BATCH, CANDIDATES = 4096, 1 << 12
REPEATS, SECONDS = 7, 1.0
"""Limits of a measurement, which ends with the first reached."""

CHUNK_ELEMENTS = 1 << 20
"""The coders' default."""

MOST = 1 << 33
"""Candidate-dimensions for each row of the grid."""


@dataclass(frozen=True)
class Case:
    """A search.

    Args:
        algorithm: its name.
        intervals: those of its partition.
        batch: number of items.
        candidates: N, or the cap.
    """

    algorithm: str
    intervals: tuple[int, ...]
    batch: int
    candidates: int

    def coder(self, implementation: str = "triton") -> PartitionedCoder:
        """The coder of the algorithm."""
        setting = Setting(Partition(self.intervals), self.candidates)
        made = ALGORITHMS[self.algorithm].coder(setting)
        assert isinstance(made, PartitionedCoder)
        return replace(made, implementation=implementation)

    def target(self, device: str) -> DiagonalGaussian:
        """Posteriors of 1.3 bits a dimension, their means from a fixed seed."""
        shape = (self.batch, len(self.intervals))
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return DiagonalGaussian((0.9 * noise).to(device), torch.full(shape, SCALE, device=device))

    def search(self, device: str, implementation: str = "triton") -> Callable[[], SearchResult]:
        """A function that searches as a user would."""
        coder, target = self.coder(implementation), self.target(device)
        key = torch.arange(self.batch, device=device)
        return lambda: coder.search(target, key, torch.Generator().manual_seed(1))

    def inputs(self, device: str) -> tuple[SearchInputs, StoppingRule]:
        """The inputs for a backend."""
        coder, target = self.coder(), self.target(device)
        keys = key_tensor(torch.arange(self.batch, device=device), self.batch, target.mean.device)
        private = private_key(keys, coder.block, torch.Generator().manual_seed(1))
        proposal = propose(target, coder.partition, coder.proposal_weights)
        shared = shared_key(keys, coder.block)
        inputs = SearchInputs(proposal, private, shared, coder.arrivals, coder.limit)
        return inputs, coder.rule(target, proposal)

    @property
    def candidate_dimensions(self) -> int:
        """Candidate-dimensions of all items if no search ends early."""
        return self.batch * self.candidates * len(self.intervals)

    def row(self, value: float | str, unit: str = "", note: str = "", name: str = "") -> Row:
        """A row about this search."""
        return Row(name or self.algorithm, value, unit, self.batch, self.candidates, note)


def seconds(call: Callable[[], object], run: Run) -> float:
    """Median seconds of several calls; the caller has run one before to compile."""
    times: list[float] = []
    while not times or (len(times) < REPEATS and sum(times) < SECONDS and not run.dry):
        times.append(_seconds_once(call, run.device))
    return median(times)


def _seconds_once(call: Callable[[], object], device: str) -> float:
    if device != "cuda":
        started = perf_counter()
        call()
        return perf_counter() - started
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def rate(case: Case, run: Run, implementation: str = "triton") -> float:
    """Candidate-dimensions a second, in billions."""
    search = case.search(run.device, implementation)
    drawn = int(search().num_drawn.sum())
    return drawn * len(case.intervals) / seconds(search, run) / 1e9


def from_tests(name: str) -> ModuleType:
    """Import a module of the tests; else benchmarks/rec.py would hide their folder `rec`."""
    rest = [path for path in sys.path if Path(path).resolve() != BENCHMARKS]
    sys.path[:] = [str(BENCHMARKS.parent / "tests"), *rest]
    return import_module(name)


def codes(run: Run) -> Iterator[Row]:
    """Compare codes with those of eager torch on the same device, and of numba on the CPU."""
    suite = from_tests("rec.backends")
    names = suite.served("triton", run.device)
    for name in names[:: 9 if run.dry else 1]:
        try:
            suite.check("triton", suite.SEARCHES[name](), run.device)
            yield Row(name, "equal", note="the tests' suite: bins, ranks, scores as eager")
        except AssertionError as error:
            yield Row(name, DIFFERENT, note=str(error).split("\n")[0])
    for case in _cases(run):
        inputs, rule = case.inputs(run.device)  # only once, as sums on a GPU may vary between runs
        expected, found = (_found(name, inputs, rule) for name in ("eager", "triton"))
        same, on_cpu = _same(expected, found), _same(_found("numba", *case.inputs("cpu")), found)
        yield case.row(
            "equal" if same == 1 else f"{DIFFERENT}: {1 - same:.4%} of items",
            note=f"{on_cpu:.4%} of items as numba on the CPU",
        )


def _found(backend: str, inputs: SearchInputs, rule: StoppingRule) -> BestCandidates:
    return BACKENDS[backend].search(inputs, rule, CHUNK_ELEMENTS)


def _same(one: BestCandidates, other: BestCandidates) -> float:
    """The share of items with the same code and number of candidates."""
    same = torch.ones(len(one.bins), dtype=torch.bool)
    for field in ("bins", "ranks", "num_drawn"):
        same &= (getattr(one, field).cpu() == getattr(other, field).cpu()).reshape(len(same))
    return float(same.double().mean())


def _cases(run: Run) -> Iterator[Case]:
    sizes = [(1, 1 << 16), (1, 4097), (16, 1000), (256, 4095), (BATCH, CANDIDATES)]
    if run.dry:
        sizes = [(3, 65)]
    for (algorithm, intervals), (batch, candidates) in product(
        (("partitioned ORC", CUT), ("ORC", (1,) * 16), ("MRC", (1,) * 16)), sizes
    ):
        yield Case(algorithm, intervals, batch, candidates)
    yield from _exact(2 if run.dry else 256, 1 << 7 if run.dry else 1 << 16)


def _exact(batch: int, cap: int) -> Iterator[Case]:
    """Searches that end on their own."""
    for algorithm in ("PFR", "GPRS"):
        yield Case(algorithm, (1,) * 4, batch, cap)
    for weights in ("sup", "mass"):
        yield Case(f"partitioned PFR, {weights}", FEW_CUT, batch, cap)


def _both(batch: int, candidates: int) -> Iterator[Case]:
    yield Case("partitioned ORC", CUT, batch, candidates)
    yield Case("ORC", (1,) * 16, batch, candidates)


def eager(run: Run) -> Iterator[Row]:
    """Measure the rate of eager torch on the same device."""
    for batch in (2,) if run.dry else (256,) if run.quick else (256, BATCH):
        for case in _both(batch, 64 if run.dry else CANDIDATES):
            yield case.row(rate(case, run, "eager"), "G/s")


def sweep(run: Run) -> Iterator[Row]:
    """Measure rates of the kernel alone with several settings, and compare their results."""
    processors = 1 if run.dry else torch.cuda.get_device_properties(0).multi_processor_count
    chosen = swept(processors)[: 2 if run.dry else QUICK_SWEEP if run.quick else None]
    for case in _both(2 if run.dry else BATCH, 64 if run.dry else CANDIDATES):
        inputs, rule = case.inputs(run.device)
        first = triton_search(inputs, rule, chosen[0])
        for settings in chosen:
            search = partial(triton_search, inputs, rule, settings)
            found = search()
            same = torch.equal(found.bins, first.bins) and torch.equal(found.ranks, first.ranks)
            yield case.row(
                case.candidate_dimensions / seconds(search, run) / 1e9 if same else DIFFERENT,
                "G/s",
                f"block {settings.block}, {settings.warps} warps, {settings.registers} registers, "
                f"{settings.programs} programs",
            )


def grid(run: Run) -> Iterator[Row]:
    """Measure rates of the whole search over batches and N, beside torch.randn of the same size."""
    batches, log2_candidates = [BATCH, 1, 16, 256, 65536], [12, 8, 16, 20]
    if run.quick:
        batches, log2_candidates = [BATCH, 1, 256], [12, 8]
    if run.dry:
        batches, log2_candidates = [1, 3], [5, 6]
    for batch, log2 in product(batches, log2_candidates):
        size = (batch << log2) * 16
        if size <= MOST:
            for case in _both(batch, 1 << log2):
                yield case.row(rate(case, run), "G/s")
            yield Row("torch.randn", _randn_rate(size, run), "G/s", batch, 1 << log2)


def _randn_rate(size: int, run: Run) -> float:
    """Normal numbers a second, in billions, drawing at most 2^28."""
    count = min(size, 1 << 28)
    draw = partial(torch.randn, count, device=run.device)
    draw()
    return count / seconds(draw, run) / 1e9


def rules(run: Run) -> Iterator[Row]:
    """Measure rates of kernels alone whose searches end on their own, by candidates drawn."""
    for case in _exact(2 if run.dry else 256, 1 << 7 if run.dry else 1 << 16):
        search = partial(triton_search, *case.inputs(run.device))
        drawn = int(search().num_drawn.sum())
        yield case.row(drawn * len(case.intervals) / seconds(search, run) / 1e9, "G/s")


def profile(run: Run) -> Iterator[Row]:
    """Profile the kernels of one search."""
    case = next(_both(2 if run.dry else BATCH, 64 if run.dry else CANDIDATES))
    search = case.search(run.device)
    search()
    kinds = torch.profiler.ProfilerActivity
    activities = [kinds.CPU if run.dry else kinds.CUDA]
    with torch.profiler.profile(activities=activities) as measured:
        search()
        if not run.dry:
            torch.cuda.synchronize()
    times = {
        event.key: (event.self_cpu_time_total if run.dry else event.self_device_time_total) / 1e3
        for event in measured.key_averages()
    }
    total = sum(times.values())
    for name, ms in sorted(times.items(), key=lambda item: -item[1])[:4]:
        yield case.row(ms, "ms", name=name[:60], note=f"{ms / total:.0%} of {total:.3g} ms")
