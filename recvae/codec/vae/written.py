"""Whether an encoder can have written a payload; salvage asks where checksums leave a doubt."""

from collections.abc import Sequence

from recvae.codec.vae.groups import decode_streams, pixel_coding
from recvae.codec.vae.parts import VaeParts


def are_written(model: VaeParts, groups: Sequence[tuple[bytes, int]]) -> list[bool]:
    """Whether an encoder can have written each of the payloads for so many images.

    It can if what the payload decodes to makes the same bytes when it is encoded again. Other bytes
    decode to images as the model would draw them, and their code has a length of its own.
    """
    raw_bytes, coding = model.spec.raw_bytes, pixel_coding(model)
    coded = {
        index: coding.checking_decoder(payload)
        for index, (payload, count) in enumerate(groups)
        if len(payload) < count * raw_bytes
    }
    try:
        decode_streams(model, list(coded.values()), [groups[index][1] for index in coded])
    except ValueError:  # in one of them
        if len(groups) == 1:
            return [False]
        half = len(groups) // 2
        return are_written(model, groups[:half]) + are_written(model, groups[half:])
    return [
        coded[index].is_whole() if index in coded else len(payload) == count * raw_bytes
        for index, (payload, count) in enumerate(groups)
    ]
