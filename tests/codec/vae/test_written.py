"""Whether an encoder can have written a payload."""

import numpy as np
import pytest

from recvae.codec import Codec
from recvae.codec.vae.groups import decode_groups, encode_groups
from recvae.codec.vae.written import are_written
from recvae.errors import InputError


def test_one_that_cannot_be_decoded_is_told_among_others(codec: Codec, digits: np.ndarray) -> None:
    good, _ = encode_groups(codec.model, digits[:6], 3)
    bad = b"\xff" * 30
    with pytest.raises(InputError, match="what no encoder writes"):
        decode_groups(codec.model, [bad], [3])
    pixels = digits[:3].tobytes()
    for payload, written in [(bad, False), (pixels, True), (pixels + b"\0", False)]:
        assert are_written(codec.model, [(payload, 3)]) == [written]
        among = [(good[0], 3), (payload, 3), (good[1], 3)]
        assert are_written(codec.model, among) == [True, written, True]
