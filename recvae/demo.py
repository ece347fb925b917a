"""The demonstration: real images through the codec and back, beside what other codecs need."""

import io
import time
from typing import Any

import numpy as np
from rich.table import Table

from recvae.codec import Codec, NegativeElbo
from recvae.errors import InputError
from recvae.evaluation import reference_sizes
from recvae.images import sample_images


def run(codec: Codec) -> tuple[dict[str, Any], list[Table]]:
    """Compress, decompress and compare the images that ship; returns the result and its tables.

    Raises InputError if a single byte differs.
    """
    images = sample_images("test")
    codec.decompress(codec.compress(images[:1]))  # compiles or loads the search kernel
    stream = io.BytesIO()
    started = time.perf_counter()
    report = codec.compress_to(stream, images)
    packed = time.perf_counter()
    decoded = codec.decompress(stream.getvalue())
    unpacked = time.perf_counter()
    if not np.array_equal(decoded, images):
        raise InputError("demo: the decoded images differ from the originals: this is a bug")
    bound = NegativeElbo(codec.model, codec.batch_size)
    for _ in bound.over([images]):
        pass
    result = report.as_dict() | bound.as_dict(report)
    result["one_image_files_bytes"] = sum(codec.one_image_file_sizes(images))
    result["encode_images_per_s"] = round(len(images) / (packed - started), 1)
    result["decode_images_per_s"] = round(len(images) / (unpacked - packed), 1)
    rows = reference_sizes(images)
    result["others"] = {row.name: [row.one_file_each, row.all_in_one] for row in rows}
    return result, [_own_table(codec, result), _others_table(result)]


def _own_table(codec: Codec, result: dict[str, Any]) -> Table:
    table = Table(
        title=f"recvae, model {codec.model.name!r}", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    for label, value in [
        ("images, every byte checked after the round trip", f"{result['images']}"),
        ("bytes in", f"{result['bytes_in']:,}"),
        ("bytes out", f"{result['bytes_out']:,}"),
        ("bits per pixel", f"{result['bits_per_pixel']:.4f}"),
        ("    bins of the latents", f"{result['bins_bpp']:.4f}"),
        ("    ranks of the latents", f"{result['ranks_bpp']:.4f}"),
        ("    pixels given the latents", f"{result['pixels_bpp']:.4f}"),
        ("    container", f"{result['container_bpp']:.4f}"),
        ("-ELBO (the bound)", f"{result['negative_elbo_bpp']:.4f}"),
        ("overhead over it", f"{result['overhead_bpp']:.4f}"),
        ("images/s compressing", f"{result['encode_images_per_s']:.0f}"),
        ("images/s decompressing", f"{result['decode_images_per_s']:.0f}"),
    ]:
        table.add_row(label, value)
    return table


def _others_table(result: dict[str, Any]) -> Table:
    table = Table(title="the same images elsewhere, bits per pixel", title_justify="left")
    table.add_column("codec")
    table.add_column("one file an image", justify="right")
    table.add_column("all in one", justify="right")
    own = (result["one_image_files_bytes"], result["bytes_out"])
    for name, sizes in {"recvae": own, **result["others"]}.items():
        table.add_row(name, *(f"{8 * size / result['bytes_in']:.3f}" for size in sizes))
    return table
