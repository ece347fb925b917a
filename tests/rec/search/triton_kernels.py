"""The kernels in Triton's interpreter, on tensors of the CPU, or else on a GPU.

`test_triton.py` runs this file in separate processes, since the environment selects the interpreter
before Triton is imported.
"""

import math
import subprocess

import pytest
import torch
import triton
import triton.language as tl

from rec.backends import SEARCHES, Searching, check_results
from rec.coders import random_target
from recvae.rec import DiagonalGaussian, Partition, arrivals
from recvae.rec.search import BACKENDS, Race
from recvae.rec.search.dispatch import BackendFailure
from recvae.rec.search.inputs import BestCandidates
from recvae.rec.search.triton import backend, interprets, launch, plan, winners
from recvae.rec.search.triton.draws import ROW, draw_bins, series_log2
from recvae.rec.search.triton.launch import Arguments, Settings
from recvae.rec.search.triton.scores import _place, exact, screen

DEVICE = torch.device("cpu" if interprets() else "cuda")

LONG = {
    "ORC, many dimensions",
    "one key",
    "one key, unordered",
    "partitioned ORC, 4^12",
    "partitioned PFR, mass",
    "partitioned PFR, many bins",
}


def found(searching: Searching, settings: Settings) -> BestCandidates:
    return backend.search(*searching.inputs_and_rule(DEVICE), settings)


def check(searching: Searching, settings: Settings) -> None:
    check_results(searching, found(searching, settings), DEVICE.type)


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")  # beyond float32
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in LONG else ()) for n in SEARCHES]
)
def test_codes_are_those_of_the_reference(name: str) -> None:
    searching = SEARCHES[name]()
    inputs, rule = searching.inputs_and_rule(DEVICE)
    assert BACKENDS["triton"].needs(inputs, rule) is None
    check_results(searching, BACKENDS["triton"].search(inputs, rule, 1), DEVICE.type)


FEW_PROGRAMS = Settings(programs=2, block=32, warps=1)  # several items a program, one after another

SHAPES = {
    "two words of digits": lambda: Searching(random_target(2, (2.0,) * 26), 150, (5,) * 26),
    "more than 2^16 intervals": lambda: Searching(random_target(3, (9.0, 2.0)), 150, (70_001, 3)),
    "one dimension of 2^20": lambda: Searching(random_target(2, (12.0,)), 150, (1 << 20,)),
    "items after each other": lambda: Searching(random_target(5, (2.0,) * 3), 90, (4, 3, 1)),
    "items after each other, without partition": lambda: Searching(
        random_target(5, (1.0,) * 3), 90, (1, 1, 1)
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_codes_of_other_shapes(name: str) -> None:
    searching = SHAPES[name]()
    check(searching, FEW_PROGRAMS)


CHUNKS = Settings(shortest_chunk=100, split_candidates=1000)


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("intervals", [(1, 1, 1), (4, 1, 3)])
def test_few_items_in_chunks(intervals, ordered: bool, keep: int) -> None:
    """Ranks and times are found first, over all chunks; items are processed in parts."""
    target = random_target(3, (2.0, 0.5, 1.0))
    searching = Searching(target, 430, intervals, ordered=ordered, keep=keep)
    check(searching, CHUNKS)


def test_chunks_shorter_than_what_is_kept() -> None:
    searching = Searching(random_target(2, (2.0,)), 300, (4,), keep=150)
    check(searching, CHUNKS)


def test_a_full_hash_table_is_left_for_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "FIRST_LOG2_SLOTS", 7)
    monkeypatch.setattr(backend, "MORE_LOG2_SLOTS", 1)
    sizes = []

    def search_rows(arguments, settings, slots):
        sizes.append((slots.log2_count, arguments.inputs.batch))
        return launch.search_rows(arguments, settings, slots)

    monkeypatch.setattr(backend, "search_rows", search_rows)
    searching = Searching(random_target(4, (3.0,) * 3, 2), 2000, (20, 20, 20), "end")
    check(searching, Settings(block=32, warps=1))
    assert sizes[0] == (7, 4)
    assert [size for size, _ in sizes] == list(range(7, 7 + len(sizes)))
    assert len(sizes) > 2
    assert sizes[-1][1] < 4  # those that had ended are not searched again


def test_hash_tables_do_not_outgrow_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "FIRST_LOG2_SLOTS", 7)
    sizes = []

    def search_rows(arguments, settings, slots):
        sizes.append(slots.log2_count)
        return launch.search_rows(arguments, settings, slots)

    monkeypatch.setattr(backend, "search_rows", search_rows)
    searching = Searching(random_target(2, (2.0,) * 3, 2), 200, (20, 20, 20), "end")
    check(searching, Settings(block=32, warps=1))
    assert sizes == [7, 10]  # 2^10 slots are twice as many as 200 candidates and two tiles need


@triton.jit
def insert_all(best, scores, keep, tiles, KEEP: tl.constexpr, BLOCK: tl.constexpr):
    lane, least = tl.arange(0, BLOCK), tl.full([], -float("inf"), tl.float64)
    winners.clear(best, keep, KEEP)
    for tile in range(tiles):
        n = (tile * BLOCK + lane).to(tl.int64)
        least = winners.insert(best, keep, least, tl.load(scores + n), n, 2 * n, KEEP, BLOCK)


@pytest.mark.parametrize("keep", [1, 5, 8])
def test_of_equal_scores_the_earlier_one_leads(keep: int) -> None:
    scores = torch.randint(4, (5 * 16,), generator=torch.Generator().manual_seed(keep))
    scores = scores.double().to(DEVICE)
    best = torch.empty((3, keep), dtype=torch.int64, device=DEVICE)
    insert_all[(1,)](best, scores, keep, 5, KEEP=8 if keep > 1 else 1, BLOCK=16)
    expected, order = torch.sort(scores, descending=True, stable=True)
    assert torch.equal(best[0].view(torch.float64), expected[:keep])
    assert torch.equal(best[1], order[:keep])
    assert torch.equal(best[2], 2 * order[:keep])


def test_where_memory_does_not_suffice_half_of_the_items_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = []

    def search_some(inputs, rule, settings):
        batches.append(inputs.batch)
        if inputs.batch > 2:
            kind = torch.OutOfMemoryError if inputs.batch > 3 else RuntimeError
            raise kind("Triton Error [CUDA]: out of memory")
        return search(inputs, rule, settings)

    search = backend._search
    monkeypatch.setattr(backend, "_search", search_some)
    searching = SEARCHES["partitioned ORC, ragged"]()
    check(searching, Settings())
    assert batches == [7, 3, 1, 2, 4, 2, 2]

    def too_much(inputs, rule, settings):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backend, "_search", too_much)
    with pytest.raises(torch.OutOfMemoryError):
        found(searching, Settings())


def test_a_kernel_that_does_not_compile_is_a_failure_of_the_backend() -> None:
    with pytest.raises(BackendFailure, match=r"^\w+: .*power of 2.*$"):
        found(SEARCHES["ORC"](), Settings(block=48, warps=1))


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, ["gcc"]),
        AssertionError("libcuda.so cannot found!"),
        PermissionError(13, "Permission denied", "/root/.triton"),
        RuntimeError("Triton Error [CUDA]: device kernel image is invalid"),
    ],
)
def test_whatever_a_launch_raises_is_one_too(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Errors as raised by drivers, the C compiler and the kernel cache."""

    def search_some(inputs, rule, settings):
        raise error

    monkeypatch.setattr(backend, "_search", search_some)
    with pytest.raises(BackendFailure, match=f"^{type(error).__name__}: .+$"):
        found(SEARCHES["ORC"](), Settings())


@pytest.mark.parametrize(("block", "warps"), [(128, 2), (32, 2)])
def test_settings_that_kernels_do_not_serve_are_refused(block: int, warps: int) -> None:
    with pytest.raises(ValueError, match="need 32 warps <= block <= 64"):
        Settings(block=block, warps=warps)


@triton.jit
def take_logarithms(logarithms, x, BLOCK: tl.constexpr):
    lane = tl.arange(0, BLOCK)
    tl.store(logarithms + lane, series_log2(tl.load(x + lane)))


def test_logarithms_are_those_of_arrival_times() -> None:
    """Bit-identical, also between sqrt(2) and its float32 value, where the series switches."""
    near = torch.full((1,), math.sqrt(2), dtype=torch.float64).view(torch.int64)
    steps = torch.arange(-1024, 1024) << 22  # 2^-30 of it each
    x = torch.cat([(near + steps).view(torch.float64), torch.arange(1, 2049).double()]).to(DEVICE)
    logarithms = torch.empty_like(x)
    take_logarithms[(1,)](logarithms, x, BLOCK=4096)
    assert torch.equal(logarithms, arrivals.series_log2(x))


@triton.jit
def place_all(positions, words, digits, intervals, magic, BLOCK: tl.constexpr):
    lane = tl.arange(0, BLOCK)
    word = tl.load(words + lane).to(tl.uint32)
    one, two = tl.load(intervals), tl.load(magic)
    tl.store(positions + lane, _place(word, tl.load(digits + lane), one, two).to(tl.int64))


@pytest.mark.parametrize("intervals", [2, 3, 7, 1000, 65_535, 65_536, 65_537, 999_983, 1 << 20])
def test_positions_are_the_integers_of_the_format(intervals: int) -> None:
    """floor((2^32 digit + word) / J), also near integer quotients, where the product rounds."""
    digit = torch.randint(intervals, (1024,), generator=torch.Generator().manual_seed(intervals))
    quotient = torch.randint(1 << 32, (1024,), generator=torch.Generator().manual_seed(1))
    near = quotient * intervals + torch.arange(1024) % 3 - 1
    near = near.clamp(0, (intervals << 32) - 1)
    digit, word = torch.cat([digit, near >> 32]), torch.cat([quotient, near & 0xFFFFFFFF])
    digit[:4], word[:4] = torch.tensor([0, 0, intervals - 1, intervals - 1]), 0
    word[1:3] = (1 << 32) - 1
    digit, word = digit.to(DEVICE), word.to(DEVICE)
    dimension = plan.plan_table(Partition((intervals,)), DEVICE)[4 * ROW.value :]
    positions = torch.empty_like(word)
    place_all[(1,)](positions, word, digit, dimension[:1], dimension[1:2], BLOCK=2048)
    assert torch.equal(positions, ((digit << 32) + word) // intervals)


@triton.jit
def score_all(
    screened, exactly, plan, items, ranks, total, dim, cut, head: tl.constexpr,
    DIGIT_WORDS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    n, lane = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    quads, private_quads = (dim + 3) // 4, (cut + 4) // 4
    dimensions = plan.table + 4 * ROW * private_quads
    singles = items.singles + n * (12 * quads + 2 * total)
    doubles = items.doubles + n * (head + 3 * dim + total)
    key0, key1 = tl.load(items.keys + 4 * n).to(tl.uint32), tl.load(items.keys + 4 * n + 1)
    _, bins, low, high = draw_bins(
        lane.to(tl.uint32), key0, key1.to(tl.uint32), singles + 12 * quads + total, plan.table,
        private_quads, DIGIT_WORDS,
    )  # fmt: skip
    rank = tl.load(ranks + lane)
    near = screen(
        bins, rank, low, high, key0, key1.to(tl.uint32), tl.load(doubles), singles, dimensions,
        dimensions + 4 * ROW * quads, quads, DIGIT_WORDS,
    )  # fmt: skip
    ratios = exact(
        bins, rank, low, high, key0, key1.to(tl.uint32), doubles, plan.table, dimensions,
        plan.quantiles, cut, quads, dim, DIGIT_WORDS,
    )  # fmt: skip
    tl.store(screened + n * BLOCK + lane, near.to(tl.float64))
    tl.store(exactly + n * BLOCK + lane, ratios)


@pytest.mark.parametrize("scale", [1e-5, 0.05, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("intervals", [(1,) * 6, (3, 1, 64, 2, 1, 500)])
def test_the_screen_is_off_by_no_more_than_its_bound(intervals, scale: float) -> None:
    """Nor by so little that it would be a guess."""
    mean = random_target(8, (1.0,) * 6).mean
    target = DiagonalGaussian(mean, torch.full_like(mean, scale))
    searching = Searching(target, 256, intervals)
    inputs, rule = searching.inputs_and_rule(DEVICE)
    arguments = Arguments.of(inputs, rule)
    screened, exactly = torch.empty((2, 8, 256), dtype=torch.float64, device=DEVICE)
    score_all[(8,)](
        screened, exactly, arguments.plan, arguments.items,
        torch.arange(256, device=DEVICE) * 1000,
        **arguments.sizes, head=launch.HEAD.value, DIGIT_WORDS=arguments.digits, BLOCK=256,
    )  # fmt: skip
    error = arguments.items.doubles[:, 1:2]
    off = (screened - exactly).abs() / error
    assert (off < 1).all()
    assert off.max() > 1e-5


def test_the_rule_keeps_as_many_as_asked() -> None:
    inputs, _ = SEARCHES["ORC"]().inputs_and_rule(DEVICE)
    assert "keep of at most" in (BACKENDS["triton"].needs(inputs, Race(1025)) or "")
