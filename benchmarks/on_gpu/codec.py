"""The codec on a GPU: golden files, and images to files and back on GPU and CPU."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

import recvae
from on_gpu.rows import DIFFERENT, Row, Run
from on_gpu.search import from_tests
from recvae.images import sample_images
from recvae.rec import partitioned
from recvae.rec.search import BestCandidates, SearchInputs, StoppingRule
from recvae.rec.search.dispatch import BackendFailureWarning

MODEL = "mnist"
IMAGES, BATCH_SIZE = 16384, 4096
CPU_IMAGES = 2048
"""Number of images coded on the CPU and decoded on the GPU."""

T = TypeVar("T")


def golden(run: Run) -> Iterator[Row]:
    """Check that z, logits, frequencies and pixels of the golden files are bit-identical."""
    check = from_tests("golden.check")
    ways, files = (check.EAGER[:1], check.FILES[-1:]) if run.dry else (check.CUDA, check.FILES)
    # Scans take hundreds of passes: they come last, so as not to use up the time of others.
    files = sorted(files, key=lambda file: "scans" in file.stem)
    for file in files:
        for way in ways:
            steps = check.differences(file, way)
            yield Row(
                file.stem, f"{DIFFERENT}: {', '.join(steps)}" if steps else "same", note=f"{way}"
            )


def codec(run: Run) -> Iterator[Row]:
    """Measure images a second with the model `mnist`, its networks and search on the GPU."""
    warnings.simplefilter("error", BackendFailureWarning)  # else eager torch would be measured
    count = 8 if run.dry else IMAGES // 4 if run.quick else IMAGES
    digits = sample_images()
    images = np.concatenate([digits] * -(-count // len(digits)))[:count]
    few = images[:CPU_IMAGES]
    on_gpu = recvae.load(MODEL, run.device, BATCH_SIZE)
    on_cpu = recvae.load(MODEL, "cpu")
    for codec in (on_gpu, on_cpu):
        codec.compress(few[:64])
    on_gpu.decompress(on_gpu.compress(images[:BATCH_SIZE]))
    with _searching(run.device) as search_s:
        packed, took_s = _timed(lambda: on_gpu.compress(images))
    yield Row(f"compress, {run.device}", count / took_s, "images/s", count)
    yield Row("of that, the search", f"{search_s[0] / took_s:.0%}", batch=count)
    unpacked, took_s = _timed(lambda: on_gpu.decompress(packed))
    yield Row(f"decompress, {run.device}", count / took_s, "images/s", count)
    yield _round_trip(f"{run.device} to {run.device}", images, unpacked)
    unpacked = on_cpu.decompress(on_gpu.compress(few))
    yield _round_trip(f"{run.device} to CPU", few, unpacked)
    packed, took_s = _timed(lambda: on_cpu.compress(few))
    yield Row("compress, CPU", len(few) / took_s, "images/s", len(few))
    yield _round_trip(f"CPU to {run.device}", few, on_gpu.decompress(packed))


def _round_trip(name: str, images: np.ndarray, back: object) -> Row:
    equal = isinstance(back, np.ndarray) and np.array_equal(images, back)
    return Row(name, "every byte" if equal else DIFFERENT, batch=len(images))


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


@contextmanager
def _searching(device: str) -> Iterator[list[float]]:
    """Measure the seconds of searches in the block, as one number; each waits for the GPU."""
    seconds, search = [0.0], partitioned.search

    def timed(
        inputs: SearchInputs, rule: StoppingRule, implementation: str, chunk_elements: int
    ) -> BestCandidates:
        _wait(device)
        found, took_s = _timed(lambda: search(inputs, rule, implementation, chunk_elements))
        _wait(device)
        seconds[0] += took_s
        return found

    partitioned.search = timed
    try:
        yield seconds
    finally:
        partitioned.search = search


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
