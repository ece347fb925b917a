"""A group of images to bytes and back.

The stream of a group, all in one range coder, images in order within every step:

1. one symbol an image: 0 coded by the model, 1 stored;
2. for each block of latents, for the images that the model codes: the bins, uniform over J_d
   intervals in each dimension; then the buckets of the ranks; then the places in the buckets;
3. for each pass of the decoder: the symbols of those images;
4. the pixels of the stored images, uniform over 256 values.

A group that would take as many bytes as its pixels is those pixels: a payload of that length is
told by it.

The sender regenerates the latents from the code it writes and runs the very decoder that the
receiver will run, so both see the same frequencies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.model import CodecModel
from recvae.codec.range_coder import Decoder, Encoder
from recvae.codec.ranks import decode_ranks, encode_ranks
from recvae.errors import InputError
from recvae.exact import PRECISION_BITS, TOTAL, exact_arithmetic, frequencies
from recvae.rec import Code, DiagonalGaussian
from recvae.vae.information import posterior
from recvae.vae.passes import Pass, run_passes

# Images that the model would expand are rare: stored, one costs 16 bits on top of its pixels.
STORED = np.array([TOTAL - 256, 256], dtype=np.int32)
PIXEL_BITS = 8
SENDER_SEED = 0  # of the sender's own randomness; no receiver needs it


@dataclass(frozen=True)
class Bits:
    """Where the bits of some images go; ideal code lengths, each (images,) float64.

    Fields:
        bins, ranks: of the latents.
        pixels: given the latents.
        stored: pixels of the images stored as they are, and the symbols that tell which.
        kl: KL[q(z|x) || p(z)], what the latents cost at least; not part of the file.
    """

    bins: NDArray[np.float64]
    ranks: NDArray[np.float64]
    pixels: NDArray[np.float64]
    stored: NDArray[np.float64]
    kl: NDArray[np.float64]


@dataclass(frozen=True)
class _CodedPass:
    """Symbols (n,), their frequencies (n, classes) and images (n,)."""

    symbols: NDArray[np.int32]
    frequencies: NDArray[np.int32]
    images: NDArray[np.int64]

    def of(self, images: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Symbols and frequencies of consecutive images, ascending."""
        if not len(images):
            return self.symbols[:0], self.frequencies[:0]
        rows: slice | NDArray[np.bool_]
        if images[-1] - images[0] + 1 == len(images):
            start, stop = np.searchsorted(self.images, [images[0], images[-1] + 1])
            rows = slice(start, stop)
        else:
            rows = np.isin(self.images, images)
        return self.symbols[rows], self.frequencies[rows]


def encode_groups(
    model: CodecModel, pixels: NDArray[np.uint8], group_size: int
) -> tuple[list[bytes], Bits]:
    """Code images (n, h, w) in groups of `group_size`, the last of which may be smaller."""
    images = torch.from_numpy(pixels)
    with exact_arithmetic():
        target = posterior(model.encoder, images)
        codes = send_latents(model, target)
        passes = code_pixels(model, receive_latents(model, codes), images)
    bits = _count_bits(model, target, codes, passes, len(pixels))
    stored = bits.pixels == 0  # no coded image is free: a frequency is below 2^24
    groups = [
        _encode_group(model, pixels, np.arange(start, stop), stored, codes, passes)
        for start, stop in _group_bounds(len(pixels), group_size)
    ]
    return groups, bits


def send_latents(model: CodecModel, target: DiagonalGaussian) -> list[Code]:
    """The code of each block of latents for posteriors (n, D), on CPU."""
    codes = []
    for block, coder in zip(model.blocks, model.coders, strict=True):
        index = list(block.dimensions)
        of_block = DiagonalGaussian(target.mean[:, index], target.scale[:, index])
        generator = torch.Generator().manual_seed(SENDER_SEED)
        code = coder.encode(of_block, model.key, generator)
        codes.append(Code(code.bins.cpu(), code.ranks.cpu()))
    return codes


def receive_latents(model: CodecModel, codes: Sequence[Code]) -> Tensor:
    """Latents (n, D) from the codes of all blocks, int64 in units of 2^-28, on CPU."""
    first = codes[0].bins
    z = first.new_empty(len(first), model.architecture.latent_dim)
    for block, coder, code in zip(model.blocks, model.coders, codes, strict=True):
        z[:, list(block.dimensions)] = coder.decode(code, model.key)
    return z


def code_pixels(model: CodecModel, z: Tensor, images: Tensor) -> list[_CodedPass]:
    """Run the exact decoder on latents (n, D) with the true pixels (n, h, w) uint8."""
    coded: list[_CodedPass] = []
    z = z.to(model.device)
    values = images.to(model.device).flatten().long()
    image_size = images[0].numel() if len(images) else 1

    def answer(step: Pass) -> Tensor:
        symbols = step.symbols_of(values[step.sites])
        tables = [np.zeros((0, step.classes), dtype=np.int32)]
        tables += [table for _, table in _frequency_tables(model, step)]
        coded.append(
            _CodedPass(
                symbols.int().cpu().numpy(),
                np.concatenate(tables) if len(tables) > 2 else tables[-1],
                (step.sites // image_size).cpu().numpy(),
            )
        )
        return symbols

    with exact_arithmetic():
        run_passes(model.decoder.passes(z), answer)
    return coded


def pixel_bits(passes: Sequence[_CodedPass], num_images: int) -> NDArray[np.float64]:
    """Ideal code length of each image's pixels, (num_images,)."""
    total = np.zeros(num_images)
    for step in passes:
        of_symbol = np.take_along_axis(step.frequencies, step.symbols[:, None].astype(int), 1)[:, 0]
        cost = PRECISION_BITS - np.log2(of_symbol.astype(np.float64))
        total += np.bincount(step.images, weights=cost, minlength=num_images)
    return total


def decode_groups(
    model: CodecModel, payloads: Sequence[bytes], num_images: Sequence[int]
) -> NDArray[np.uint8]:
    """The images (n, h, w) of groups, in order, each of which holds num_images[i] of them.

    Raises InputError if a payload holds what no encoder writes.
    """
    height, width = model.image_shape
    in_full = [
        len(payload) == count * height * width
        for payload, count in zip(payloads, num_images, strict=True)
    ]
    coded = [i for i, full in enumerate(in_full) if not full]
    try:
        decoded = iter(
            decode_streams(
                model, [Decoder(payloads[i]) for i in coded], [num_images[i] for i in coded]
            )
        )
    except ValueError as error:
        raise InputError(f"a group holds what no encoder writes: {error}") from error
    groups = [
        np.frombuffer(payload, dtype=np.uint8).reshape(-1, height, width) if full else next(decoded)
        for payload, full in zip(payloads, in_full, strict=True)
    ]
    return np.concatenate([np.zeros((0, height, width), dtype=np.uint8), *groups])


def decode_streams(
    model: CodecModel, decoders: Sequence[Decoder], num_images: Sequence[int]
) -> list[NDArray[np.uint8]]:
    """The images of each group that went through the range coder.

    Raises ValueError for data that no encoder writes, where it can tell.
    """
    if not decoders:
        return []
    stored = [
        decoder.decode_repeated(STORED, count).astype(bool)
        for decoder, count in zip(decoders, num_images, strict=True)
    ]
    coded_counts = [int((~flags).sum()) for flags in stored]
    with exact_arithmetic():
        codes = _decode_codes(model, decoders, coded_counts)
        z = receive_latents(model, codes).to(model.device)
        answer = partial(_decode_pass, model, decoders, coded_counts)
        decoded = run_passes(model.decoder.passes(z), answer).cpu().numpy().astype(np.uint8)
    groups = []
    by_model = np.split(decoded, np.cumsum(coded_counts)[:-1])
    for decoder, flags, images in zip(decoders, stored, by_model, strict=True):
        group = np.empty((len(flags), *model.image_shape), dtype=np.uint8)
        group[~flags] = images
        raw = decoder.decode_uniform(np.full(group[flags].size, 256))
        group[flags] = raw.reshape(-1, *model.image_shape)
        groups.append(group)
    return groups


def _decode_codes(
    model: CodecModel, decoders: Sequence[Decoder], counts: Sequence[int]
) -> list[Code]:
    codes = []
    for block, rank_code in zip(model.blocks, model.rank_codes, strict=True):
        bins, ranks = [], []
        for decoder, count in zip(decoders, counts, strict=True):
            bins.append(decoder.decode_uniform(np.tile(block.intervals, count)))
            ranks.append(decode_ranks(decoder, rank_code, count))
        codes.append(
            Code(_int64(np.concatenate(bins)).reshape(-1, len(block.intervals)), torch.cat(ranks))
        )
    return codes


def _decode_pass(
    model: CodecModel, decoders: Sequence[Decoder], counts: Sequence[int], step: Pass
) -> Tensor:
    image_size = model.architecture.height * model.architecture.width
    ends = np.cumsum(counts)[:-1] * image_size
    ends = np.searchsorted(step.sites.cpu().numpy(), ends)
    symbols = [np.zeros(0, dtype=np.int32)]
    for piece, table in _frequency_tables(model, step):
        parts = np.split(table, (ends - piece.start).clip(0, len(table)))
        symbols += [decoder.decode(part) for decoder, part in zip(decoders, parts, strict=True)]
    return _int64(np.concatenate(symbols)).to(step.sites.device)


def _frequency_tables(model: CodecModel, step: Pass) -> Iterator[tuple[slice, NDArray[np.int32]]]:
    """The frequencies (m, classes) of each piece of a pass, in order."""
    for piece in step.pieces():
        counts = frequencies(step.logits_of(piece), model.number.fraction_bits)
        yield piece, counts.cpu().numpy()


def _encode_group(
    model: CodecModel,
    pixels: NDArray[np.uint8],
    members: NDArray[np.int64],
    stored: NDArray[np.bool_],
    codes: Sequence[Code],
    passes: Sequence[_CodedPass],
) -> bytes:
    encoder = Encoder()
    encoder.encode(stored[members].astype(np.int32), STORED)
    coded = members[~stored[members]]
    for block, rank_code, code in zip(model.blocks, model.rank_codes, codes, strict=True):
        of_group = code[torch.from_numpy(coded)]
        encoder.encode_uniform(
            of_group.bins.flatten().numpy(), np.tile(block.intervals, len(coded))
        )
        encode_ranks(encoder, rank_code, of_group.ranks)
    for step in passes:
        encoder.encode(*step.of(coded))
    raw = pixels[members[stored[members]]].flatten()
    encoder.encode_uniform(raw, np.full(len(raw), 256))
    payload = encoder.finish()
    in_full = pixels[members].tobytes()
    return payload if len(payload) < len(in_full) else in_full


def _count_bits(
    model: CodecModel,
    target: DiagonalGaussian,
    codes: Sequence[Code],
    passes: Sequence[_CodedPass],
    num_images: int,
) -> Bits:
    bins = np.full(num_images, sum(coder.partition.log2_bins for coder in model.coders))
    ranks = sum(
        (
            rank_code.bits(code.ranks).numpy()
            for rank_code, code in zip(model.rank_codes, codes, strict=True)
        ),
        start=np.zeros(num_images),
    )
    pixels = pixel_bits(passes, num_images)
    raw = float(PIXEL_BITS * model.architecture.height * model.architecture.width)
    flag_bits = PRECISION_BITS - np.log2(STORED.astype(np.float64))
    is_stored = bins + ranks + pixels + flag_bits[0] > raw + flag_bits[1]
    coded = (~is_stored).astype(np.float64)
    return Bits(
        bins=bins * coded,
        ranks=ranks * coded,
        pixels=pixels * coded,
        stored=np.where(is_stored, raw + flag_bits[1], flag_bits[0]),
        kl=target.kl_bits().sum(dim=1).cpu().numpy(),
    )


def _group_bounds(num_images: int, group_size: int) -> list[tuple[int, int]]:
    starts = range(0, num_images, group_size)
    return [(start, min(start + group_size, num_images)) for start in starts]


def _int64(values: NDArray[np.int32]) -> Tensor:
    return torch.from_numpy(values.astype(np.int64))
