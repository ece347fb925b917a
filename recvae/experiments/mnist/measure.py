"""Measures one row: a real file written, read back and compared, and its bits by part."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import Tensor

from recvae.codec import Codec, CompressionReport
from recvae.codec.compression import container_header
from recvae.codec.container import ContainerWriter
from recvae.codec.vae.groups import Bits, encode_groups
from recvae.codec.vae.model import PARTS, load_vae
from recvae.experiments.mnist.bounds import Bound, cached_bound
from recvae.experiments.mnist.coders import Coding, make_coding
from recvae.experiments.mnist.images import fingerprint, load_images
from recvae.experiments.mnist.layouts import Training
from recvae.experiments.mnist.published import A_STAR, BITS_BACK, GREEDY_REJECTION, published_bpp
from recvae.experiments.mnist.rows import ALL_IMAGES, Row
from recvae.experiments.mnist.table import COLUMNS
from recvae.experiments.running import timed

PUBLISHED = {
    "partitioned ORC": GREEDY_REJECTION,
    "standard ORC": GREEDY_REJECTION,
    "GPRS": GREEDY_REJECTION,
    "A*": A_STAR,
    "bound": BITS_BACK,
}
"""The published method to compare a family with."""


@dataclass(frozen=True)
class Job:
    """Everything a process needs to measure a row.

    Fields:
        row: the row to measure.
        model: name or folder.
        root: folder with MNIST/raw; None for the package's images.
        seed: names the shared randomness and draws the samples for -ELBO.
        bounds: folder for -ELBO of the test images, shared by all rows of a model.
    """

    row: Row
    model: str
    root: str | None
    seed: int
    bounds: Path


def measure(job: Job) -> dict[str, Any]:
    """Measure all cells of a row, by column; see `table.COLUMNS`.

    Raises RuntimeError if the decoded images differ from the originals.
    """
    row, model = job.row, load_vae(job.model)
    images = load_images(job.root, "test", row.images)
    bound = cached_bound(model, images, fingerprint(job.root, "test"), job.seed, job.bounds)
    measured = dict.fromkeys(COLUMNS) | {
        "name": row.name,
        "family": row.family,
        "model": row.model,
        "latent_dim": row.latent_dim,
        "images": len(images),
        "negative_elbo_bpp": float(bound.bits.mean()) / count_pixels(images),
        "published_bpp": published_bpp(PUBLISHED.get(row.family, ""), row.latent_dim),
    }
    if row.family == "bound":
        return measured | _bound_cells(bound, images)
    training_images = load_images(job.root, "train", row.training_images)
    coding = make_coding(row, model, job.seed, Training.of(model, training_images))
    return measured | _file_cells(row, coding, images, bound) | {"peak_mb": peak_mb()}


def count_pixels(images: Tensor) -> int:
    """Number of pixels of one image."""
    return images[0].numel()


def peak_mb() -> float:
    """Peak memory of this process in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _bound_cells(bound: Bound, images: Tensor) -> dict[str, Any]:
    """The cells of -ELBO, which has no file."""
    pixels = count_pixels(images)
    return {
        "bits_per_pixel": float(bound.bits.mean()) / pixels,
        "standard_error_bpp": _standard_error(bound.bits, pixels),
        "pixels_bpp": float(bound.pixel_bits.mean()) / pixels,
    }


def _file_cells(row: Row, coding: Coding, images: Tensor, bound: Bound) -> dict[str, Any]:
    """The cells of a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "images.recvae"
        (report, bits), encode_seconds = timed(lambda: _write(path, row, coding, images))
        decoded, decode_seconds = timed(lambda: _read(path, row, coding))
        file_bytes = path.stat().st_size
    if not np.array_equal(decoded, images.numpy()):
        raise RuntimeError(f"{coding.model.name}: the decoded images differ from the originals")
    if file_bytes != report.sizes.total:
        raise RuntimeError(f"{coding.model.name}: the file's length differs from the report")
    count, pixels = len(images), count_pixels(images)
    overhead_bits = 8 * file_bytes / count - float(bound.bits.mean())
    return {
        "blocks": coding.calls,
        "log2_candidates": coding.log2_candidates,
        "bits_per_pixel": report.bits_per_pixel,
        "standard_error_bpp": _standard_error(
            bits.bins + bits.ranks + bits.pixels + bits.stored, pixels
        ),
        "bins_bpp": report.bits["bins"] / report.num_pixels,
        "ranks_bpp": report.bits["ranks"] / report.num_pixels,
        "pixels_bpp": (report.bits["pixels"] + report.bits["stored"]) / report.num_pixels,
        "container_bpp": report.container_bits / report.num_pixels,
        "overhead_bpp": overhead_bits / pixels,
        "overhead_bits": overhead_bits,
        "bias_bits": float((bits.pixels - bound.pixel_bits).mean()),
        "encode_seconds": encode_seconds / count,
        "decode_seconds": decode_seconds / count,
        "capped_images": int(bits.capped.sum()),
        "file_bytes": file_bytes,
    }


def _write(path: Path, row: Row, coding: Coding, images: Tensor) -> tuple[CompressionReport, Bits]:
    model, size = coding.model, row.group_size
    header = container_header(model, model.spec, size, plain=True)
    parts, sums = [], dict.fromkeys(PARTS, 0.0)
    with open(path, "wb") as stream:
        writer = ContainerWriter(stream, header)
        for batch in images.split(row.batch_size):
            payloads, bits = encode_groups(model, batch.numpy(), size)
            for index, payload in enumerate(payloads):
                writer.add_group(payload, min(size, len(batch) - index * size))
            sums = {part: sums[part] + float(getattr(bits, part).sum()) for part in PARTS}
            parts.append(bits)
        sizes = writer.finish()
    report = CompressionReport(
        writer.num_images, writer.num_pixels, writer.raw_bytes, sizes, bits=sums
    )
    return report, Bits(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Bits.__dataclass_fields__
        )
    )


def _read(path: Path, row: Row, coding: Coding) -> np.ndarray:
    with Codec(coding.model, batch_size=row.batch_size).open(path) as images:
        return images[:]


def _standard_error(bits: np.ndarray, pixels: int) -> float | None:
    """Standard error of the mean over a sample of the test set; None for the whole set."""
    if len(bits) == ALL_IMAGES:
        return None
    return float(bits.std(ddof=1)) / len(bits) ** 0.5 / pixels
