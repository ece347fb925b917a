"""Backends of the search: each finds the reference's codes; the dispatcher chooses among them."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from rec.backends import SEARCHES, Searching, check, served
from rec.coders import random_target, seeded
from recvae.rec import ORC, PFR, DiagonalGaussian, Partition, PartitionedCoder
from recvae.rec.search import (
    BACKENDS,
    Backend,
    BestCandidates,
    Race,
    register_backend,
    search,
)
from recvae.rec.search.dispatch import choose_backend
from recvae.rec.search.eager import search_by

OTHERS = [name for name in BACKENDS if name != "eager"]


@pytest.mark.parametrize(
    ("backend", "name"), [(backend, name) for backend in OTHERS for name in served(backend)]
)
def test_codes_are_those_of_the_reference(backend: str, name: str) -> None:
    check(backend, SEARCHES[name]())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
@pytest.mark.parametrize("backend", OTHERS)
def test_codes_are_those_of_the_reference_on_a_gpu(backend: str) -> None:
    for name in served(backend, "cuda"):
        check(backend, SEARCHES[name](), "cuda")


@pytest.mark.parametrize("backend", [name for name in OTHERS if name != "triton"])
def test_every_backend_serves_something(backend: str) -> None:
    """So that the suite above does not skip one whole; `test_triton` runs that of the GPU."""
    assert len(served(backend)) >= 2


@pytest.mark.parametrize("field", ["bins", "ranks", "scores", "num_drawn", "capped"])
def test_the_suite_notices_a_wrong_result(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    def search(inputs, rule, chunk_elements):
        results = BACKENDS["eager"].search(inputs, rule, chunk_elements)
        wrong = getattr(results, field)[-1:]
        wrong.copy_(~wrong if field == "capped" else wrong + 1)
        return results

    monkeypatch.setitem(BACKENDS, "wrong", Backend("wrong", search))
    with pytest.raises(AssertionError, match=field):
        check("wrong", SEARCHES["partitioned ORC, ragged"]())


@pytest.mark.parametrize(
    ("name", "device", "backend"),
    [
        ("ORC", "cpu", "numba"),
        ("one key", "cpu", "shared"),
        ("ORC, keep 5", "cpu", "numba"),
        ("PFR", "cpu", "numba"),
        ("GPRS", "cpu", "numba"),
        ("ORC", "meta", "eager"),
        ("partitioned ORC, ragged", "meta", "eager"),
    ],
)
def test_auto_takes_what_is_fastest(name: str, device: str, backend: str) -> None:
    searching = SEARCHES[name]()
    inputs, rule = searching.inputs_and_rule(torch.device("cpu"))
    if device == "meta":
        inputs = on_another_device(inputs)
    assert choose_backend(inputs, rule, "auto").name == backend


def on_another_device(inputs):
    """The same, but that it claims to be elsewhere: no backend may compute with it here."""

    class Elsewhere(type(inputs)):
        @property
        def device(self) -> torch.device:
            return torch.device("meta")

    fields = {name: getattr(inputs, name) for name in type(inputs).__dataclass_fields__}
    return Elsewhere(**fields)


def test_a_backend_that_cannot_serve_says_what_it_needs() -> None:
    target = random_target(3, (1.0, 2.0))
    for coder, message in (
        (PFR(2, implementation="shared"), "got 'shared', need a race of N candidates with one"),
        (ORC(2, 10, implementation="shared"), "got 'shared', need items that share one key"),
    ):
        with pytest.raises(ValueError, match=f"implementation: {message}"):
            coder.encode(target, torch.arange(3), seeded())
    inputs, rule = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))
    for name in ("numba", "fused"):
        with pytest.raises(ValueError, match=f"got '{name}', need CPU tensors"):
            choose_backend(on_another_device(inputs), rule, name)


def test_fused_is_another_name_of_numba() -> None:
    inputs, rule = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))
    assert choose_backend(inputs, rule, "fused") is BACKENDS["numba"]


@pytest.mark.parametrize("name", ["auto", "fused", "eager", "numba"])
def test_names_are_given_once(name: str) -> None:
    with pytest.raises(ValueError, match=f"name: got '{name}', need one that is not taken"):
        register_backend(Backend(name, BACKENDS["eager"].search))


def test_a_rule_without_a_reference_is_told() -> None:
    inputs, _ = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))
    with pytest.raises(TypeError, match="rule: got object"):
        search_by(object(), inputs, 1000)


class LastOfRace(Race):
    """A kind of race that no backend but the reference knows of."""


@search_by.register
def _(rule: LastOfRace, inputs, chunk_elements):
    results = search_by(Race(inputs.max_candidates), inputs, chunk_elements)
    last = slice(-1, None)
    best = (getattr(results, name)[:, last] for name in ("bins", "ranks", "scores"))
    return BestCandidates(*best, results.num_drawn, results.capped)


@pytest.mark.parametrize("name", ["ORC", "one key"])
def test_a_kind_of_a_known_rule_is_left_to_the_reference(name: str) -> None:
    inputs, _ = SEARCHES[name]().inputs_and_rule(torch.device("cpu"))
    rule = LastOfRace()
    assert choose_backend(inputs, rule, "auto").name == "eager"
    found = search(inputs, rule, "auto", 1 << 20)
    every = BACKENDS["eager"].search(inputs, Race(inputs.max_candidates), 1 << 20)
    assert torch.equal(found.ranks, every.ranks[:, -1:])


@dataclass(frozen=True)
class ThreeOfPoisson(PartitionedCoder):
    """A coder whose race keeps three and has the times of an exact one."""

    arrivals = "poisson"
    limit = 300

    def rule(self, target, proposal):
        return Race(3)


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("intervals", [(1, 1, 1), (2, 1, 4)])
def test_a_coder_is_its_arrivals_its_limit_and_its_rule(batch: int, intervals) -> None:
    """One that is none of the package's: the same codes everywhere, in any slices."""
    target, key = random_target(max(batch, 1), (1.0, 0.5, 2.0))[:batch], torch.arange(batch)
    found = [
        ThreeOfPoisson(Partition(intervals), implementation=name, chunk_elements=elements).search(
            target, key, seeded()
        )
        for name in ("eager", "numba", "auto")
        for elements in (1 << 20, 20)
    ]
    for other in found[1:]:
        assert torch.equal(other.code.bins, found[0].code.bins)
        assert torch.equal(other.code.ranks, found[0].code.ranks)
        assert torch.equal(other.capped, found[0].capped)
    assert not found[0].capped.any()
    assert (found[0].num_drawn == 300).all()


@pytest.mark.parametrize("name", ["PFR", "GPRS", "partitioned PFR, sup", "MRC, keep all"])
def test_items_in_slices_keep_what_is_theirs(name: str) -> None:
    """Their targets' bounds and stretch functions too: two items at a time find the same."""
    searching = SEARCHES[name]()
    inputs, rule = searching.inputs_and_rule(torch.device("cpu"))
    whole = BACKENDS["eager"].search(inputs, rule, 1 << 20)
    held = searching.target.dim + (searching.max_candidates if searching.rule == "race" else 0)
    sliced = BACKENDS["eager"].search(inputs, rule, 2 * held)
    assert inputs.batch > 2
    for field in BestCandidates.__dataclass_fields__:
        assert torch.equal(getattr(sliced, field), getattr(whole, field)), field


@pytest.mark.parametrize("chunk_elements", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_one_key_is_served_in_any_slices(chunk_elements: int) -> None:
    target = random_target(11, (0.6, 0.5))
    whole, sliced = (
        ORC(2, 100, implementation="shared", chunk_elements=elements)
        .encode(target, 7, seeded())
        .ranks
        for elements in (1 << 20, chunk_elements)
    )
    assert torch.equal(whole, sliced)


@pytest.mark.slow
def test_the_folder_numba_does_not_hide_the_library() -> None:
    program = (
        "import recvae.rec.search.numba.backend, numba, pathlib\n"
        "assert numba.njit and 'recvae' not in pathlib.Path(numba.__file__).parts\n"
        "import recvae.rec.search as search; assert search.numba.BACKEND.name == 'numba'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_with_nothing_to_choose_the_first_wins() -> None:
    searching: Searching = SEARCHES["ORC, target = prior"]()
    inputs, rule = searching.inputs_and_rule(torch.device("cpu"))
    for name in ("eager", "numba"):
        assert (BACKENDS[name].search(inputs, rule, 1 << 20).ranks == 0).all()


def test_shared_refuses_targets_that_float32_cannot_tell_apart() -> None:
    """Where the bound on the rounding errors of their scores is above a quarter of a bit."""
    coder = ORC(2, 10, implementation="shared")
    wide, narrow = (
        DiagonalGaussian(torch.zeros(3, 2), torch.full((3, 2), scale)) for scale in (0.018, 0.016)
    )
    assert coder.encode(wide, 5, seeded()).ranks.shape == (3,)
    with pytest.raises(ValueError, match="need targets whose candidates float32 can distinguish"):
        coder.encode(narrow, 5, seeded())
