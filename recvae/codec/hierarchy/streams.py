"""Streams of a tile: the codes of its pictures to bytes and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recvae.codec.hierarchy.classes import decode_classes, encode_classes
from recvae.codec.hierarchy.layout import Integers
from recvae.codec.hierarchy.payload import LayerCode, decode_layer, encode_layer
from recvae.codec.hierarchy.tables import Tables
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY

QUALITIES = np.array([MAX_QUALITY - MIN_QUALITY + 1])


@dataclass(frozen=True, eq=False)
class PictureCode:
    """The code of a tile of a picture.

    Fields:
        quality: 1 to 100.
        classes: classes of its regions, (1, rows, columns).
        layers: the code of each layer present.
    """

    quality: int
    classes: Integers
    layers: list[LayerCode]


def encode_streams(tables: Tables, pictures: Sequence[PictureCode], separate: bool) -> list[bytes]:
    """Encode a tile of pictures of one quality: one stream for all layers, or one for each.

    The first begins with the quality and the classes of all pictures. A stream holds its layers one
    after the other, each for all pictures.
    """
    encoder, quality = RangeEncoder(), pictures[0].quality
    encoder.encode_uniform(np.array([quality - MIN_QUALITY]), QUALITIES)
    for picture in pictures:
        encode_classes(encoder, tables.classes, picture.classes, quality)
    streams = []
    for layer, layer_tables in enumerate(tables.layers):
        if layer and separate:
            streams.append(encoder.finish())
            encoder = RangeEncoder()
        for picture in pictures:
            encode_layer(encoder, layer_tables, picture.layers[layer])
    return [*streams, encoder.finish()]


def decode_streams(
    tables: Tables,
    streams: Sequence[bytes],
    count: int,
    shapes: Sequence[tuple[int, int]],
    separate: bool,
    checking: bool = False,
) -> list[PictureCode]:
    """Decode the streams of a tile of `count` pictures.

    Args:
        tables: the model's tables.
        streams: one for all layers or, if `separate`, those of the first layers.
        count: number of pictures.
        shapes: height and width of each layer in positions; the first is also that of the regions.
        separate: whether each layer has a stream of its own.
        checking: whether to refuse streams that decode but that an encoder would write differently.

    Raises ValueError for data that no encoder writes, where this is detectable.
    """
    make = CheckingRangeDecoder if checking else RangeDecoder
    decoders = [make(stream) for stream in streams]
    quality = read_quality(decoders[0])
    pictures = [
        PictureCode(
            quality, decode_classes(decoders[0], tables.classes, (1, *shapes[0]), quality), []
        )
        for _ in range(count)
    ]
    for layer, layer_tables in enumerate(tables.layers[: len(streams) if separate else None]):
        for picture in pictures:
            decoder = decoders[layer if separate else 0]
            code = decode_layer(decoder, layer_tables, picture.classes, shapes[layer])
            picture.layers.append(code)
    for decoder in decoders:
        if isinstance(decoder, CheckingRangeDecoder) and not decoder.is_whole():
            raise ValueError("a stream is not what an encoder writes")
    return pictures


def read_quality(decoder: RangeDecoder) -> int:
    """Read the quality, which begins the first stream of a tile."""
    return int(decoder.decode_uniform(QUALITIES)[0]) + MIN_QUALITY
