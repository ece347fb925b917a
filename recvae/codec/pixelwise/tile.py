"""A tile of the images of a group to a stream and back.

All images share one range coder: of each image the colour or grey, then the alpha, if it has one.
Each of these parts states whether it is coded by the network or by copies, and follows; a part of
one channel uses the network for grey.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recvae.codec.kernel_range_coder import finished, new_decoder, new_encoder
from recvae.codec.pixelwise import copies, kernel
from recvae.codec.pixelwise.networks import TABLES, IntegerNetwork
from recvae.codec.range_coder import WORD_BYTES
from recvae.images.spec import GREY, RGB
from recvae.jit import threaded
from recvae.kernels import range_coder

NETWORK, COPIES = 0, 1
ALIKE = 0.2  # copies are tried if this share of the pixels equals a neighbour,
FEW_COLOURS = 256  # or if there are at most this many colours

Images = NDArray[np.uint8]
Networks = Mapping[int, IntegerNetwork]


class _Memory:
    """State across the images of a stream: filters and corrections, by channels, and copies.

    Copies are made on demand: that takes longer than coding a small picture.
    """

    def __init__(self, networks: Networks) -> None:
        self.filters = {channels: own.new_filters() for channels, own in networks.items()}
        self.corrections = {channels: own.new_corrections() for channels, own in networks.items()}

    @cached_property
    def copies(self) -> copies.Copies:
        return copies.new_copies()


def encode_tile(networks: Networks, images: Images, modes: list[int] | None = None) -> bytes | None:
    """The stream of images (n, height, width, channels); None if it would not be shorter.

    `modes` are those of the parts of all images, in order; by default the shorter one is taken.
    """
    if modes is None and is_one_part(images):
        tried = (encode_tile(networks, images, [mode]) for mode in _likely_modes(images[0]))
        return min((stream for stream in tried if stream is not None), key=len, default=None)
    memory, given = _Memory(networks), iter(modes or ())
    words = np.zeros(images.size // WORD_BYTES + 1, np.uint32)
    coder = new_encoder(words)
    for image in images:
        for part in _parts(image):
            mode = next(given) if modes else _shorter_mode(networks, part)
            _encode_mode(coder, mode)
            _code(coder, networks, memory, part, mode, False)
            if coder.place[1]:
                return None
    data = finished(coder)
    return data if len(data) < images.nbytes else None


def decode_tile(networks: Networks, data: bytes, images: Images) -> list[int]:
    """Decode into images (n, height, width, channels); return the modes of their parts.

    Raises ValueError for data that no encoder writes, where this is detectable.
    """
    memory, modes = _Memory(networks), []
    words = np.frombuffer(data + bytes(-len(data) % WORD_BYTES), dtype=">u4").astype(np.uint32)
    coder = new_decoder(words)
    for image in images:
        parts = list(_parts(image))
        for part in parts:
            modes.append(int(_decode_mode(coder)))
            _code(coder, networks, memory, part, modes[-1], True)
            if coder.place[1]:
                raise ValueError("the range coder's data is invalid")
        np.concatenate(parts, axis=2, out=image)
    return modes


def is_one_part(images: Images) -> bool:
    """Whether images (n, height, width, channels) are one image without alpha."""
    return len(images) == 1 and images.shape[3] in (GREY, RGB)


def _parts(image: Images) -> Iterator[Images]:
    """Colour or grey, then alpha, of an image (height, width, channels), as separate arrays."""
    channels = image.shape[2]
    colour = RGB if channels >= RGB else GREY
    yield np.array(image[:, :, :colour], order="C")
    if channels > colour:
        yield np.array(image[:, :, colour:], order="C")


def _shorter_mode(networks: Networks, part: Images) -> int:
    lengths, modes = [], _likely_modes(part)
    if len(modes) == 1:
        return modes[0]
    for mode in modes:
        coder = new_encoder(np.zeros(part.size // WORD_BYTES + 1, np.uint32))
        _code(coder, networks, _Memory(networks), part, mode, False)
        lengths.append(part.nbytes if coder.place[1] else len(finished(coder)))
    return modes[lengths.index(min(lengths))]


def _likely_modes(part: Images) -> tuple[int, ...]:
    """Both modes if copies may be shorter."""
    if _is_alike(part) or _has_few_colours(part):
        return NETWORK, COPIES
    return (NETWORK,)


def _is_alike(part: Images) -> bool:
    """Whether many pixels equal the one to the left or above."""
    left = (part[:, 1:] == part[:, :-1]).all(2)
    above = (part[1:] == part[:-1]).all(2)
    alike = int(left.sum()) + int(above.sum())
    return bool(alike >= ALIKE * max(left.size + above.size, 1))


def _has_few_colours(part: Images) -> bool:
    weights = 1 << 8 * np.arange(part.shape[2])
    return len(np.unique(part @ weights)) <= min(FEW_COLOURS, part[..., 0].size // 8)


def _code(
    coder: range_coder.Coder,
    networks: Networks,
    memory: _Memory,
    part: Images,
    mode: int,
    decoding: bool,
) -> None:
    if mode == COPIES:
        copies.code_image(coder, part, memory.copies, decoding)
    else:
        channels = part.shape[2]
        network = networks[channels].for_kernel
        learned = memory.filters[channels], memory.corrections[channels]
        kernel.code_image(coder, part, network, TABLES, *learned, decoding)


@threaded
def _encode_mode(coder: Any, mode: Any) -> Any:
    half = range_coder.TOTAL // 2
    range_coder.encode(coder, mode * half, half)


@threaded
def _decode_mode(coder: Any) -> Any:
    half = range_coder.TOTAL // 2
    mode = range_coder.look_up(coder) // half
    range_coder.accept(coder, mode * half, half)
    return mode
