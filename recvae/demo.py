"""The demonstration: real images through the codecs and back, beside other codecs."""

import io
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from recvae.codec import Codec, NegativeElbo, load_model, shipped_models
from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.errors import InputError
from recvae.evaluation import reference_sizes


def fitting_models(images: Pixels) -> list[ImageCoder]:
    """Return the shipped lossless models for images of this shape."""
    models = map(load_model, shipped_models())
    shape = images.shape[1:]
    fitting = [model for model in models if model.spec and model.spec.shape == shape]
    return [model for model in fitting if not model.lossy]


def run(codecs: Sequence[Codec], images: Pixels) -> tuple[dict[str, Any], list[Table]]:
    """Compress, decompress and compare uint8 (n, h, w); return the result and its tables.

    Raises InputError if a single byte differs.
    """
    models = {codec.model.name: _round_trip(codec, images) for codec in codecs}
    others = {row.name: [row.one_file_each, row.all_in_one] for row in reference_sizes(images)}
    result = {
        "images": len(images), "bytes_in": images.nbytes, "models": models, "others": others,
    }  # fmt: skip
    return result, [_models_table(codecs, result), _others_table(result)]


def _round_trip(codec: Codec, images: Pixels) -> dict[str, Any]:
    """Code the images to a file and back; return its bits by part, the bound and speeds."""
    if codec.model.lossy:
        raise InputError(f"demo: model {codec.model.name!r} is lossy: choose a lossless one")
    codec.decompress(codec.compress(images[:1]))  # compiles or loads the search kernel
    stream = io.BytesIO()
    started = time.perf_counter()
    report = codec.compress_to(stream, images)
    packed = time.perf_counter()
    decoded = codec.decompress(stream.getvalue())
    unpacked = time.perf_counter()
    if not np.array_equal(decoded, images):
        raise InputError(
            f"demo: model {codec.model.name!r}: the decoded images differ from the originals: "
            "this is a bug"
        )
    bound = NegativeElbo(codec.model, codec.batch_size)
    for _ in bound.over([images]):
        pass
    return report.as_dict() | bound.as_dict(report) | {
        "one_image_files_bytes": sum(codec.one_image_file_sizes(images)),
        "encode_images_per_s": round(len(images) / (packed - started), 1),
        "decode_images_per_s": round(len(images) / (unpacked - packed), 1),
    }  # fmt: skip


def _models_table(codecs: Sequence[Codec], result: dict[str, Any]) -> Table:
    table = _table(
        f"{result['images']} images, every byte checked: bits per pixel, images/s in and out"
    )
    table.add_column("model")
    for column in ("file", "bins", "ranks", "pixels", "container", "-ELBO", "images/s"):
        table.add_column(column, justify="right", no_wrap=True)
    parts = ("bits_per_pixel", "bins_bpp", "ranks_bpp", "pixels_bpp", "container_bpp")
    for codec in codecs:
        row = result["models"][codec.model.name]
        rates = [f"{row[key]:.3f}" if key in row else "" for key in (*parts, "negative_elbo_bpp")]
        speed = f"{row['encode_images_per_s']:.0f} / {row['decode_images_per_s']:.0f}"
        table.add_row(f"{codec.model.name}\n{codec.model.summary}", *rates, speed)
    return table


def _others_table(result: dict[str, Any]) -> Table:
    table = _table("the same images elsewhere, bits per pixel")
    table.add_column("codec")
    table.add_column("one file an image", justify="right")
    table.add_column("all in one", justify="right")
    own = {
        f"recvae, {name}": (row["one_image_files_bytes"], row["bytes_out"])
        for name, row in result["models"].items()
    }
    for name, sizes in (own | result["others"]).items():
        table.add_row(name, *(f"{8 * size / result['bytes_in']:.3f}" for size in sizes))
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
