"""Groups of pictures to streams and back."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.container import Group
from recvae.codec.image_coder import Pixels
from recvae.codec.inr.payload import (
    PictureCodes,
    code_bits,
    decode_latents,
    read_codes,
    write_codes,
)
from recvae.codec.inr.sender import NOT_FINITE, Effort, Shared, send
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder
from recvae.errors import InputError
from recvae.exact.gaussian import FRACTION_BITS
from recvae.images.spec import ImageSpec
from recvae.inr.network import InrArguments

VALUES_AT_ONCE = 1 << 23  # latents, and values of the widest layer, decoded at a time


def encode_groups(
    shared: Shared, pixels: Pixels, group_size: int, effort: Effort
) -> tuple[list[Group], dict[str, NDArray[np.float64]]]:
    """Code pictures in groups; return the bits of each picture by part too.

    The pictures of a group are fitted together, those of different groups apart, so that the bytes
    of a group depend on its pictures only.
    """
    groups, bits = [], []
    for start in range(0, len(pixels), group_size):
        own = pixels[start : start + group_size]
        sent = send(shared, to_network(own).to(shared.network.mean.device), effort)
        encoder = RangeEncoder()
        write_codes(encoder, shared.layout, shared.rank_code, sent.codes)
        # The pixels first: a stream of as many bytes counts as these.
        stream = min(own.tobytes(), encoder.finish(), key=len)
        groups.append(Group(len(own), ImageSpec.from_shape(pixels.shape), (stream,)))
        bits.append(code_bits(shared.layout, shared.rank_code, sent.codes) | {"kl": sent.kl_bits})
    return groups, {part: np.concatenate([own[part] for own in bits]) for part in bits[0]}


def decode_groups(shared: Shared, groups: Sequence[Group]) -> Pixels:
    """Decode groups to pictures (n, side, side, 3); InputError for data that no encoder writes."""
    return np.concatenate([_decode(shared, group) for group in groups])


def is_written(shared: Shared, group: Group) -> bool:
    """Whether an encoder can have written a group: whether re-encoding gives the same bytes."""
    try:
        group_codes(shared, group, checking=True)
    except InputError:
        return False
    return True


def group_codes(shared: Shared, group: Group, checking: bool = False) -> PictureCodes | None:
    """Read the codes of a group; None if it is stored uncompressed.

    Raises InputError for data that no encoder writes, where this is detectable.
    """
    side = shared.network.arguments.side
    if group.spec.shape != (side, side, 3) or group.layers != 1 or group.tile is not None:
        raise InputError(f"a group of another form than whole pictures of {side} x {side} x 3")
    (stream,) = group.streams
    if len(stream) == group.raw_bytes:
        return None
    decoder = (CheckingRangeDecoder if checking else RangeDecoder)(stream)
    try:
        codes = read_codes(decoder, shared.layout, shared.rank_code, group.num_images)
    except ValueError as error:
        raise InputError(str(error)) from error
    if isinstance(decoder, CheckingRangeDecoder) and not decoder.is_whole():
        raise InputError("a stream is not what an encoder writes")
    return codes


def synthesise(shared: Shared, z: Tensor) -> Pixels:
    """Pictures (n, side, side, 3) of latents (n, dim): in floats, so machines may differ by 1.

    Raises InputError for networks that overflow.
    """
    side = shared.network.arguments.side
    # cuDNN would otherwise round the inputs of convolutions to 10 bits.
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        values = shared.network(z.to(shared.network.mean))
    if not bool(torch.isfinite(values).all()):
        raise InputError(NOT_FINITE)
    pixels = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    decoded: Pixels = pixels.cpu().numpy().reshape(-1, side, side, 3)
    return decoded


def to_network(pixels: Pixels) -> Tensor:
    """Pixels (n, side, side, 3) to (n, side^2, 3) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).flatten(1, 2).float() / 255


def _decode(shared: Shared, group: Group) -> Pixels:
    codes = group_codes(shared, group)
    if codes is None:
        shape = (group.num_images, *group.spec.shape)
        return np.frombuffer(group.streams[0], np.uint8).reshape(shape)
    arguments = shared.network.arguments
    parts = []
    for start in range(0, group.num_images, at_once := _pictures_at_once(arguments)):
        some = codes[start : start + at_once]
        z = decode_latents(shared.layout, shared.key, some, arguments.dim)
        parts.append(synthesise(shared, torch.from_numpy(z * 2.0**-FRACTION_BITS)))
    return np.concatenate(parts)


def _pictures_at_once(arguments: InrArguments) -> int:
    """As many as bound the memory of decoding, whatever the sizes of the network."""
    widest = max(*arguments.hidden, *arguments.upsampler, arguments.grid_channels)
    return max(1, VALUES_AT_ONCE // (arguments.dim + widest * arguments.side**2))
