"""Converts a decoder with integer layers to the form for its kernels."""

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from recvae.exact import FixedPoint, IntegerDense
from recvae.exact.frequencies import exponential_table
from recvae.kernels.layers import Layer, Residual, new_layer
from recvae.vae.networks.pointer.exact.kernel import Network, Numbers, Round

if TYPE_CHECKING:
    from recvae.vae.networks.pointer.decoder import PointerDecoder

MAX_LIMIT = (1 << 14) - 1  # a logit and a gate together fit 16 bits
MAX_INT32 = (1 << 31) - 1
MAX_BIAS = 1 << 30  # beside 64 sums of at most 2^24


def to_kernel(decoder: "PointerDecoder", number: FixedPoint) -> Network:
    """Convert all but the maps. ValueError for a number format that its sums do not fit."""
    arguments: Any = decoder.arguments
    size, limit = arguments.width // arguments.heads, number.limit
    if limit > MAX_LIMIT or (size + size % 2) * limit * limit > MAX_INT32:
        raise ValueError(f"number.magnitude_bits is {number.magnitude_bits}: too many for pointers")
    rounds = tuple(
        Round(
            known=_layer(own.known),
            query=_layer(own.query),
            key=_layer(own.key),
            value=_layer(own.value),
            out=_layer(own.out),
            block=_residual(own.block),
        )
        for own in decoder.rounds
    )
    numbers = Numbers(
        arguments.flag_radius,
        arguments.radius,
        arguments.flag_width,
        arguments.width,
        arguments.heads,
        number.fraction_bits,
        limit,
    )
    return Network(
        flag_values=_table(decoder.flag_values),
        flag_join=_layer(decoder.flag_join),
        flag_blocks=tuple(_residual(own) for own in decoder.flag_blocks),
        flag=_layer(decoder.flag),
        values=_table(decoder.values),
        rows=_table(decoder.rows),
        columns=_table(decoder.columns),
        join=_layer(decoder.join),
        block=_residual(decoder.block),
        rounds=rounds,
        memory=_table(decoder.memory),
        last=_residual(decoder.last),
        law=_layer(decoder.law),
        none=np.concatenate([_table(own.none) for own in decoder.rounds]),
        exponentials=exponential_table(number.fraction_bits).numpy().astype(np.int32),
        numbers=numbers,
    )


def _table(embedding: Any) -> np.ndarray:
    return np.ascontiguousarray(embedding.table.cpu().numpy())


def _layer(dense: nn.Module) -> Layer:
    assert isinstance(dense, IntegerDense)
    if dense.bias.numel() and int(dense.bias.long().abs().max()) > MAX_BIAS:
        raise ValueError(f"a bias is beyond {MAX_BIAS}: sums would leave 32 bits")
    weight, bias, shift = (part.cpu().numpy() for part in (dense.weight, dense.bias, dense.shift))
    return new_layer(weight, bias, shift, dense.low)


def _residual(block: Any) -> Residual:
    return Residual(_layer(block.first), _layer(block.second))
