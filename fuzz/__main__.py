"""Run a target under atheris until it finds a fault: `pip install -e '.[fuzz]'` first.

    python -m fuzz TARGET [-max_total_time=SECONDS] [more options of libFuzzer]
    python -m fuzz TARGET FILE        try one input again

New inputs are kept in `.fuzz/TARGET`, a fault in `.fuzz/TARGET-crash-...`. A fault is any exception
of `check`, more than 10 seconds for one input, or more than 512 MiB.
"""

import argparse
import hashlib
import random
import resource
import sys
from importlib import import_module
from pathlib import Path

TARGETS = (
    "container",
    "salvage",
    "images",
    "model",
    "payload",
    "picture_model",
    "pictures",
    "pixelwise_model",
    "pixelwise",
)
INSTRUMENTED = ("recvae", "jsonschema", "safetensors")
MEMORY_BYTES = 512 << 20
OPTIONS = ["-timeout=10", "-rss_limit_mb=8192", "-max_len=4096", "-print_final_stats=1"]


def main() -> None:
    """Fuzz one target; never returns."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    name, options = parser.parse_known_args()
    name = name.target
    import atheris
    import torch

    torch.set_num_threads(1)
    with atheris.instrument_imports(include=INSTRUMENTED, exclude=kernels()):
        target = import_module(f"fuzz.{name}")
    corpus = Path(".fuzz") / name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = list(target.seeds())
    for seed in seeds:
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    for seed in seeds:  # lazy imports and caches must not count for an input
        target.check(seed)

    def check(data: bytes) -> None:
        # The limit is for this input: atheris leaks what instrumented code compares.
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY_BYTES, resource.RLIM_INFINITY))
        target.check(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return target.mutate(data, random.Random(seed))[:max_size]
        return atheris.Mutate(data, max_size)

    paths = [] if any(not option.startswith("-") for option in options) else [str(corpus)]
    arguments = [sys.argv[0], *OPTIONS, f"-artifact_prefix=.fuzz/{name}-", *options, *paths]
    hooks = {"custom_mutator": mutate} if hasattr(target, "mutate") else {}
    atheris.Setup(arguments, check, **hooks)
    atheris.Fuzz()


def kernels() -> list[str]:
    """Modules with kernels: numba cannot compile instrumented code."""
    root = Path(__file__).parent.parent
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "recvae").rglob("*.py")
        if "from recvae.jit import" in path.read_text()
    ]


if __name__ == "__main__":
    main()
