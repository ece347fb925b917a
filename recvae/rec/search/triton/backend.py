"""From a search's inputs to kernels' arguments, and back to its results."""

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
    item_slices,
)
from recvae.rec.search.ranks import rank_within_bin
from recvae.rec.search.screening import screening_terms
from recvae.rec.search.triton import kernel
from recvae.rec.search.triton.kernel import Best, Given, Items, Plan, Table
from recvae.rec.search.triton.plan import partition_tables, quantile_tables

ARRIVALS = {"ordered": 0, "unordered": 1, "poisson": 2}
RULES = {Race: 0, RaceToEnd: 1, FirstAccepted: 2}

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
SLOT_BYTES = 20
FIRST_LOG2_SLOTS = 12
MORE_LOG2_SLOTS = 4


@dataclass(frozen=True)
class Settings:
    """How kernels are launched; none of it changes a code.

    Args:
        block: candidates a tile, a power of two; at most 64 where ranks are counted.
        warps: of 32 threads a program.
        programs: how many run at a time, each on one row after another.
        table_bytes: the most that the hash tables of all programs may take.
        shortest_chunk: a few items of many candidates are cut into chunks of no less.
        split_candidates: the most candidates held in memory where items are cut.
    """

    block: int = 64
    warps: int = 2
    programs: int = 2048
    table_bytes: int = 1 << 30
    shortest_chunk: int = 1024
    split_candidates: int = 1 << 24


def default_settings(device: torch.device) -> Settings:
    """Sixteen programs a multiprocessor."""
    if device.type != "cuda":
        return Settings()
    processors = torch.cuda.get_device_properties(device).multi_processor_count
    return Settings(programs=16 * processors)


def search(
    inputs: SearchInputs, rule: StoppingRule, settings: Settings | None = None
) -> BestCandidates:
    """The codes that `eager.search` finds, for a rule that the kernel knows."""
    settings = settings or default_settings(inputs.device)
    batch, limit = inputs.batch, inputs.max_candidates
    if not batch:
        return BestCandidates.nothing(0, rule.keep, inputs.device)
    if isinstance(rule, Race) and 2 * batch <= settings.programs:
        chunk = max(settings.shortest_chunk, -(-batch * limit // settings.programs))
        chunk = -(-chunk // settings.block) * settings.block
        if chunk < limit:
            slices = item_slices(batch, limit, settings.split_candidates)
            parts = [_search_in_chunks(inputs[s], rule, settings, chunk) for s in slices]
            return BestCandidates.joined(parts)
    return _search_whole(inputs, rule, settings)


def _search_whole(inputs: SearchInputs, rule: StoppingRule, settings: Settings) -> BestCandidates:
    """One program an item; those whose hash table fills start again with a larger one."""
    log2_slots, room, direct = _table_size(inputs, rule, settings)
    found, full = _launch(inputs, rule, settings, log2_slots, room, direct)
    while isinstance(rule, RaceToEnd | FirstAccepted) and bool(full.any()):
        log2_slots += MORE_LOG2_SLOTS
        room = (1 << log2_slots - 1) - settings.block
        items = torch.nonzero(full)[:, 0]
        again, still = _launch(inputs[items], rule[items], settings, log2_slots, room, direct)
        found.put(items, again)
        full[items] = still
    return found


def _table_size(
    inputs: SearchInputs, rule: StoppingRule, settings: Settings
) -> tuple[int, int, bool]:
    """log2 of the slots of a hash table; how many may be taken; whether each bin has its own."""
    partition, block = inputs.proposal.partition, settings.block
    log2_slots = (2 * (inputs.max_candidates + block) - 1).bit_length()
    if not isinstance(rule, Race):
        log2_slots = min(log2_slots, FIRST_LOG2_SLOTS)
    bins_bits = (partition.num_bins - 1).bit_length()
    if bins_bits <= log2_slots:
        return bins_bits, 1 << bins_bits, True
    return log2_slots, (1 << log2_slots - 1) - block, False


def _launch(
    inputs: SearchInputs,
    rule: StoppingRule,
    settings: Settings,
    log2_slots: int,
    room: int,
    direct: bool,
    chunk: int | None = None,
    given: Given | None = None,
) -> tuple[BestCandidates, Tensor]:
    """Runs the kernel; what each row found, and whether its table was too small."""
    device, proposal, batch = inputs.device, inputs.proposal, inputs.batch
    partition, limit = proposal.partition, inputs.max_candidates
    chunk = chunk or limit
    chunks = -(-limit // chunk)
    rows, keep = batch * chunks, rule.keep
    none = torch.empty(0, dtype=torch.int64, device=device)
    uses_table = bool(partition.cut_dimensions) and given is None
    programs = min(rows, settings.programs)
    if uses_table:
        programs = max(1, min(programs, settings.table_bytes // (SLOT_BYTES << log2_slots)))
    size = programs << log2_slots if uses_table else 0
    table = Table(
        torch.empty(size, dtype=torch.int64, device=device),
        torch.empty(size, dtype=torch.int32, device=device),
        torch.zeros(size, dtype=torch.int64, device=device),
    )
    found = BestCandidates(
        bins=torch.empty((rows, keep), dtype=torch.int64, device=device),
        ranks=torch.empty((rows, keep), dtype=torch.int64, device=device),
        scores=torch.empty((rows, keep), dtype=torch.float64, device=device),
        num_drawn=torch.empty(rows, dtype=torch.int64, device=device),
        capped=torch.empty(rows, dtype=torch.bool, device=device),
    )
    outcome = torch.empty(rows, dtype=torch.int32, device=device)
    stretch = rule.stretch if isinstance(rule, FirstAccepted) else None
    kernel.search_rows[(programs,)](
        Best(found.scores, found.bins, found.ranks),
        found.num_drawn,
        outcome,
        _plan(inputs),
        _items(inputs, rule),
        table,
        given or Given(none, none),
        rows, chunks, chunk, limit, proposal.bin_cdf.shape[1], partition.dim,
        len(partition.cut_dimensions), keep, stretch.table.shape[1] if stretch else 0,
        1 << log2_slots, room, 1 if direct else GOLDEN, 0 if direct else 64 - log2_slots,
        RULE=RULES[type(rule)],
        ARRIVALS=ARRIVALS[inputs.arrivals],
        CUT=bool(partition.cut_dimensions),
        GIVEN=given is not None,
        KEEP=triton.next_power_of_2(keep),
        BLOCK=settings.block,
        num_warps=settings.warps,
        enable_fp_fusion=False,
    )  # fmt: skip
    found.capped.copy_((outcome == kernel.CAPPED) & (not isinstance(rule, Race)))
    return found, outcome == kernel.TABLE_FULL


def _search_in_chunks(
    inputs: SearchInputs, rule: Race, settings: Settings, chunk: int
) -> BestCandidates:
    """A few items of many candidates: first all times and bins, then ranks, then the scores."""
    batch, limit, device = inputs.batch, inputs.max_candidates, inputs.device
    partition = inputs.proposal.partition
    is_cut = bool(partition.cut_dimensions)
    items, plan = _items(inputs, rule), _plan(inputs)
    times = torch.empty((batch, limit), dtype=torch.int64, device=device)
    bins = torch.empty_like(times) if is_cut else times[:0]
    kernel.draw_candidates[(batch, -(-limit // chunk))](
        times, bins, items.keys, items.edges, plan.words, limit,
        inputs.proposal.bin_cdf.shape[1], len(partition.cut_dimensions), chunk,
        ARRIVALS=ARRIVALS[inputs.arrivals], CUT=is_cut, BLOCK=settings.block,
        num_warps=settings.warps, enable_fp_fusion=False,
    )  # fmt: skip
    if inputs.arrivals != "unordered":
        times = torch.cumsum(times, dim=1)
    ranks = rank_within_bin(bins) if is_cut else bins
    rows, _ = _launch(inputs, rule, settings, 0, 0, True, chunk, Given(times, ranks))
    columns = (batch, -1)
    scores, order = torch.sort(rows.scores.view(columns), dim=1, descending=True, stable=True)
    best = order[:, : rule.keep]
    drawn = torch.full((batch,), limit, dtype=torch.int64, device=device)
    return BestCandidates(
        rows.bins.view(columns).gather(1, best),
        rows.ranks.view(columns).gather(1, best),
        scores[:, : rule.keep],
        drawn,
        torch.zeros_like(drawn, dtype=torch.bool),
    )


def _plan(inputs: SearchInputs) -> Plan:
    words, dimensions = partition_tables(inputs.proposal.partition, inputs.device)
    return Plan(words, dimensions, *quantile_tables(inputs.device))


def _items(inputs: SearchInputs, rule: StoppingRule) -> Items:
    """What each item has of its own."""
    proposal, none = inputs.proposal, torch.zeros_like(inputs.proposal.base)
    screen_terms, error = screening_terms(proposal)
    stretch = (none, none, torch.zeros_like(none, dtype=torch.int64), none)
    if isinstance(rule, FirstAccepted):
        s = rule.stretch
        stretch = (s.bottom[s.row], s.step[s.row], s.row, s.table)
    tables = (
        torch.stack([*inputs.private, *inputs.shared], dim=1),
        proposal.bin_cdf.to(torch.int32),  # the low half: from the dimension's first edge
        proposal.step_bits, proposal.step_bits.float(), proposal.base, proposal.center,
        proposal.quadratic, proposal.linear, screen_terms, error,
        rule.log2_sup if isinstance(rule, RaceToEnd) else none, *stretch,
    )  # fmt: skip
    return Items(*(table.contiguous() for table in tables))
