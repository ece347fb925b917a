"""Groups of images to bytes and back.

The stream of a group is one range coder's output, with the images in order within each step:

1. one symbol an image: 0 coded by the model, 1 stored;
2. the latents of the images that the model codes, as its latent codec writes them: for blocks, the
   bins, uniform over J_d intervals in each dimension; then the buckets of the ranks; then the
   offsets within the buckets;
3. for each pass of the decoder: the symbols of those images; or, for a decoder with a kernel, the
   symbols of one image after the other;
4. the pixels of the stored images, uniform over 256 values.

A group that would take at least as many bytes as its pixels is stored as those pixels; a payload of
that length says so.

The sender regenerates the latents from the code it writes and runs the same decoder as the
receiver, so both see the same frequencies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.by_passes import ByPasses
from recvae.codec.vae.coded_pixels import CodedPixels, PixelCoding, Write
from recvae.codec.vae.latents import LatentCodec, join_codes
from recvae.codec.vae.parts import VaeParts
from recvae.errors import InputError
from recvae.exact import PRECISION_BITS, TOTAL, exact_arithmetic
from recvae.rec import Code, DiagonalGaussian
from recvae.vae.information import posterior

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


def pixel_coding(model: VaeParts) -> PixelCoding:
    """Return the coding of pixels for the decoder of a model."""
    if (kernel := model.decoder.kernel) is None:
        return ByPasses(model)
    from recvae.codec.vae.by_kernel import ByKernel  # which imports a compiler

    return ByKernel(model, kernel)


def encode_groups(
    model: VaeParts, pixels: NDArray[np.uint8], group_size: int
) -> tuple[list[bytes], Bits]:
    """Code images (n, h, w) in groups of `group_size`, the last of which may be smaller."""
    latents, coding = model.latents, pixel_coding(model)
    images = torch.from_numpy(pixels)
    there = images.to(model.device)
    with exact_arithmetic():
        target = posterior(model.encoder, there)
        sent = latents.send(target, images)
        codes = sent.codes
        coded = coding.code(latents.receive(codes), there)
    bits = _count_bits(model, target, latents.bits(codes), coded.bits, sent.capped.numpy())
    stored = bits.pixels == 0  # no coded image is free: a frequency is below 2^24
    every = np.arange(len(pixels))
    members = [every[start : start + group_size] for start in range(0, len(pixels), group_size)]
    group_numbers = np.where(stored, -1, every // group_size)
    writes = coded.by_group(group_numbers, len(members))
    groups = [
        _encode_group(latents, coding.new_encoder(), pixels, numbers, stored, codes, write)
        for numbers, write in zip(members, writes, strict=True)
    ]
    return groups, bits


def code_pixels(model: VaeParts, z: Tensor, images: Tensor) -> CodedPixels:
    """Run the exact decoder on latents (n, D) with the true pixels (n, h, w) uint8."""
    return pixel_coding(model).code(z, images)


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
    coded, coding = [i for i, full in enumerate(in_full) if not full], pixel_coding(model)
    try:
        decoded = iter(
            decode_streams(
                model,
                [coding.new_decoder(payloads[i]) for i in coded],
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
        decoded = pixel_coding(model).decode(z, decoders, coded_counts)
    groups = []
    by_model = np.split(decoded, np.cumsum(coded_counts)[:-1])
    for decoder, flags, images in zip(decoders, stored, by_model, strict=True):
        group = np.empty((len(flags), *model.spec.shape), dtype=np.uint8)
        group[~flags] = images
        raw = decoder.decode_uniform(np.full(group[flags].size, 256))
        group[flags] = raw.reshape(-1, *model.spec.shape)
        groups.append(group)
    return groups


def _encode_group(
    latents: LatentCodec,
    encoder: RangeEncoder,
    pixels: NDArray[np.uint8],
    members: NDArray[np.int64],
    stored: NDArray[np.bool_],
    codes: Sequence[Code],
    write: Write,
) -> bytes:
    encoder.encode(stored[members].astype(np.int32), STORED)
    coded = members[~stored[members]]
    latents.encode(encoder, [code[torch.from_numpy(coded)] for code in codes])
    write(encoder)
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
