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
    """Compress, decompress and compare the images that ship; returns the facts and their tables.

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
    facts = report.facts() | bound.facts(report)
    facts["one_image_files_bytes"] = sum(codec.one_image_file_sizes(images))
    facts["encode_images_per_s"] = round(len(images) / (packed - started), 1)
    facts["decode_images_per_s"] = round(len(images) / (unpacked - packed), 1)
    rows = reference_sizes(images)
    facts["others"] = {row.name: [row.one_file_each, row.all_in_one] for row in rows}
    return facts, [_own_table(codec, facts), _others_table(facts)]


def _own_table(codec: Codec, facts: dict[str, Any]) -> Table:
    table = Table(
        title=f"recvae, model {codec.model.name!r}", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    for label, value in [
        ("images, every byte checked after the round trip", f"{facts['images']}"),
        ("bytes in", f"{facts['bytes_in']:,}"),
        ("bytes out", f"{facts['bytes_out']:,}"),
        ("bits per pixel", f"{facts['bits_per_pixel']:.4f}"),
        ("    bins of the latents", f"{facts['bins_bpp']:.4f}"),
        ("    ranks of the latents", f"{facts['ranks_bpp']:.4f}"),
        ("    pixels given the latents", f"{facts['pixels_bpp']:.4f}"),
        ("    container", f"{facts['container_bpp']:.4f}"),
        ("-ELBO (the bound)", f"{facts['negative_elbo_bpp']:.4f}"),
        ("overhead over it", f"{facts['overhead_bpp']:.4f}"),
        ("images/s compressing", f"{facts['encode_images_per_s']:.0f}"),
        ("images/s decompressing", f"{facts['decode_images_per_s']:.0f}"),
    ]:
        table.add_row(label, value)
    return table


def _others_table(facts: dict[str, Any]) -> Table:
    table = Table(title="the same images elsewhere, bits per pixel", title_justify="left")
    table.add_column("codec")
    table.add_column("one file an image", justify="right")
    table.add_column("all in one", justify="right")
    own = (facts["one_image_files_bytes"], facts["bytes_out"])
    for name, sizes in {"recvae": own, **facts["others"]}.items():
        table.add_row(name, *(f"{8 * size / facts['bytes_in']:.3f}" for size in sizes))
    return table
