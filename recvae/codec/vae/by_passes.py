"""Pixels given latents, pass by pass: for decoders that define `passes`.

All images of a batch are evaluated together; each pixel gets the frequencies of all its symbols.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder
from recvae.codec.vae.coded_pixels import CodedPixels, PixelCoding, Write
from recvae.codec.vae.parts import VaeParts
from recvae.exact import PRECISION_BITS, exact_arithmetic, frequencies
from recvae.rec.devices import to_cpu
from recvae.vae.networks.passes import Pass, run_passes

Coded: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Symbols (n,) and their frequencies (n, classes)."""


@dataclass(frozen=True)
class CodedPass:
    """Symbols (n,), their frequencies (n, classes) and images (n,)."""

    symbols: NDArray[np.int32]
    frequencies: NDArray[np.int32]
    images: NDArray[np.int32]

    @classmethod
    def joined(cls, passes: Sequence["CodedPass"]) -> "CodedPass":
        """Passes with the same number of classes, concatenated."""
        if len(passes) == 1:
            return passes[0]
        return cls(
            np.concatenate([step.symbols for step in passes]),
            np.concatenate([step.frequencies for step in passes]),
            np.concatenate([step.images for step in passes]),
        )

    def by_group(self, group_numbers: NDArray[np.int64], num_groups: int) -> list[Coded]:
        """Split by group, in order; group_numbers: (images,), -1 for images left out."""
        groups = group_numbers[self.images]
        symbols, rows = self.symbols, self.frequencies
        if (np.diff(groups) < 0).any():
            order = np.argsort(groups, kind="stable")
            symbols, rows, groups = symbols[order], rows[order], groups[order]
        ends = np.searchsorted(groups, np.arange(num_groups + 1))
        return [(symbols[a:b], rows[a:b]) for a, b in pairwise(ends)]


class ByPasses(PixelCoding):
    """The passes of a model, with constriction's range coder."""

    def __init__(self, model: VaeParts) -> None:
        self.model = model

    def new_encoder(self) -> RangeEncoder:
        """See `PixelCoding.new_encoder`."""
        return RangeEncoder()

    def new_decoder(self, data: bytes) -> RangeDecoder:
        """See `PixelCoding.new_decoder`."""
        return RangeDecoder(data)

    def checking_decoder(self, data: bytes) -> CheckingRangeDecoder:
        """See `PixelCoding.checking_decoder`."""
        return CheckingRangeDecoder(data)

    def code(self, z: Tensor, images: Tensor) -> "CodedPasses":
        """See `PixelCoding.code`."""
        return CodedPasses(code_pixels(self.model, z, images), len(images))

    def decode(
        self, z: Tensor, decoders: Sequence[RangeDecoder], counts: Sequence[int]
    ) -> NDArray[np.uint8]:
        """See `PixelCoding.decode`."""
        answer = partial(_decode_pass, self.model, decoders, np.cumsum(counts)[:-1])
        with exact_arithmetic():
            passes = self.model.decoder.passes(z.to(self.model.device))
            return run_passes(passes, answer).cpu().numpy().astype(np.uint8)


@dataclass(frozen=True)
class CodedPasses(CodedPixels):
    """The passes of some images, in order."""

    passes: list[CodedPass]
    num_images: int

    @property
    def bits(self) -> NDArray[np.float64]:
        """See `CodedPixels.bits`."""
        return pixel_bits(self.passes, self.num_images)

    def by_group(self, group_numbers: NDArray[np.int64], num_groups: int) -> list[Write]:
        """See `CodedPixels.by_group`."""
        parts = [step.by_group(group_numbers, num_groups) for step in self.passes]

        def write(group: int, encoder: RangeEncoder) -> None:
            for part in parts:
                encoder.encode(*part[group])

        return [partial(write, group) for group in range(num_groups)]


def code_pixels(model: VaeParts, z: Tensor, images: Tensor) -> list[CodedPass]:
    """Run the exact decoder on latents (n, D) with the true pixels (n, h, w) uint8.

    Consecutive passes with the same number of classes are joined into one.
    """
    parts: list[Tensor] = []
    with exact_arithmetic():
        model.trace.begin_batch(z)
        passes = model.decoder.known_passes(z.to(model.device), images.to(model.device))
        for step, symbols in passes:
            if tables := [table for _, table in _frequency_tables(model, step)]:
                counts = torch.cat(tables) if len(tables) > 1 else tables[0]
                parts += (symbols.int(), counts, step.images.int())
    arrays = [part.numpy() for part in to_cpu(parts)]
    coded = map(CodedPass, arrays[::3], arrays[1::3], arrays[2::3])
    runs = groupby(coded, key=lambda step: step.frequencies.shape[1])
    return [CodedPass.joined(list(run)) for _, run in runs]


def pixel_bits(passes: Sequence[CodedPass], num_images: int) -> NDArray[np.float64]:
    """Ideal code length of each image's pixels, (num_images,)."""
    total = np.zeros(num_images)
    for step in passes:
        counts = np.take_along_axis(step.frequencies, step.symbols[:, None].astype(int), 1)[:, 0]
        cost = PRECISION_BITS - np.log2(counts.astype(np.float64))
        total += np.bincount(step.images, weights=cost, minlength=num_images)
    return total


def _decode_pass(
    model: VaeParts, decoders: Sequence[RangeDecoder], group_ends: NDArray[np.int64], step: Pass
) -> Tensor:
    """The symbols of a pass; each group but the last ends before its image in `group_ends`."""
    inner: list[int] = []
    if len(group_ends):
        inner = np.searchsorted(step.images.cpu().numpy(), group_ends).tolist()
    bounds = list(pairwise([0, *inner, len(step.images)]))
    symbols = [np.zeros(0, dtype=np.int32)]
    for piece, counts in _frequency_tables(model, step):
        table = counts.cpu().numpy()
        for decoder, (start, stop) in zip(decoders, bounds, strict=True):
            first, last = max(start, piece.start), min(stop, piece.stop)
            if first < last:
                part = table[first - piece.start : last - piece.start]
                symbols.append(decoder.decode(part))
    return torch.from_numpy(np.concatenate(symbols).astype(np.int64)).to(step.images.device)


def _frequency_tables(model: VaeParts, step: Pass) -> Iterator[tuple[slice, Tensor]]:
    """The frequencies (m, classes) int32 of each piece of a pass, in order."""
    model.trace.begin_pass(step.classes)
    for piece in step.pieces():
        logits = step.logits_at(piece)
        counts = frequencies(logits, model.number.fraction_bits)
        model.trace.add_piece(logits, counts)
        yield piece, counts
