"""Distributes items over a GPU: one program an item, or several if there are few items."""

from dataclasses import replace

import torch

from recvae.errors import is_out_of_memory
from recvae.rec.search.dispatch import BackendFailure
from recvae.rec.search.inputs import (
    BestCandidates,
    Race,
    SearchInputs,
    StoppingRule,
    item_slices,
)
from recvae.rec.search.ranks import rank_within_bin
from recvae.rec.search.triton.kernel import Given
from recvae.rec.search.triton.launch import (
    Arguments,
    Settings,
    Slots,
    draw_candidates,
    search_rows,
)

PROGRAMS_A_PROCESSOR = 8  # with 128 registers a thread
FIRST_LOG2_SLOTS, MORE_LOG2_SLOTS = 12, 4


def default_settings(device: torch.device) -> Settings:
    """Settings with as many programs as run at a time."""
    if device.type != "cuda":
        return Settings()
    properties = torch.cuda.get_device_properties(device)
    warps = Settings.block // properties.warp_size
    return Settings(warps=warps, programs=PROGRAMS_A_PROCESSOR * properties.multi_processor_count)


def search(
    inputs: SearchInputs, rule: StoppingRule, settings: Settings | None = None
) -> BestCandidates:
    """Find the codes of `eager.search`, for a rule that the kernels know.

    If memory does not suffice for all items, they are searched in halves.

    Raises:
        BackendFailure: if a kernel cannot be compiled or launched.
    """
    batch = inputs.batch
    if not batch:
        return BestCandidates.nothing(0, rule.keep, inputs.device)
    settings = settings or default_settings(inputs.device)
    try:
        with torch.cuda.device_of(inputs.proposal.base):
            return _search(inputs, rule, settings)
    except Exception as error:  # from Triton, the C compiler it calls, drivers, its cache
        if not is_out_of_memory(error):
            raise BackendFailure.of(error) from error
        if batch == 1:
            raise
    halves = (slice(0, batch // 2), slice(batch // 2, batch))
    return BestCandidates.joined([search(inputs[h], rule[h], settings) for h in halves])


def _search(inputs: SearchInputs, rule: StoppingRule, settings: Settings) -> BestCandidates:
    slots = first_slots(inputs, rule, settings)
    programs = inputs.batch
    if inputs.proposal.partition.cut_dimensions:
        programs = min(programs, settings.table_bytes // slots.bytes)
    if isinstance(rule, Race) and 2 * programs <= settings.programs:
        slices = item_slices(inputs.batch, inputs.max_candidates, settings.split_candidates)
        candidates = min(inputs.batch * inputs.max_candidates, settings.split_candidates)
        chunk = max(settings.shortest_chunk, -(-candidates // settings.programs))
        if chunk < inputs.max_candidates:
            parts = [_search_in_chunks(inputs[items], rule, settings, chunk) for items in slices]
            return BestCandidates.joined(parts)
    return _search_whole(inputs, rule, settings, slots)


def first_slots(inputs: SearchInputs, rule: StoppingRule, settings: Settings) -> Slots:
    """The initial hash table: large enough for a race, or for all existing bins."""
    log2_count = _log2_slots(inputs.max_candidates, settings)
    if not isinstance(rule, Race):
        log2_count = min(log2_count, FIRST_LOG2_SLOTS)
    log2_bins = (inputs.proposal.partition.num_bins - 1).bit_length()
    return Slots(log2_bins, direct=True) if log2_bins <= log2_count else Slots(log2_count)


def _log2_slots(candidates: int, settings: Settings) -> int:
    """log2 of the slots of a table that `candidates` candidates never fill."""
    return (2 * (candidates + 2 * settings.block) - 1).bit_length()


def _search_whole(
    inputs: SearchInputs, rule: StoppingRule, settings: Settings, slots: Slots
) -> BestCandidates:
    """Use one program an item; restart items whose hash table fills with a larger one."""
    found, full = search_rows(Arguments.of(inputs, rule), settings, slots)
    most = _log2_slots(inputs.max_candidates, settings)
    while not isinstance(rule, Race) and bool(full.any()):
        slots = replace(slots, log2_count=min(slots.log2_count + MORE_LOG2_SLOTS, most))
        items = torch.nonzero(full)[:, 0]
        again, full[items] = search_rows(Arguments.of(inputs[items], rule[items]), settings, slots)
        found.put(items, again)
    return found


def _search_in_chunks(
    inputs: SearchInputs, rule: Race, settings: Settings, chunk: int
) -> BestCandidates:
    """Use one program a chunk: first all times and bins, then ranks, then each chunk's best."""
    chunk = -(-chunk // settings.block) * settings.block
    arguments = Arguments.of(inputs, rule)
    times, bins = draw_candidates(arguments, settings, chunk)
    if inputs.arrivals != "unordered":
        times = torch.cumsum(times, dim=1)
    ranks = times if bins is None else rank_within_bin(bins)
    rows, _ = search_rows(arguments, settings, chunk=chunk, given=Given(times, ranks))
    # In order of arrival, so that ties go to the earlier one.
    scores, bins, ranks = (
        field.reshape(inputs.batch, -1) for field in (rows.scores, rows.bins, rows.ranks)
    )
    scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
    best = order[:, : rule.keep]
    drawn = torch.full_like(best[:, 0], inputs.max_candidates)
    return BestCandidates(
        bins.gather(1, best),
        ranks.gather(1, best),
        scores[:, : rule.keep],
        drawn,
        torch.zeros_like(drawn, dtype=torch.bool),
    )
