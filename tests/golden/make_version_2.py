"""Write golden files of version 2: `PYTHONPATH=tests python -m golden.make_version_2`.

`v2/groups.json` lists their contents by group. Existing files are kept for ever.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import recvae
from golden.steps import FOLDER
from recvae.codec.container import ContainerWriter, Group, Header
from recvae.codec.container.compact import pack_compact
from recvae.codec.container.group import tile_areas
from recvae.images.spec import ImageSpec
from spec import version_2

V2 = FOLDER / "v2"
STORED = hashlib.sha256(b"stored-1").digest()[:16]  # of the coder in docs/extending.md
OTHERS = (bytes(range(16)), bytes(range(16, 32)))
GREY, RGB, RGBA = ImageSpec(9, 7), ImageSpec(6, 20, 3), ImageSpec(5, 4, 4)
ONE = Header(STORED, 9, 7, 3, version=2)
SEVERAL = Header(STORED, 6, 20, 2, 3, version=2, more_models=OTHERS)


def pixels(seed: int, count: int, spec: ImageSpec) -> np.ndarray:
    """Arbitrary images."""
    return np.random.default_rng(seed).integers(0, spec.levels, (count, *spec.shape), np.uint8)


def stored(images: np.ndarray, tile: tuple[int, int] | None = None, **fields: int) -> Group:
    """A group of uncompressed images, tile by tile."""
    spec = ImageSpec.from_shape(images.shape)
    streams = [images[:, rows, columns].tobytes() for rows, columns in tile_areas(spec, tile)]
    return Group(len(images), spec, tuple(streams), tile=tile, **fields)


def groups() -> dict[str, tuple[Header, list[Group], dict[str, Any]]]:
    """Header, groups and arrays of each file."""
    mixed = [
        stored(pixels(0, 3, GREY)),
        stored(pixels(1, 2, GREY)),
        stored(pixels(2, 1, RGB)),
        stored(pixels(3, 3, ImageSpec(1, 300))),
    ]
    names = tuple(f"{i}.png" for i in range(9))
    arrays = {
        "names": names,
        "labels": np.arange(9, dtype=np.uint8),
        "means": np.linspace(-1, 1, 18, dtype=np.float32).reshape(9, 2),
        "notes": ("", "ö"),
    }
    tiled = [stored(pixels(4, 2, GREY), (4, 4)), stored(pixels(5, 1, RGB), (6, 7))]
    layers = [
        Group(2, RGB, (b"coarse", b"", bytes(range(200)), b"d", b"ef", b"g"), 3, (6, 10)),
        Group(1, RGB, (b"one stream of another model",), model=2),
        Group(2, ImageSpec(2, 2, 1, 16), (b"a", b"b"), layers=2, model=1),
    ]
    alpha = [stored(pixels(6, 2, RGBA)), stored(pixels(7, 1, ImageSpec(3, 8, 2)), (2, 8))]
    return {
        "mixed": (ONE, mixed, arrays),
        "tiled": (ONE, tiled, {}),
        "layers": (SEVERAL, layers, {"empty": np.zeros((0, 3), np.int64)}),
        "empty": (ONE, [], {}),
        "alpha": (Header(STORED, 5, 4, 2, 4, version=2), alpha, {}),
        "many": (ONE, [stored(pixels(i, 1 + i % 3, GREY)) for i in range(130)], {}),
    }


def plain(group: Group) -> version_2.Group:
    """A group in the form of the second decoder."""
    spec = group.spec
    return version_2.Group(
        group.num_images,
        version_2.Spec(spec.height, spec.width, spec.channels, spec.levels),
        group.tile or (spec.height, spec.width),
        group.layers,
        group.model,
        list(group.streams),
    )


def described(some: Iterable[version_2.Group]) -> list[dict[str, Any]]:
    """Groups as JSON; streams by the start of their SHA-256."""
    return [
        json.loads(json.dumps(group._replace(streams=list(map(_digest, group.streams)))._asdict()))
        for group in some
    ]


def _digest(stream: bytes) -> str:
    return hashlib.sha256(stream).hexdigest()[:16]


def written(header: Header, some: Iterable[Group], arrays: Mapping[str, Any]) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    writer = ContainerWriter(stream, header)
    for group in some:
        writer.add(group)
    writer.finish(arrays=arrays)
    return stream.getvalue()


def write_missing(
    kind: str,
    models: Mapping[str, Path],
    files: Callable[[Any], Iterable[tuple[str, list[Group]]]],
) -> Iterator[tuple[str, Path, Any, list[Group]]]:
    """Write missing files of models, and the pictures beside each.

    Yields name of the model, file, model and groups of each that was written.
    """
    for name, folder in models.items():
        if not folder.exists():
            print(f"no model {name} yet")
            continue
        codec = recvae.load(folder)
        for which, groups in files(codec.model):
            path = V2 / f"{kind}-{name}-{which}.recvae"
            if path.exists():
                continue
            spec = groups[0].spec
            sizes = (spec.height, spec.width, 3, spec.channels)
            header = Header(codec.model.file_id, *sizes, version=2)
            path.write_bytes(written(header, groups, {}))
            with codec.open(path) as images:
                np.savez_compressed(path.with_suffix(".npz"), *images)
            yield name, path, codec.model, groups


def main() -> None:
    """Write missing files."""
    V2.mkdir(exist_ok=True)
    made = groups()
    for name, (header, some, arrays) in made.items():
        path = V2 / f"{name}.recvae"
        if not path.exists():
            path.write_bytes(written(header, some, arrays))
    header, some, _ = made["layers"]
    if not (V2 / "layers.compact").exists():
        (V2 / "layers.compact").write_bytes(pack_compact(some, header))
    if not (V2 / "groups.json").exists():
        text = {name: described(map(plain, some)) for name, (_, some, _) in made.items()}
        (V2 / "groups.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
