"""The search and the codec on a GPU: equality of codes, rates, round trips of files.

    python benchmarks/gpu.py [--quick] [--out results/gpu]
    python benchmarks/gpu.py --compile-only [--targets 80 90 120]
    python benchmarks/gpu.py --dry-run [--out DIR]

The first takes less than 8 minutes on a CUDA GPU and writes CARD.md, CARD.csv and CARD.svg, named
after the card. Steps run in separate processes, each with a time limit: one that fails becomes a
line of the report, and the others continue. The exit status is 1 if one failed or a code differs.

--compile-only needs no GPU: it compiles all kernels for some compute capabilities and prints their
resources; the exit status is 1 if registers spill. --dry-run needs none either: it runs all steps
at toy sizes, with kernels in Triton's interpreter.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence

from on_gpu.rows import Row, Run
from on_gpu.stepping import Step, preload, rows_of

from recvae.errors import InputError
from recvae.program import run_program

TARGETS = (80, 90, 120)
LIMIT_S = 460
"""Time for all steps together; files are written after them."""

STEPS = (
    Step("machine", "on_gpu.machine", 30),
    Step("compiling", "on_gpu.compiling", 80, dry=False),
    Step("codes", "on_gpu.search", 90),
    Step("grid", "on_gpu.search", 70),
    Step("eager", "on_gpu.search", 40),
    Step("codec", "on_gpu.codec", 70),
    Step("sweep", "on_gpu.search", 70),
    Step("rules", "on_gpu.search", 30),
    Step("profile", "on_gpu.search", 30),
    Step("golden", "on_gpu.codec", 60),
    Step("sanitizer", "on_gpu.machine", 60, dry=False),
)
"""The most important steps come first, in case time runs out."""


def all_rows(run: Run, names: Sequence[str]) -> Iterator[Row]:
    """Rows of the steps with these names, as they come, and of the first, which names the card."""
    end = time.monotonic() + LIMIT_S
    for step in STEPS:
        if step.name in (STEPS[0].name, *names) and (step.dry or not run.dry):
            limit_s = min(step.limit_s, end - time.monotonic())
            if limit_s > 0:
                yield from rows_of(step, run, limit_s)
            else:
                yield Row("left out", "no time was left", step=step.name)


def measure(run: Run, names: Sequence[str], out: str) -> int:
    """Print rows as they come and write the report; return the exit status."""
    from on_gpu.machine import CARD
    from on_gpu.report import failures, target_lines, write_report

    from recvae.experiments.running import output_folder

    folder, rows = output_folder(out), []
    preload()
    for row in all_rows(run, names):
        rows.append(row)
        size = f"{row.batch:>6} {row.candidates:>8}" if row.batch else ""
        value = row.value if isinstance(row.value, str) else f"{row.value:,.4g} {row.unit}"
        print(f"{row.step:<9} {row.name:<44} {size:<15} {value}  {row.note}".rstrip(), flush=True)
    card = next((str(row.value) for row in rows if row.name == CARD), "unknown")
    if len(names) < len(STEPS):
        card += ", part"  # preserves the files of a whole run
    paths = write_report(folder, card, rows, run.dry)
    for name, floor, goal, reached in target_lines(rows, run.dry):
        print(f"{name}: floor {floor}, goal {goal}, reached {reached}")
    print(f"wrote {', '.join(map(str, paths))}")
    for line in (wrong := failures(rows)):
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer sizes and settings")
    names = [step.name for step in STEPS]
    parser.add_argument(
        "--steps", nargs="+", default=names, choices=names, metavar="NAME",
        help=f"only these steps, out of {', '.join(names)}",
    )  # fmt: skip
    parser.add_argument("--out", default="results/gpu", help="folder (default: results/gpu)")
    parser.add_argument("--compile-only", action="store_true", help="only compile all kernels")
    parser.add_argument(
        "--targets", nargs="+", type=int, default=TARGETS, help="compute capabilities such as 90"
    )
    parser.add_argument("--dry-run", action="store_true", help="toy sizes, without a GPU")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    options = _options(arguments)
    if options.compile_only:
        # The kernels are imported here, since a dry run must set the interpreter first.
        from on_gpu.compiling import compile_only

        return compile_only(tuple(options.targets))
    if options.dry_run:
        os.environ["TRITON_INTERPRET"] = "1"
        return measure(Run("cpu", quick=True), options.steps, options.out)
    import torch

    if not torch.cuda.is_available():
        raise InputError("torch finds no GPU here: choose --dry-run or --compile-only")
    return measure(Run("cuda", options.quick), options.steps, options.out)


if __name__ == "__main__":
    sys.exit(run_program("gpu.py", main))
