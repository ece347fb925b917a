"""Converts a search's inputs to the kernels' arguments, and back to each row's results."""

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from torch.nn.functional import pad

from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
)
from recvae.rec.search.screening import screening_terms
from recvae.rec.search.triton import kernel
from recvae.rec.search.triton.kernel import Given, Items, Plan
from recvae.rec.search.triton.plan import digit_words, plan_table, quantile_table
from recvae.rec.search.triton.scores import HEAD

ARRIVALS = {"ordered": 0, "unordered": 1, "poisson": 2}
RULES = {Race: 0, RaceToEnd: 1, FirstAccepted: 2}

MAX_BLOCK = 64
SLOT_BYTES = 32
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)


@dataclass(frozen=True)
class Settings:
    """Launch settings of the kernels; none of them changes a code.

    Args:
        block: candidates a tile, a power of two; at most 64, the bits of a tile's members.
        warps: warps of 32 threads a program; no more threads than candidates.
        programs: number of programs that run at a time, each on one row after another.
        registers: maximum registers of a thread.
        more_registers: the same, for kernels that keep several winners or have two digit words.
        table_bytes: maximum size of the hash tables of all programs.
        shortest_chunk: minimum candidates of the chunks that items are cut into.
        split_candidates: maximum candidates held in memory when items are cut into chunks.
    """

    block: int = 64
    warps: int = 2
    programs: int = 2048
    registers: int = 128
    more_registers: int = 168
    table_bytes: int = 1 << 30
    shortest_chunk: int = 1024
    split_candidates: int = 1 << 24

    def __post_init__(self) -> None:
        if self.block > MAX_BLOCK or 32 * self.warps > self.block:
            given = f"block {self.block}, warps {self.warps}"
            raise ValueError(f"settings: got {given}, need 32 warps <= block <= {MAX_BLOCK}")

    def options(self, keep: int, digits: int) -> dict[str, Any]:
        """Compiler options of a launch."""
        options: dict[str, Any] = {"num_warps": self.warps, "enable_fp_fusion": False}
        if torch.version.hip is None:
            few = keep == 1 and digits < 2
            options["maxnreg"] = self.registers if few else self.more_registers
        return options


@dataclass(frozen=True)
class Slots:
    """The hash table of a program.

    Args:
        log2_count: log2 of its number of slots.
        direct: whether each bin has its own slot.
    """

    log2_count: int
    direct: bool = False

    @property
    def bytes(self) -> int:
        """Its size in bytes."""
        return SLOT_BYTES << self.log2_count

    def room(self, block: int) -> int:
        """The number of slots that may be taken between tiles."""
        return 1 << self.log2_count if self.direct else (1 << self.log2_count - 1) - block


NO_SLOTS = Slots(0, direct=True)


@dataclass(frozen=True)
class Arguments:
    """A search's tensors in the form for kernels."""

    inputs: SearchInputs
    rule: StoppingRule
    plan: Plan
    items: Items
    digits: int

    @staticmethod
    def of(inputs: SearchInputs, rule: StoppingRule) -> "Arguments":
        """Make them from inputs and a rule that the kernels know."""
        partition, device = inputs.proposal.partition, inputs.device
        plan = Plan(plan_table(partition, device), quantile_table(device))
        return Arguments(inputs, rule, plan, _items(inputs, rule), digit_words(partition))

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of columns: intervals, dimensions, and dimensions that are cut."""
        proposal = self.inputs.proposal
        cut = len(proposal.partition.cut_dimensions)
        return {"total": proposal.bin_cdf.shape[1], "dim": proposal.partition.dim, "cut": cut}


@dataclass(frozen=True)
class Launch:
    """A kernel with everything it needs to run.

    Args:
        kernel: the kernel.
        grid: number of programs along each axis.
        arguments: by name; tensors, integers and named tuples of tensors.
        constants: by name, compile-time constants.
        options: compiler options.
    """

    kernel: Any
    grid: tuple[int, ...]
    arguments: dict[str, Any]
    constants: dict[str, int]
    options: dict[str, Any]

    def run(self) -> None:
        """Launch it on the tensors' device."""
        self.kernel[self.grid](**self.arguments, **self.constants, **self.options)


def search_rows(
    arguments: Arguments,
    settings: Settings,
    slots: Slots = NO_SLOTS,
    chunk: int | None = None,
    given: Given | None = None,
) -> tuple[BestCandidates, Tensor]:
    """Search items, or chunks of them if times and ranks are given.

    Returns the results of each row, (items * chunks,), and whether its table was too small.
    """
    launch = search_launch(arguments, settings, slots, chunk, given)
    launch.run()
    best, num_drawn, outcome = (launch.arguments[n] for n in ("best", "num_drawn", "outcome"))
    scores, bins, ranks = best.unbind(1)
    capped = (outcome == kernel.CAPPED) & (not isinstance(arguments.rule, Race))
    found = BestCandidates(bins, ranks, scores.view(torch.float64), num_drawn, capped)
    return found, outcome == kernel.TABLE_FULL


def search_launch(
    arguments: Arguments,
    settings: Settings,
    slots: Slots = NO_SLOTS,
    chunk: int | None = None,
    given: Given | None = None,
) -> Launch:
    """The launch of `search_rows`."""
    inputs, rule, digits = arguments.inputs, arguments.rule, arguments.digits
    device, limit, keep = inputs.device, inputs.max_candidates, rule.keep
    chunks = -(-limit // (chunk or limit))
    rows = inputs.batch * chunks
    programs = min(rows, settings.programs)
    table_bytes = 0
    if digits and given is None:
        programs = max(1, min(programs, settings.table_bytes // slots.bytes))
        table_bytes = programs * slots.bytes
    # Zeros, as a slot has no members between tiles.
    table = torch.zeros(table_bytes // 8, dtype=torch.int64, device=device)
    return Launch(
        kernel.search_rows,
        (programs,),
        {
            "best": torch.empty((rows, 3, keep), dtype=torch.int64, device=device),
            "num_drawn": torch.empty(rows, dtype=torch.int64, device=device),
            "outcome": torch.empty(rows, dtype=torch.int32, device=device),
            "plan": arguments.plan,
            "items": arguments.items,
            "table": table,
            "given": given or Given(table, table),
            "rows": rows,
            "chunks": chunks,
            "chunk": chunk or limit,
            "num_candidates": limit,
            **arguments.sizes,
            "keep": keep,
            "nodes": rule.stretch.table.shape[1] if isinstance(rule, FirstAccepted) else 0,
            "slots": 1 << slots.log2_count,
            "room": slots.room(settings.block),
            "factor": 1 if slots.direct else _GOLDEN,
            "shift": 0 if slots.direct else 64 - slots.log2_count,
        },
        {
            "RULE": RULES[type(rule)],
            # With given times one kernel serves all arrivals.
            "ARRIVALS": 0 if given else ARRIVALS[inputs.arrivals],
            "DIGIT_WORDS": digits,
            "GIVEN": given is not None,
            "KEEP": triton.next_power_of_2(keep),
            "BLOCK": settings.block,
        },
        settings.options(keep, digits),
    )


def draw_candidates(
    arguments: Arguments, settings: Settings, chunk: int
) -> tuple[Tensor, Tensor | None]:
    """Draw times since the previous candidate, and bins if partitioned, (items, N) int64."""
    launch = draw_launch(arguments, settings, chunk)
    launch.run()
    since, bins = launch.arguments["since"], launch.arguments["bins"]
    return since, bins if arguments.digits else None


def draw_launch(arguments: Arguments, settings: Settings, chunk: int) -> Launch:
    """The launch of `draw_candidates`."""
    inputs, digits = arguments.inputs, arguments.digits
    shape = (inputs.batch, inputs.max_candidates)
    since = torch.empty(shape, dtype=torch.int64, device=inputs.device)
    return Launch(
        kernel.draw_candidates,
        (inputs.batch, -(-inputs.max_candidates // chunk)),
        {
            "since": since,
            "bins": torch.empty_like(since) if digits else since,
            "plan": arguments.plan,
            "items": arguments.items,
            "num_candidates": inputs.max_candidates,
            **arguments.sizes,
            "chunk": chunk,
        },
        {
            "ARRIVALS": ARRIVALS[inputs.arrivals],
            "DIGIT_WORDS": digits,
            "BLOCK": settings.block,
        },
        settings.options(1, digits),
    )


def _items(inputs: SearchInputs, rule: StoppingRule) -> Items:
    """The data of each item."""
    proposal = inputs.proposal
    screen_terms, error = screening_terms(proposal)
    edges = proposal.bin_cdf.to(torch.int32)  # the low half: from the dimension's first edge
    padding = 3 * (-proposal.partition.dim % 4)
    singles = (pad(screen_terms.flatten(1), (0, padding)), proposal.step_bits.float())
    head = torch.zeros((inputs.batch, HEAD.value), dtype=torch.float64, device=inputs.device)
    head[:, 0], head[:, 1] = proposal.base, error
    sigma = head
    if isinstance(rule, RaceToEnd):
        head[:, 2] = rule.log2_sup
    if isinstance(rule, FirstAccepted):
        stretch, row = rule.stretch, rule.stretch.row
        head[:, 3], head[:, 4], head[:, 5] = stretch.bottom[row], stretch.step[row], row
        sigma = stretch.table.contiguous()
    terms = torch.stack([proposal.center, proposal.quadratic, proposal.linear], dim=2).flatten(1)
    return Items(
        torch.stack([*inputs.private, *inputs.shared], dim=1),
        torch.cat([*(part.contiguous().view(torch.int32) for part in singles), edges], dim=1),
        torch.cat([head, terms, proposal.step_bits], dim=1),
        sigma,
    )
