"""Converts a decoder with integer layers to the form for its kernels."""

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from recvae.exact import FixedPoint, IntegerDense
from recvae.exact.frequencies import exponential_table
from recvae.kernels.layers import Residual, join_layers
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
    layers: list[tuple[Any, ...]] = []

    def add(dense: nn.Module) -> int:
        layers.append(_layer(dense))
        return len(layers) - 1

    def add_residual(block: Any) -> Residual:
        return Residual(add(block.first), add(block.second))

    rounds = tuple(
        Round(
            known=add(own.known),
            query=add(own.query),
            key=add(own.key),
            value=add(own.value),
            out=add(own.out),
            block=add_residual(own.block),
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
    network = Network(
        layers=None,
        flag_values=_table(decoder.flag_values),
        flag_join=add(decoder.flag_join),
        flag_blocks=tuple(add_residual(own) for own in decoder.flag_blocks),
        flag=add(decoder.flag),
        values=_table(decoder.values),
        rows=_table(decoder.rows),
        columns=_table(decoder.columns),
        join=add(decoder.join),
        block=add_residual(decoder.block),
        rounds=rounds,
        memory=_table(decoder.memory),
        last=add_residual(decoder.last),
        law=add(decoder.law),
        none=np.concatenate([_table(own.none) for own in decoder.rounds]),
        exponentials=exponential_table(number.fraction_bits).numpy().astype(np.int32),
        numbers=numbers,
    )
    return network._replace(layers=join_layers(layers))


def _table(embedding: Any) -> np.ndarray:
    return np.ascontiguousarray(embedding.table.cpu().numpy())


def _layer(dense: nn.Module) -> tuple[Any, ...]:
    """Weight, bias, shift and least output."""
    assert isinstance(dense, IntegerDense)
    if dense.bias.numel() and int(dense.bias.long().abs().max()) > MAX_BIAS:
        raise ValueError(f"a bias is beyond {MAX_BIAS}: sums would leave 32 bits")
    return *(part.cpu().numpy() for part in (dense.weight, dense.bias, dense.shift)), dense.low
