"""Traces of coding, which must be the same for sender and receiver."""

import numpy as np
import pytest

from recvae.codec import Codec, load_model
from recvae.codec.vae.trace import RecordedTrace


@pytest.mark.parametrize(
    ("name", "effort"), [("mnist-mlp", 1), ("mnist-mlp", 3), ("mnist", 1), ("mnist-vae", 3)]
)
def test_sender_and_receiver_take_the_same_steps(
    digits: np.ndarray, name: str, effort: int
) -> None:
    """Candidates that are only tried are not steps."""
    model, sent, received = load_model(name), RecordedTrace(), RecordedTrace()
    data = Codec(model.traced(sent)).compress(digits[:6], group_size=2, effort=effort)
    assert np.array_equal(Codec(model.traced(received)).decompress(data), digits[:6])
    assert np.array_equal(sent.z, received.z)
    for ours, theirs in ((sent.logits, received.logits), (sent.frequencies, received.frequencies)):
        assert len(ours) == len(theirs)
        for here, there in zip(ours, theirs, strict=True):
            assert np.array_equal(here, there)
    sums = {int(total) for table in received.frequencies for total in table.sum(1)}
    assert sums == ({1 << 24} if model.decoder.kernel is None else set())
