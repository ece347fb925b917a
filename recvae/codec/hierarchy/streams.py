"""Streams of a tile: from the codes of its pictures to bytes, and from bytes to latents."""

from collections.abc import Sequence
from dataclasses import dataclass

from recvae.codec.hierarchy.draws import draw_latents
from recvae.codec.hierarchy.layout import Integers
from recvae.codec.hierarchy.payload import (
    LayerCode,
    decode_layer,
    decode_quality,
    encode_layer,
    encode_quality,
)
from recvae.codec.hierarchy.tables import LayerTables
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder

PictureCode = Sequence[LayerCode]
"""A picture's code of each layer."""


def encode_streams(
    tables: Sequence[LayerTables], pictures: Sequence[PictureCode], quality: int, separate: bool
) -> list[bytes]:
    """The streams of a tile: one for all layers, or one for each.

    A stream holds its layers one after the other, of each layer all pictures.
    """
    layers = range(len(tables))
    encoded = []
    for part in [[layer] for layer in layers] if separate else [layers]:
        encoder = RangeEncoder()
        if 0 in part:
            encode_quality(encoder, quality)
        for layer in part:
            for code in pictures:
                before = code[layer - 1].classes if layer else None
                encode_layer(encoder, tables[layer], code[layer], before, quality)
        encoded.append(encoder.finish())
    return encoded


@dataclass(frozen=True, eq=False)
class Received:
    """What the streams of a tile hold.

    Fields:
        quality: of all its pictures.
        codes: of each picture, its code of each layer that is there.
    """

    quality: int
    codes: list[list[LayerCode]]


def decode_streams(
    tables: Sequence[LayerTables],
    streams: Sequence[bytes],
    count: int,
    shapes: Sequence[tuple[int, int]],
    separate: bool,
    checking: bool = False,
) -> Received:
    """What streams of `count` pictures hold.

    Args:
        tables: of all layers.
        streams: of the tile: one of all layers, or one of each of the first so many.
        count: pictures in the tile.
        shapes: height and width of each layer, positions.
        separate: whether each layer has a stream of its own.
        checking: also refuse what decodes but is not what an encoder would write.

    Raises ValueError for data that no encoder writes, where it can tell.
    """
    codes: list[list[LayerCode]] = [[] for _ in range(count)]
    layers = range(len(tables))
    quality = 0
    parts = [[layer] for layer in layers] if separate else [layers]
    for part, stream in zip(parts, streams, strict=False):
        decoder = CheckingRangeDecoder(stream) if checking else RangeDecoder(stream)
        if 0 in part:
            quality = decode_quality(decoder)
        for layer in part:
            for code in codes:
                before = code[layer - 1].classes if layer else None
                code.append(
                    decode_layer(decoder, tables[layer], 1, shapes[layer], before, quality)
                )
        if isinstance(decoder, CheckingRangeDecoder) and not decoder.is_whole():
            raise ValueError("a stream is not what an encoder writes")
    return Received(quality, codes)


def latents_of(
    tables: Sequence[LayerTables], key: int, layer: int, code: LayerCode
) -> Integers:
    """Latents of a layer of a picture, (positions, channels) int64 in units of 2^-28."""
    height, width = code.shape
    return draw_latents(
        tables[layer].layout, layer, key, code.blocks, code.bins, code.ranks, height * width
    )
