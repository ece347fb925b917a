"""Target: the streams of a group of pixelwise coded pictures. Inputs are as for `pictures`."""

from collections.abc import Iterator, Sequence

import numpy as np

from fuzz.invariants import refusal_is_one_line
from fuzz.pictures import joined, split
from fuzz.pixelwise_model import pictures_for, tiny_models
from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.tile import COPIES, NETWORK, encode_tile
from recvae.images.spec import ImageSpec

KINDS = (
    (1, ImageSpec(12, 19, 3), 1, None),
    (3, ImageSpec(14, 14), 1, None),
    (2, ImageSpec(9, 13, 4), 1, None),
    (1, ImageSpec(257, 3), 1, (256, 3)),
    (2, ImageSpec(4, 260, 2), 1, (4, 256)),
    (1, ImageSpec(1, 7, 3, levels=7), 1, None),
    (1, ImageSpec(8, 8), 1, (4, 8)),
    (1, ImageSpec(8, 8), 2, None),
)
"""Number of pictures in a group, their spec, layers, tiles; no encoder makes the last two."""
FILLERS = (b"", b"\xff" * 40, b"\x7f" + b"\xff" * 40, b"\x80" + bytes(7) + b"\x55" * 50)
PART = 128  # a bit of the first byte: also decode a part of the pictures


def seeds() -> Iterator[bytes]:
    """Streams of an encoder, in both modes, and streams that none writes."""
    for choice in range(len(tiny_models()) * len(KINDS)):
        model, (count, spec, _, tile) = _chosen(choice)
        pixels = pictures_for(spec.height, spec.width, spec.channels, count)
        whole = (tile is None or max(tile) == 256) and _group(choice, []).layers == 1
        if whole:
            streams = model.encode(pixels, count)[0][0].streams
            yield bytes([choice]) + joined(streams)
            yield bytes([choice | PART]) + joined(streams)
        if whole and tile is None:
            images = pixels.reshape(count, spec.height, spec.width, spec.channels)
            for modes in ([NETWORK, COPIES], [COPIES, COPIES, NETWORK]):
                stream = encode_tile(model.networks, images, modes * 2 * count)
                yield bytes([choice]) + (stream or b"")
        needed = len(_group(choice, []).streams)
        for filler in FILLERS:
            yield bytes([choice]) + joined([filler] * needed)


def check(data: bytes) -> None:
    """Check that it is refused or decodes, the same each time, and in parts."""
    choice, rest = (data[0] if data else 0), data[1:]
    model, (count, spec, _, _) = _chosen(choice)
    group = _group(choice, split(rest, len(_group(choice, []).streams)))
    with refusal_is_one_line():
        (written,) = model.written([group])
        pixels = model.decode([group])
        assert (pixels.dtype, pixels.shape) == (np.uint8, (count, *spec.shape))
        assert np.array_equal(model.decode([group, group]), np.concatenate([pixels, pixels]))
        if choice & PART:
            rows, columns = slice(1, spec.height), slice(0, 2)
            part = model.decode_area(group, rows, columns)
            assert np.array_equal(part, pixels[:, rows, columns])
        if written and not choice & PART:
            again = model.decode(model.encode(pixels, count)[0])
            assert np.array_equal(again, pixels)


def _chosen(
    choice: int,
) -> tuple[PixelwiseModel, tuple[int, ImageSpec, int, tuple[int, int] | None]]:
    """A model and a kind of group."""
    models, kinds = divmod(choice % PART, len(KINDS))
    return tiny_models()[models % len(tiny_models())], KINDS[kinds]


def _group(choice: int, streams: Sequence[bytes]) -> Group:
    """A group of a kind with these streams; missing ones are empty."""
    _, (count, spec, layers, tile) = _chosen(choice)
    needed = layers * num_tiles(spec, tile)
    return Group(count, spec, tuple([*streams, *[b""] * needed][:needed]), layers, tile)
