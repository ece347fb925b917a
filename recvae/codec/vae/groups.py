"""Groups of images to bytes and back.

The stream of a group is one range coder's output, with the images in order within each step:

1. one symbol an image: 0 coded by the model, 1 stored;
2. the latents of the images that the model codes, as its latent codec writes them: for blocks, the
   bins, uniform over J_d intervals in each dimension; then the buckets of the ranks; then the
   offsets within the buckets;
3. for each pass of the decoder: the symbols of those images;
4. the pixels of the stored images, uniform over 256 values.

A group that would take at least as many bytes as its pixels is stored as those pixels; a payload of
that length says so.

The sender regenerates the latents from the code it writes and runs the same decoder as the
receiver, so both see the same frequencies.
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

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.latents import LatentCodec, join_codes
from recvae.codec.vae.parts import VaeParts
from recvae.errors import InputError
from recvae.exact import PRECISION_BITS, TOTAL, exact_arithmetic, frequencies
from recvae.rec import Code, DiagonalGaussian
from recvae.rec.devices import to_cpu
from recvae.vae.information import posterior
from recvae.vae.networks.passes import Pass, run_passes

# Images that the model would expand are rare; storing one costs 16 bits on top of its pixels.
STORED = np.array([TOTAL - 256, 256], dtype=np.int32)
BYTE_BITS = 8


@dataclass(frozen=True)
class Bits:
    """Ideal code lengths in bits by what they pay for, each (images,) float64.

    Fields:
        bins, ranks: those of the latents.
        pixels: given the latents.
        stored: pixels of the images stored as they are, and the symbols that mark them.
        kl: KL[q(z|x) || p(z)], the least that the latents cost; not part of the file.
        capped: whether the search for an image's latents hit its cap, (images,) bool; not bits.
    """

    bins: NDArray[np.float64]
    ranks: NDArray[np.float64]
    pixels: NDArray[np.float64]
    stored: NDArray[np.float64]
    kl: NDArray[np.float64]
    capped: NDArray[np.bool_]


Coded: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Symbols (n,) and their frequencies (n, classes)."""


@dataclass(frozen=True)
class _CodedPass:
    """Symbols (n,), their frequencies (n, classes) and images (n,)."""

    symbols: NDArray[np.int32]
    frequencies: NDArray[np.int32]
    images: NDArray[np.int32]

    @classmethod
    def joined(cls, passes: Sequence["_CodedPass"]) -> "_CodedPass":
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


def encode_groups(
    model: VaeParts, pixels: NDArray[np.uint8], group_size: int
) -> tuple[list[bytes], Bits]:
    """Code images (n, h, w) in groups of `group_size`, the last of which may be smaller."""
    latents = model.latents
    images = torch.from_numpy(pixels)
    there = images.to(model.device)
    with exact_arithmetic():
        target = posterior(model.encoder, there)
        sent = latents.send(target, images)
        codes = sent.codes
        passes = code_pixels(model, latents.receive(codes), there)
    bits = _count_bits(
        model, target, latents.bits(codes), pixel_bits(passes, len(pixels)), sent.capped.numpy()
    )
    stored = bits.pixels == 0  # no coded image is free: a frequency is below 2^24
    every = np.arange(len(pixels))
    members = [every[start : start + group_size] for start in range(0, len(pixels), group_size)]
    group_numbers = np.where(stored, -1, every // group_size)
    parts = [step.by_group(group_numbers, len(members)) for step in passes]
    groups = [
        _encode_group(latents, pixels, numbers, stored, codes, [part[group] for part in parts])
        for group, numbers in enumerate(members)
    ]
    return groups, bits


def code_pixels(model: VaeParts, z: Tensor, images: Tensor) -> list[_CodedPass]:
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
    coded = map(_CodedPass, arrays[::3], arrays[1::3], arrays[2::3])
    runs = groupby(coded, key=lambda step: step.frequencies.shape[1])
    return [_CodedPass.joined(list(run)) for _, run in runs]


def pixel_bits(passes: Sequence[_CodedPass], num_images: int) -> NDArray[np.float64]:
    """Ideal code length of each image's pixels, (num_images,)."""
    total = np.zeros(num_images)
    for step in passes:
        counts = np.take_along_axis(step.frequencies, step.symbols[:, None].astype(int), 1)[:, 0]
        cost = PRECISION_BITS - np.log2(counts.astype(np.float64))
        total += np.bincount(step.images, weights=cost, minlength=num_images)
    return total


def decode_groups(
    model: VaeParts,
    payloads: Sequence[bytes],
    num_images: Sequence[int],
) -> NDArray[np.uint8]:
    """The images (n, h, w) of groups, in order; group i holds num_images[i] of them.

    Raises InputError for a payload that no encoder writes.
    """
    spec = model.spec
    in_full = [
        len(payload) == count * spec.raw_bytes
        for payload, count in zip(payloads, num_images, strict=True)
    ]
    coded = [i for i, full in enumerate(in_full) if not full]
    try:
        decoded = iter(
            decode_streams(
                model,
                [RangeDecoder(payloads[i]) for i in coded],
                [num_images[i] for i in coded],
            )
        )
    except ValueError as error:
        raise InputError(f"a group holds what no encoder writes: {error}") from error
    groups = [
        np.frombuffer(payload, dtype=np.uint8).reshape(-1, *spec.shape) if full else next(decoded)
        for payload, full in zip(payloads, in_full, strict=True)
    ]
    return np.concatenate([np.zeros((0, *spec.shape), dtype=np.uint8), *groups])


def decode_streams(
    model: VaeParts,
    decoders: Sequence[RangeDecoder],
    num_images: Sequence[int],
) -> list[NDArray[np.uint8]]:
    """The images of each group that went through the range coder.

    Raises ValueError for data that no encoder writes, where this is detectable.
    """
    if not decoders:
        return []
    latents = model.latents
    stored = [
        decoder.decode_repeated(STORED, count).astype(bool)
        for decoder, count in zip(decoders, num_images, strict=True)
    ]
    coded_counts = [int((~flags).sum()) for flags in stored]
    with exact_arithmetic():
        codes = join_codes(map(latents.decode, decoders, coded_counts))
        z = latents.receive(codes)
        model.trace.begin_batch(z)
        answer = partial(_decode_pass, model, decoders, np.cumsum(coded_counts)[:-1])
        passes = model.decoder.passes(z.to(model.device))
        decoded = run_passes(passes, answer).cpu().numpy().astype(np.uint8)
    groups = []
    by_model = np.split(decoded, np.cumsum(coded_counts)[:-1])
    for decoder, flags, images in zip(decoders, stored, by_model, strict=True):
        group = np.empty((len(flags), *model.spec.shape), dtype=np.uint8)
        group[~flags] = images
        raw = decoder.decode_uniform(np.full(group[flags].size, 256))
        group[flags] = raw.reshape(-1, *model.spec.shape)
        groups.append(group)
    return groups


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


def _encode_group(
    latents: LatentCodec,
    pixels: NDArray[np.uint8],
    members: NDArray[np.int64],
    stored: NDArray[np.bool_],
    codes: Sequence[Code],
    passes: Sequence[Coded],
) -> bytes:
    encoder = RangeEncoder()
    encoder.encode(stored[members].astype(np.int32), STORED)
    coded = members[~stored[members]]
    latents.encode(encoder, [code[torch.from_numpy(coded)] for code in codes])
    for symbols, rows in passes:
        encoder.encode(symbols, rows)
    raw = pixels[members[stored[members]]].flatten()
    encoder.encode_uniform(raw, np.full(len(raw), 256))
    payload = encoder.finish()
    in_full = pixels[members].tobytes()
    return payload if len(payload) < len(in_full) else in_full


def _count_bits(
    model: VaeParts,
    target: DiagonalGaussian,
    latent_bits: tuple[NDArray[np.float64], NDArray[np.float64]],
    pixels: NDArray[np.float64],
    capped: NDArray[np.bool_],
) -> Bits:
    bins, ranks = latent_bits
    raw = float(BYTE_BITS * model.spec.raw_bytes)
    flag_bits = PRECISION_BITS - np.log2(STORED.astype(np.float64))
    is_stored = bins + ranks + pixels + flag_bits[0] > raw + flag_bits[1]
    coded = (~is_stored).astype(np.float64)
    return Bits(
        bins=bins * coded,
        ranks=ranks * coded,
        pixels=pixels * coded,
        stored=np.where(is_stored, raw + flag_bits[1], flag_bits[0]),
        kl=target.kl_bits().sum(dim=1).cpu().numpy(),
        capped=capped,
    )
