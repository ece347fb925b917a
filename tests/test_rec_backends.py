"""Backends of the search: each finds the reference's codes; the dispatcher chooses among them."""

import subprocess
import sys

import pytest
import torch
from backends import SEARCHES, Searching, check, served
from coders import random_target, seeded

from recvae.rec import ORC, PFR
from recvae.rec.search import BACKENDS, Backend, Race, register_backend
from recvae.rec.search.dispatch import _choose
from recvae.rec.search.eager import search_by

OTHERS = [name for name in BACKENDS if name != "eager"]


@pytest.mark.parametrize(
    ("backend", "name"), [(backend, name) for backend in OTHERS for name in served(backend)]
)
def test_codes_are_those_of_the_reference(backend: str, name: str) -> None:
    check(backend, SEARCHES[name]())


@pytest.mark.parametrize("backend", OTHERS)
def test_every_backend_serves_something(backend: str) -> None:
    """So that the suite above does not skip one whole."""
    assert len(served(backend)) >= 2


@pytest.mark.parametrize("field", ["bins", "ranks", "scores", "drawn", "capped"])
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
    assert _choose(inputs, rule, "auto").name == backend


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
            _choose(on_another_device(inputs), rule, name)


def test_fused_is_another_name_of_numba() -> None:
    inputs, rule = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))
    assert _choose(inputs, rule, "fused") is BACKENDS["numba"]


@pytest.mark.parametrize("name", ["auto", "fused", "eager", "numba"])
def test_names_are_given_once(name: str) -> None:
    with pytest.raises(ValueError, match=f"name: got '{name}', need one that is not taken"):
        register_backend(Backend(name, BACKENDS["eager"].search))


def test_a_rule_without_a_reference_is_told() -> None:
    inputs, _ = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))

    class Unheard(Race):
        pass

    assert search_by.dispatch(Unheard) is search_by.dispatch(Race)  # a kind of race
    with pytest.raises(TypeError, match="rule: got object"):
        search_by(object(), inputs, 1000)


def test_the_folder_numba_does_not_hide_the_library() -> None:
    program = (
        "import recvae.rec.search.numba.backend, numba, pathlib\n"
        "assert numba.njit and 'recvae' not in pathlib.Path(numba.__file__).parts\n"
        "import recvae.rec.search as search; assert search.numba.BACKEND.name == 'numba'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_ties_go_to_the_first() -> None:
    """Where all candidates are equally good the earliest wins in every backend."""
    searching: Searching = SEARCHES["ORC, target = prior"]()
    inputs, rule = searching.inputs_and_rule(torch.device("cpu"))
    for name in ("eager", "numba"):
        assert (BACKENDS[name].search(inputs, rule, 1 << 20).ranks == 0).all()
