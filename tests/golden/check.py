"""Decode the golden files in every way: `PYTHONPATH=tests python -m golden.check [compiled]`.

Prints a line for each way and exits with status 1 if a step differs. It needs only what decoding
needs, so it runs with any installed `recvae`.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

import recvae
from golden.compiled import Compiled, compile_network
from golden.steps import FILES, decode_steps, digests, model_folder
from recvae.codec import Codec


@dataclass(frozen=True)
class Way:
    """How to decode.

    Fields:
        threads: number of torch's threads.
        batch_size: images per batch, rounded up to whole groups.
        onednn: whether torch may use it.
        carrier: floating-point type that carries the integers.
        precision: the surrounding program's setting for float32 products.
        device: cpu or cuda.
        compiled: whether torch.compile compiles the network, all between two passes as one graph.
    """

    threads: int = 1
    batch_size: int = 64
    onednn: bool = True
    carrier: torch.dtype = torch.float32
    precision: str = "highest"
    device: str = "cpu"
    compiled: bool = False

    def __str__(self) -> str:
        onednn, compiled = "oneDNN" if self.onednn else "no oneDNN", " compiled" * self.compiled
        carrier = str(self.carrier).removeprefix("torch.")
        return (
            f"{self.device} {self.threads} threads, batch {self.batch_size}, {onednn}, "
            f"{carrier} {self.precision}{compiled}"
        )


F32, F64 = torch.float32, torch.float64

# Every pair of values of any two of the first four fields occurs.
EAGER = (
    Way(1, 1, True, F32),
    Way(2, 1, False, F64),
    Way(2, 7, True, F32, "medium"),
    Way(1, 7, False, F64),
    Way(2, 4096, False, F32, "medium"),
    Way(1, 4096, True, F64),
)
COMPILED = (Way(2, 7, compiled=True),)
CUDA = tuple(
    Way(batch_size=batch_size, carrier=carrier, precision="medium", device="cuda")
    for batch_size in (1, 7, 4096)
    for carrier in (F32, F64)
)


@cache
def codec_for(model: str, way: Way) -> tuple[Codec, list[Compiled]]:
    """The codec of a golden file's model for a way, and its compiled functions."""
    codec = recvae.load(model_folder(model), way.device, way.batch_size)
    codec.model.decoder.to(way.carrier)
    return codec, compile_network(codec.model.decoder.decoder) if way.compiled else []


@contextmanager
def settings(way: Way) -> Iterator[None]:
    """Apply the process settings of a way for the block."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    onednn = torch.backends.mkldnn.flags(way.onednn, deterministic=None, allow_tf32=None)
    torch.set_num_threads(way.threads)
    torch.set_float32_matmul_precision(way.precision)
    try:
        with onednn:
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def differences(file: Path, way: Way) -> list[str]:
    """The steps of a golden file that differ."""
    expected = json.loads(file.with_suffix(".json").read_text())
    with settings(way):
        codec, compiled = codec_for(expected.pop("model"), way)
        steps = decode_steps(codec, file.read_bytes())
    found = digests(*steps)
    uncalled = [repr(each.function) for each in compiled if not each.calls]
    return [step for step in expected if found[step] != expected[step]] + uncalled


def main(ways: Sequence[Way]) -> int:
    """Check all golden files in some ways; return the exit status."""
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    status = 0
    for way in ways:
        wrong = {file.stem: steps for file in FILES if (steps := differences(file, way))}
        print(f"{way}: {wrong or 'same bits'}", flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(COMPILED if sys.argv[1:] == ["compiled"] else EAGER))
