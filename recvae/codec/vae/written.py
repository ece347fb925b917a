"""Tells whether an encoder can have written a payload: for salvage, where checksums leave doubt."""

from collections.abc import Sequence

from recvae.codec.vae.groups import decode_streams, pixel_coding
from recvae.codec.vae.parts import VaeParts


def are_written(model: VaeParts, groups: Sequence[tuple[bytes, int]]) -> list[bool]:
    """Whether an encoder can have written each of the payloads, given its number of images.

    It can if decoding and encoding again gives the same bytes. Arbitrary bytes decode to samples of
    the model, whose code has a length of its own.
    """
    raw_bytes, coding = model.spec.raw_bytes, pixel_coding(model)
    coded = {
        index: coding.checking_decoder(payload)
        for index, (payload, count) in enumerate(groups)
        if len(payload) < count * raw_bytes
    }
    try:
        decode_streams(model, list(coded.values()), [groups[index][1] for index in coded])
    except ValueError:  # in one of the payloads
        if len(groups) == 1:
            return [False]
        half = len(groups) // 2
        return are_written(model, groups[:half]) + are_written(model, groups[half:])
    return [
        coded[index].is_whole() if index in coded else len(payload) == count * raw_bytes
        for index, (payload, count) in enumerate(groups)
    ]
