"""The fuzz targets pass on their seeds and on variations by hypothesis, without atheris."""

import random
from functools import cache
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import (
    container,
    images,
    invariants,
    model,
    payload,
    picture_model,
    pictures,
    pixelwise,
    pixelwise_model,
    salvage,
)
from recvae.errors import InputError

QUICK = [container, salvage, images, pixelwise, pixelwise_model]
SLOW = [pytest.param(t, marks=pytest.mark.slow) for t in (pictures, model, picture_model, payload)]
MODELS = [model, pixelwise_model, pytest.param(picture_model, marks=pytest.mark.slow)]
# Bytes that matter to parsers: limits of numbers, and separators.
TOKENS = [b"\0", b"\xff", b"\xff" * 8, b"\x80\0\0\0", b"IHDR", b"IDAT", b"\x1f\x8b", b"CER\x89"]
TOKENS += [b'"key"', b"{", b"[", b"}", b"-", b"1e9", b"null", b"(28,", b"|O", b"\xfe|\xfe", b"\xc0"]


@cache
def seeds_for(target: ModuleType) -> list[bytes]:
    return list(target.seeds())


@pytest.mark.parametrize("target", [*QUICK, *SLOW], ids=lambda target: target.__name__)
def test_seeds(target: ModuleType) -> None:
    seeds = seeds_for(target)
    assert len(set(seeds)) >= 3
    for seed in seeds:
        target.check(seed)


@st.composite
def damaged(draw: st.DrawFn, target: ModuleType) -> bytes:
    """A seed, or part of it, with a few bytes overwritten, inserted or removed."""
    data = bytearray(draw(st.sampled_from(seeds_for(target))))
    for _ in range(draw(st.integers(1, 4))):
        # Most fields are near one of the ends.
        place = draw(st.integers(0, len(data)) | st.integers(0, 80) | st.integers(-80, -1))
        new = draw(st.binary(max_size=4) | st.sampled_from(TOKENS))
        place = min(place, len(data)) if place >= 0 else max(len(data) + place, 0)
        data[place : place + draw(st.sampled_from([0, 1, len(new), 1000]))] = new
    return bytes(data)


@pytest.mark.parametrize("examples", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("target", [*QUICK[:-1], *SLOW[:1]], ids=lambda target: target.__name__)
def test_damaged_seeds(target: ModuleType, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(damaged(target))
    def holds(data: bytes) -> None:
        target.check(data)

    holds()


@pytest.mark.parametrize("target", MODELS, ids=lambda target: target.__name__)
def test_damaged_models(target: ModuleType) -> None:
    @settings(max_examples=60, deadline=None)
    @given(damaged(target))
    def holds(data: bytes) -> None:
        target.check(data)

    holds()


@pytest.mark.parametrize("target", MODELS, ids=lambda target: target.__name__)
def test_models_with_other_fields(target: ModuleType) -> None:
    starts = [seed for seed in seeds_for(target) if not seed[0]]

    @settings(max_examples=80, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.sampled_from(starts))
    def holds(seed: int, start: bytes) -> None:
        target.check(target.mutate(start, random.Random(seed)))

    holds()


@pytest.mark.parametrize(
    "target", [payload, pictures, pixelwise], ids=lambda target: target.__name__
)
def test_any_payload(target: ModuleType) -> None:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 255), st.binary(max_size=60))
    def holds(choice: int, data: bytes) -> None:
        target.check(bytes([choice]) + data)

    holds()


@pytest.mark.parametrize("message", ["", "x" * 5001, "two\nlines"])
def test_a_refusal_that_is_not_one_line_is_a_fault(message: str) -> None:
    error = InputError("")
    error.args = (message,)
    with pytest.raises(AssertionError), invariants.refusal_is_one_line():
        raise error


def test_any_other_exception_is_a_fault() -> None:
    with pytest.raises(KeyError), invariants.refusal_is_one_line():
        raise KeyError("x")
    with invariants.refusal_is_one_line():
        raise InputError("one line")
