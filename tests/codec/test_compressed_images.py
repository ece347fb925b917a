"""Images by index and slice: only what is needed is decoded; errors name the rest."""

import numpy as np
import pytest
import torch

import recvae
from recvae.codec import Codec
from recvae.codec.container import ContainerReader
from recvae.codec.vae.trace import Trace
from recvae.errors import InputError


def test_what_cannot_be_decoded_is_named(
    codec: Codec, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = codec.compress(digits[:10], 2)

    def refuse(model: object, groups: object) -> None:
        raise InputError("refused")

    monkeypatch.setattr(type(codec.model), "decode", refuse)
    with Codec(codec.model, batch_size=4).open(data) as images:
        for wanted, groups in [(slice(5, 8), "2 to 3"), (slice(8, 10), "4 to 4")]:
            with pytest.raises(InputError, match=f"groups {groups}: refused"):
                images[wanted]


def test_files_that_cannot_be_opened_are_closed(
    codec: Codec, digits: np.ndarray, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.recvae"
    path.write_bytes(codec.compress(digits[:2]))
    closed: list[ContainerReader] = []
    close = ContainerReader.close

    def noted(reader: ContainerReader) -> None:
        closed.append(reader)
        close(reader)

    monkeypatch.setattr(ContainerReader, "close", noted)
    with pytest.raises(InputError, match="absent"):
        recvae.open(path, tmp_path / "absent")
    with pytest.raises(InputError, match="another model"):
        recvae.load("mnist-mlp").open(path)
    assert len(closed) == 2


class Batches(Trace):
    """The number of images in each decoded batch."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def begin_batch(self, z: torch.Tensor) -> None:
        self.sizes.append(len(z))


def test_only_groups_that_hold_what_is_asked_for_are_decoded(
    codec: Codec, digits: np.ndarray
) -> None:
    seen = Batches()
    data = codec.compress(digits[:20], 3)  # seven groups
    with Codec(codec.model.traced(seen), batch_size=6).open(data) as images:
        for wanted, sizes in [
            (slice(0, 20, 19), [3, 2]),
            (slice(19, None, -19), [3, 2]),
            (slice(2, 14, 7), [3, 3]),
            (slice(1, 13, 4), [6, 3]),
            (slice(17, 2, -1), [6, 6, 3]),
        ]:
            assert np.array_equal(images[wanted], digits[:20][wanted])
            assert seen.sizes == sizes
            seen.sizes.clear()


def test_an_index_decodes_its_group_once(codec: Codec, digits: np.ndarray) -> None:
    seen = Batches()
    data = codec.compress(digits[:8], 3)
    with Codec(codec.model.traced(seen)).open(data) as images:
        for number in (0, 1, 2, -8, 3, 5, 7, 6):
            image = images[number]
            assert np.array_equal(image, digits[:8][number])
            image[:] = 0  # the caller's own
        assert seen.sizes == [3, 3, 2]
