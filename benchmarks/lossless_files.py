"""Pictures as files of one lossless codec: bytes on disk, times, and a check of the pixels."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

import recvae
from recvae.codec.container import ContainerReader
from recvae.codec.models import lossless_models, shipped_model_for
from recvae.evaluation.lossless_codecs import LosslessCodec
from recvae.evaluation.reference_codecs import mosaics
from recvae.images.spec import ImageSpec

T = TypeVar("T")
Pixels: TypeAlias = NDArray[np.uint8]
"""Images of one size, grey (n, height, width) or RGB (n, height, width, 3)."""

OURS = "recvae"
AUTO = "photos or, of up to 64 × 64 pixels, thumbnails if that is shorter"
SHORT_SECONDS = 1.0  # shorter work is done twice: the first time may compile or fill caches
CLOCK_SECONDS = 1e-6  # stands for an unmeasurably short CPU time


@dataclass(frozen=True)
class Part:
    """The contents of one file: a picture, or an array of many images.

    Fields:
        data: the folder or file that it comes from.
        name: its name.
        pixels: one picture, or many images.
    """

    data: str
    name: str
    pixels: Pixels


@dataclass(frozen=True)
class Measured:
    """A part as a file of one codec; seconds are of the wall clock, CPU seconds of all threads."""

    data: str
    name: str
    codec: str
    values: int
    pixels: int
    file_bytes: int
    encode_seconds: float
    encode_cpu_seconds: float
    decode_seconds: float
    decode_cpu_seconds: float

    @property
    def bits_per_sub_pixel(self) -> float:
        """Bits of the file per sub-pixel; an RGB pixel has three, a grey one has one."""
        return 8 * self.file_bytes / self.values


@dataclass(frozen=True)
class Summary:
    """All files of one codec for one set of pictures.

    Megapixels a CPU second are the speed on one core that does nothing else.
    """

    data: str
    codec: str
    files: int
    file_bytes: int
    mean_bits_per_sub_pixel: float
    total_bits_per_sub_pixel: float
    encode_megapixels_per_second: float
    encode_megapixels_per_cpu_second: float
    decode_megapixels_per_second: float
    decode_megapixels_per_cpu_second: float


def ours(model: str | None) -> LosslessCodec:
    """recvae as a codec of one or many images (n, height, width, ...).

    It uses `model`, or for each part the one that `recvae compress` chooses without `--model`.
    """
    codec_named = cache(recvae.load)

    def encode(pixels: Pixels) -> bytes:
        channels = 3 if pixels.ndim == 4 else 1
        height, width = pixels.shape[1:3]
        names = [model] if model else lossless_models([ImageSpec(height, width, channels)])
        files = (codec_named(name).compress(pixels, channels=channels) for name in names)
        return min(files, key=len)

    def decode(file: bytes, channels: int) -> Pixels:
        header = ContainerReader(BytesIO(file)).header
        return np.asarray(codec_named(model or shipped_model_for(header, OURS)).decompress(file))

    return LosslessCodec(OURS, "recvae", None, f"Model {model or AUTO}.", encode, decode)


def measure(codec: LosslessCodec, part: Part, folder: Path) -> Measured:
    """Write the part as files in `folder`: one, except for arrays beyond a codec's largest picture.

    Other codecs than ours get an array as a mosaic. Ends the program if decoded pixels differ.
    """
    given = [part.pixels] if codec.name == OURS else list(_pictures(part.pixels))
    channels = 3 if part.pixels.ndim == 4 else 1
    files, encode = timed(lambda: [codec.encode(pixels) for pixels in given])
    paths = [folder / str(number) for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    size = sum(path.stat().st_size for path in paths)
    files = [path.read_bytes() for path in paths]
    decoded, decode = timed(lambda: [codec.decode(file, channels) for file in files])
    for before, after in zip(given, decoded, strict=True):
        if not np.array_equal(before, after):
            sys.exit(f"{codec.name}: another picture came back of {part.data}, {part.name}")
    values, pixels = part.pixels.size, part.pixels.size // channels
    return Measured(part.data, part.name, codec.name, values, pixels, size, *encode, *decode)


def summarised(rows: Sequence[Measured]) -> list[Summary]:
    """A summary for each set and codec, in order of appearance."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for row in rows:
        groups.setdefault((row.data, row.codec), []).append(row)
    return [_summary(*key, found) for key, found in groups.items()]


def timed(work: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    """Result of `work`, its seconds and CPU seconds, of the faster pass if short."""
    passes: list[tuple[float, float]] = []
    while not passes or (len(passes) < 2 and passes[0][0] < SHORT_SECONDS):
        cpu, started = time.process_time(), time.perf_counter()
        result = work()
        passes.append((time.perf_counter() - started, time.process_time() - cpu))
    return result, min(passes)


def _pictures(pixels: Pixels) -> Iterable[Pixels]:
    return pixels if len(pixels) == 1 else mosaics(pixels)


def _summary(data: str, codec: str, rows: Sequence[Measured]) -> Summary:
    def total(name: str) -> float:
        return sum(getattr(row, name) for row in rows)

    def speed(what: str) -> tuple[float, float]:
        megapixels = total("pixels") / 1e6
        cpu_seconds = max(total(f"{what}_cpu_seconds"), CLOCK_SECONDS)
        return megapixels / total(f"{what}_seconds"), megapixels / cpu_seconds

    num_bytes = sum(row.file_bytes for row in rows)
    mean = total("bits_per_sub_pixel") / len(rows)
    rate = 8 * num_bytes / total("values")
    return Summary(
        data, codec, len(rows), num_bytes, mean, rate, *speed("encode"), *speed("decode")
    )
