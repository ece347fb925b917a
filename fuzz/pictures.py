"""Target: the streams of a group of pictures, with arbitrary bytes for the range decoder.

An input is a byte of choices, then the streams, each except the last preceded by its length in a
byte.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from fuzz.invariants import refusal_is_one_line
from fuzz.picture_model import pictures_for, tiny_models
from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.image_coder import Pixels
from recvae.images.spec import ImageSpec

KINDS = (
    (1, ImageSpec(5, 9, 3), False, None),
    (3, ImageSpec(4, 4), False, None),
    (2, ImageSpec(9, 3, 3), True, None),
    (1, ImageSpec(257, 3), True, (256, 3)),
    (2, ImageSpec(4, 260, 3), False, (4, 256)),
    (1, ImageSpec(8, 8), False, (4, 8)),
)
"""Number of pictures in a group, their spec, whether layers are separate, tiles."""
BESIDE_OTHERS, PART = 64, 128  # bits of the first byte: further checks
MAX_STREAM = 255


def seeds() -> Iterator[bytes]:
    """Streams of an encoder, uncompressed pixels, and streams that no encoder writes."""
    for choice in range(len(tiny_models()) * len(KINDS)):
        model, (count, spec, _, tile) = _chosen(choice)
        pixels = pictures_for(spec.height, spec.width, spec.channels, count)
        empty = _group(choice, [])
        streams: Sequence[bytes] = [b""] * len(empty.streams)
        if tile is None and empty.layers == 1:
            streams = model.encode(pixels, count)[0][0].streams
            yield bytes([choice]) + pixels.tobytes()
        for flags in (0, BESIDE_OTHERS, PART):
            yield bytes([choice | flags]) + joined(streams)
        yield bytes([choice]) + joined([b"\xff" * 40] * len(streams))


def check(data: bytes) -> None:
    """Check that it is refused or decodes, the same beside others and in parts."""
    choice, rest = (data[0] if data else 0), data[1:]
    model, (count, spec, _, _) = _chosen(choice)
    group = _group(choice, split(rest, len(_group(choice, []).streams)))
    with refusal_is_one_line():
        (written,) = model.written([group])
        pixels = model.decode([group])
        assert (pixels.dtype, pixels.shape) == (np.uint8, (count, *spec.shape))
        assert model.quality_of(group) in (None, *range(1, 101))
        if written and choice & BESIDE_OTHERS:
            good = _group(choice, [b""] * len(group.streams))
            beside = model.decode([good, group, good])
            assert _alike(beside[count : 2 * count], pixels)
        if choice & PART:
            rows, columns = slice(1, spec.height - 1), slice(0, 2)
            part = model.decode_area(group, rows, columns)
            assert _alike(part, pixels[:, rows, columns])
            layers = model.preview([group], 1)
            assert layers.shape == pixels.shape
            assert model.layers > 1 or _alike(layers, pixels)


def _alike(left: Pixels, right: Pixels) -> bool:
    """Whether pictures differ by at most 1, as sums in another order may."""
    return bool((np.abs(left.astype(int) - right) <= 1).all())


@cache
def _models() -> list[PictureModel]:
    return tiny_models()


def _chosen(
    choice: int,
) -> tuple[PictureModel, tuple[int, ImageSpec, bool, tuple[int, int] | None]]:
    """A model and a kind of group, by the lower six bits of a choice."""
    models, kinds = divmod(choice % BESIDE_OTHERS, len(KINDS))
    return _models()[models % len(_models())], KINDS[kinds]


def _group(choice: int, streams: Sequence[bytes]) -> Group:
    """A group of a kind with these streams; missing ones are empty."""
    model, (count, spec, apart, tile) = _chosen(choice)
    layers = model.layers if apart else 1
    needed = layers * num_tiles(spec, tile)
    return Group(count, spec, tuple([*streams, *[b""] * needed][:needed]), layers, tile)


def joined(streams: Sequence[bytes]) -> bytes:
    """Join streams, each except the last preceded by its length, to which it is cut if too long."""
    first = b"".join(bytes([len(s[:MAX_STREAM])]) + s[:MAX_STREAM] for s in streams[:-1])
    return first + streams[-1]


def split(data: bytes, count: int) -> list[bytes]:
    """Split `count` streams, as joined by `joined`; fewer if the bytes end."""
    streams: list[bytes] = []
    while data and len(streams) < count - 1:
        end = 1 + data[0]
        streams.append(data[1:end])
        data = data[end:]
    return [*streams, data]
