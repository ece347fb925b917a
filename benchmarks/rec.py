"""Speed of the searches of `recvae.rec`, relative to torch.randn on the same machine.

    python benchmarks/rec.py [--quick] [--only NAME]

Prints millions of candidate-dimensions a second for each way to search, and the ratio to the rate
of torch.randn (float32, all cores), measured alternately in the same run, best of several; then
peak memory. 16 dimensions; the partition has 24 bits in 12 of them.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from recvae.rec import (
    ALGORITHMS,
    Coder,
    DiagonalGaussian,
    Partition,
    PartitionedCoder,
    Setting,
)

DIM = 16
SCALE = 0.4
PARTITION = Partition((4,) * 12 + (1,) * 4)
BATCHES = (1, 16, 256, 4096)
LOG2_CANDIDATES = (8, 12, 16, 20)
MAX_CANDIDATE_DIMENSIONS = 1 << 33
SECONDS = 2.0
"""Time limit of a measurement, which has at least one run."""


def targets(batch: int) -> DiagonalGaussian:
    """Posteriors with 21 bits, their means from a fixed seed."""
    noise = torch.randn((batch, DIM), generator=torch.Generator().manual_seed(0))
    return DiagonalGaussian(0.9 * noise, torch.full((batch, DIM), SCALE))


def seconds(call: Callable[[], object]) -> float:
    """Seconds of the fastest of some calls."""
    call()
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def randn_rate() -> float:
    """Measure normal numbers a second."""
    return (1 << 24) / seconds(lambda: torch.randn(1 << 24))


def search_rate(searching: Coder, batch: int, key: int | torch.Tensor) -> float:
    """Measure candidate-dimensions a second."""
    target = targets(batch)
    drawn = 0.0

    def search() -> None:
        nonlocal drawn
        found = searching.search(target, key, torch.Generator().manual_seed(1))
        # Candidates of all dimensions, or one search a dimension.
        drawn = float(found.num_drawn.sum()) * DIM / found.num_drawn[0].numel()

    duration = seconds(search)
    return drawn / duration


def coder(name: str, num_candidates: int | None, implementation: str = "auto") -> Coder:
    """The algorithm of this name, with a partition if it takes one."""
    algorithm = ALGORITHMS[name]
    partition = PARTITION if algorithm.partitioned else Partition.none(DIM)
    made = algorithm.coder(Setting(partition, num_candidates, scale=(SCALE,) * DIM))
    if isinstance(made, PartitionedCoder):
        return replace(made, implementation=implementation)
    return made


def rows(log2_candidates: int) -> dict[str, tuple[Coder, bool]]:
    """Coders that draw 2^log2_candidates, and whether all items share one key."""
    n = 1 << log2_candidates
    made = {"ORC, one key for all (matrix product)": (coder("ORC", n), True)}
    for name, algorithm in ALGORITHMS.items():
        if algorithm.per_dimension:
            made[f"{name}, to its end"] = coder(name, None), False
        else:
            end = ", to its end or cap" if algorithm.exact else ""
            made[f"{name}, numba{end}"] = coder(name, n, "numba"), False
    for name in ("ORC", "partitioned ORC"):
        made[f"{name}, eager"] = coder(name, n, "eager"), False
    return made


def report(name: str, batch: int, log2_candidates: int) -> None:
    """Print one line: rate, and ratio to torch.randn measured just before and after."""
    searching, one_key = rows(log2_candidates)[name]
    key = 7 if one_key else torch.arange(batch)
    before = randn_rate()
    rate = search_rate(searching, batch, key)
    normal = (before + randn_rate()) / 2
    print(
        f"{name:<40} {batch:>6} 2^{log2_candidates:<3} {rate / 1e6:>10.1f} {rate / normal:>8.2f}",
        flush=True,
    )


def peak_memory_mb(name: str, batch: int, log2_candidates: int) -> float:
    """Peak memory of a search above that of its process after a small one (Linux)."""
    program = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); import rec\n"
        "coder, one = rec.rows(int(sys.argv[4]))[sys.argv[2]]\n"
        "small, _ = rec.rows(8)[sys.argv[2]]\n"
        "search = lambda c, b: c.search(rec.targets(b), 7 if one else torch.arange(b),"
        " torch.Generator())\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "search(small, 2); open('/proc/self/clear_refs', 'w').write('5')\n"
        "before = peak(); search(coder, int(sys.argv[3])); print((peak() - before) / 1024)"
    )
    arguments = [str(Path(__file__).parent), name, str(batch), str(log2_candidates)]
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return float(found.stdout)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="batch 256, N = 2^12 only")
    parser.add_argument("--only", help="only rows whose name starts with this")
    options = parser.parse_args()
    quick, only = options.quick, options.only or ""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"torch.randn: {randn_rate() / 1e6:.1f} million a second\n")
    print(f"{'search':<40} {'batch':>6} {'N':<5} {'million/s':>10} {'/ randn':>8}")
    for name in filter(lambda name: name.startswith(only), rows(12)):
        for batch in (256,) if quick else BATCHES:
            for log2_candidates in (12,) if quick else LOG2_CANDIDATES:
                size = (batch << log2_candidates) * DIM
                eager_too_long = "eager" in name and size > 1 << 28
                if size <= MAX_CANDIDATE_DIMENSIONS and not eager_too_long:
                    report(name, batch, log2_candidates)
    print(f"\n{'peak memory of a search, MB':<40} {'batch':>6} {'N':<5}")
    for name in ("ORC, numba", "ORC, one key for all (matrix product)", "partitioned ORC, numba"):
        for batch, log2_candidates in ((256, 8), (256, 12), (256, 16), (256, 20), (4096, 12)):
            if not quick or log2_candidates == 12:
                peak = peak_memory_mb(name, batch, log2_candidates)
                print(f"{name:<40} {batch:>6} 2^{log2_candidates:<3} {peak:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
