"""docs/format.md suffices for networks over coordinates: a decoder written from it agrees."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recvae
from codec.inr.tiny import PLAIN, WITH_GRID, pictures_of, tiny_model
from golden import inr as golden
from golden.make_version_2 import plain
from recvae.codec.container import Group
from recvae.codec.inr.coder import group_codes, synthesise
from recvae.codec.inr.layout import MAX_LOG2_CANDIDATES
from recvae.codec.inr.model import InrModel
from recvae.codec.inr.payload import PictureCodes, write_codes
from recvae.codec.range_coder import RangeEncoder
from recvae.images.spec import ImageSpec
from recvae.inr.network import InrArguments
from spec import inr, version_2

TABLE_FILE = Path(recvae.__file__).parent / "exact" / "gaussian_table.npy"
TABLE = np.frombuffer(TABLE_FILE.read_bytes()[-32772:], "<i4").tolist()


@pytest.fixture(scope="module", params=[WITH_GRID, PLAIN], ids=["grid", "plain"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[InrModel, inr.Inr]:
    """A model, and the same as read by the second decoder."""
    model, folder = tiny_model(request.param), tmp_path_factory.mktemp("model")
    model.save(folder)
    return model, inr.read(folder)


def synthesised(second: inr.Inr, groups: Sequence[version_2.Group]) -> Iterator[np.ndarray]:
    """The pictures of groups."""
    for group in groups:
        decoded = inr.decode_group(second, group, TABLE)
        stored = decoded.dtype == np.uint8
        yield from decoded if stored else (inr.picture(second, z) for z in decoded)


@pytest.mark.parametrize("file", golden.FILES, ids=lambda file: file.stem)
def test_golden_file(file: Path) -> None:
    """Latents are bit-identical; pictures, in float64, differ by 1 in a few values."""
    second = inr.read(golden.folder_of(file))
    read = version_2.read(file.read_bytes())
    assert read.models == [second.hash[:16]]
    decoded = [inr.decode_group(second, group, TABLE) for group in read.groups]
    latents = [z for z in decoded if z.dtype == np.int64]
    expected = json.loads(file.with_suffix(".json").read_text())
    assert golden.digest(latents) == expected["z"]
    pictures = list(synthesised(second, read.groups))
    differing = golden.part_that_differs(golden.pictures_of(file), pictures)
    assert differing <= golden.MOST_THAT_DIFFER


@pytest.mark.slow
def test_any_group(both: tuple[InrModel, inr.Inr]) -> None:
    """Any bins and ranks, which no sender of so few bits finds, among them the first and last."""
    model, second = both
    layout, random = model.shared.layout, np.random.default_rng(0)
    for count in (1, 3):
        last = np.tile(layout.intervals - 1, (count, 1))
        bins = np.where(random.random(last.shape) < 0.3, last, random.integers(0, last + 1))
        exponents = random.integers(0, MAX_LOG2_CANDIDATES + 1, (count, len(layout.lengths)))
        exponents[0, :2] = 0, MAX_LOG2_CANDIDATES
        codes, encoder = PictureCodes(bins, (1 << exponents) - 1), RangeEncoder()
        write_codes(encoder, layout, model.shared.rank_code, codes)
        group = Group(count, model.spec, (encoder.finish(),))
        (ours,) = golden.latents_of(model, [group])
        assert np.array_equal(inr.decode_group(second, plain(group), TABLE), ours)
        pictures = list(synthesised(second, [plain(group)]))
        differing = golden.part_that_differs(model.decode([group]), pictures)
        assert differing <= golden.MOST_THAT_DIFFER


@pytest.mark.parametrize(
    ("grid", "upsampler", "hidden", "frequencies"),
    [(1, (3,), (4,), 3), (2, (2, 3, 4, 3), (3, 4, 5), 2), (4, (3, 2, 1, 2), (5,), 16)],
)
def test_architectures(
    tmp_path: Path,
    grid: int,
    upsampler: tuple[int, ...],
    hidden: tuple[int, ...],
    frequencies: int,
) -> None:
    """More doublings than convolutions, and fewer."""
    arguments = InrArguments(8, frequencies, hidden, frequencies != 2, grid, 3, upsampler)
    model = tiny_model(arguments)
    model.save(tmp_path)
    second = inr.read(tmp_path)
    z = np.random.default_rng(1).normal(0, 1 << 28, (4, arguments.dim)).astype(np.int64)
    ours = synthesise(model.shared, torch.from_numpy(z * 2.0**-28))
    theirs = [inr.picture(second, one) for one in z]
    assert golden.part_that_differs(ours, theirs) <= golden.MOST_THAT_DIFFER
    assert second.text["architecture"] == json.loads(json.dumps(asdict(arguments)))


def test_what_both_refuse(both: tuple[InrModel, inr.Inr]) -> None:
    model, second = both
    spec, side = model.spec, model.spec.height
    for bad in (
        Group(1, spec, (b"a", b"b"), layers=2),
        Group(1, spec, (b"a", b"b"), tile=(side // 2, side)),
        Group(1, ImageSpec(side, side), (b"a",)),
        Group(1, ImageSpec(side, side + 1, 3), (b"a",)),
        Group(1, spec, (bytes([255] * 8),)),
    ):
        with pytest.raises(recvae.InputError):
            model.decode([bad])
        with pytest.raises(ValueError, match=r"layers|tiles|size|no encoder"):
            inr.decode_group(second, plain(bad), TABLE)


def test_ranks_that_both_refuse(both: tuple[InrModel, inr.Inr]) -> None:
    model, second = both
    layout, encoder = model.shared.layout, RangeEncoder()
    ranks = np.zeros((1, len(layout.lengths)), np.int64)
    ranks[0, -1] = 1 << MAX_LOG2_CANDIDATES
    codes = PictureCodes(np.zeros((1, len(layout.dimensions)), np.int64), ranks)
    write_codes(encoder, layout, model.shared.rank_code, codes)
    group = Group(1, model.spec, (encoder.finish(),))
    with pytest.raises(recvae.InputError, match="a rank is that of no candidate"):
        model.decode([group])
    assert model.written([group]) == [False]
    with pytest.raises(ValueError, match="a rank of no candidate"):
        inr.decode_group(second, plain(group), TABLE)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=3))
def test_any_stream(both: tuple[InrModel, inr.Inr], parts: list[bytes]) -> None:
    """Both decoders find the same latents in it, or both refuse it."""
    model, second = both
    group = Group(2, model.spec, (b"".join(parts),))
    try:
        codes = group_codes(model.shared, group)
    except recvae.InputError:
        with pytest.raises(ValueError, match=r"no encoder|no candidate"):
            inr.decode_group(second, plain(group), TABLE)
        return
    assert codes is not None
    theirs = inr.decode_group(second, plain(group), TABLE)
    ours = golden.decode_latents(
        model.shared.layout, model.shared.key, codes, model.shared.network.arguments.dim
    )
    assert np.array_equal(ours, theirs)


def test_what_a_sender_sends(both: tuple[InrModel, inr.Inr]) -> None:
    model, second = both
    groups, _ = model.encode(pictures_of(model, 3), 2)
    theirs = list(synthesised(second, list(map(plain, groups))))
    assert golden.part_that_differs(model.decode(groups), theirs) <= golden.MOST_THAT_DIFFER
