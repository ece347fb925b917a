"""Target: the payload of a group, with arbitrary bytes for the range decoder."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from fuzz.invariants import refusal_is_one_line
from fuzz.model import images_for, tiny_models
from recvae.codec import CodecModel
from recvae.codec.vae.groups import decode_groups, encode_groups

COUNTS = (1, 2, 3, 7)  # images of a group
BESIDE_OTHERS, AGAIN = 64, 128  # bits of the first byte: further checks


def seeds() -> Iterator[bytes]:
    """Payloads of an encoder for few and for many images, and uncompressed pixels."""
    for choice in range(len(_models()) * len(COUNTS)):
        model, count = _chosen(choice)
        images = np.resize(images_for(model), (count, *model.spec.shape))
        (payload,), _ = encode_groups(model, images, count)
        yield bytes([choice]) + payload
        yield bytes([choice | BESIDE_OTHERS | AGAIN]) + payload
        yield bytes([choice]) + images.tobytes()
        yield bytes([choice]) + b"\xff" * 40


def check(data: bytes) -> None:
    """Check that it is refused or decodes, the same beside others, to images that code again."""
    choice, payload = (data[0] if data else 0), data[1:]
    model, count = _chosen(choice)
    with refusal_is_one_line():
        images = decode_groups(model, [payload], [count])
        assert (images.dtype, images.shape) == (np.uint8, (count, *model.spec.shape))
        if choice & BESIDE_OTHERS:
            good = _good_payload(model)
            beside = decode_groups(model, [good, payload, good], [1, count, 1])
            assert np.array_equal(beside[1:-1], images)
        if choice & AGAIN:
            again, _ = encode_groups(model, images, count)
            assert np.array_equal(decode_groups(model, again, [count]), images)


@cache
def _models() -> list[CodecModel]:
    return list(tiny_models())


def _chosen(choice: int) -> tuple[CodecModel, int]:
    """A model and a number of images, by the lower six bits of a choice."""
    models, counts = divmod(choice % BESIDE_OTHERS, len(COUNTS))
    return _models()[models % len(_models())], COUNTS[counts]


@cache
def _good_payload(model: CodecModel) -> bytes:
    (payload,), _ = encode_groups(model, images_for(model)[:1], 1)
    return payload
