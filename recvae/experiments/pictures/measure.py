"""Measures one row: real files, written and read back, and for ours the ideal too."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from recvae.codec import Codec
from recvae.experiments.pictures import ours
from recvae.experiments.pictures.classical import RGB, ClassicalCodec, payload_bytes
from recvae.experiments.pictures.images import mean_psnr_db, num_pixels
from recvae.experiments.pictures.rows import Row
from recvae.experiments.pictures.table import COLUMNS, PARTITION_COLUMNS
from recvae.experiments.running import timed


def measure(
    row: Row, images: list[RGB], codec: Codec, classics: Sequence[ClassicalCodec], seed: int
) -> dict[str, Any]:
    """Measure all cells of a row, by column; see `table`.

    Args:
        row: the row to measure.
        images: the row's images.
        codec: ours.
        classics: classical codecs, including the row's.
        seed: seed of samples that are not files.
    """
    cells = {
        "kind": row.kind,
        "codec": row.codec,
        "data": row.data,
        "images": len(images),
        "setting": row.setting,
        "effort": row.effort,
    }
    quality = int(row.setting)
    if row.kind == "partition":
        assert row.partition
        point = ours.partitioned(codec, images, quality, row.partition, seed)
        return dict.fromkeys(PARTITION_COLUMNS) | cells | asdict(row.partition) | asdict(point)
    if row.kind == "ideal":
        bits_per_pixel, psnr_db = ours.ideal(codec, images, quality, seed)
        cells |= {"bits_per_pixel": bits_per_pixel, "psnr_db": psnr_db}
    elif row.kind == "coded":
        assert row.effort is not None
        cells |= _coded(codec, images, quality, row.effort, one_file=row.data != "Kodak")
    else:
        (classic,) = (classic for classic in classics if classic.name == row.codec)
        cells |= _classical(classic, images, row.setting)
    return dict.fromkeys(COLUMNS) | cells


def _classical(codec: ClassicalCodec, images: list[RGB], setting: float) -> dict[str, Any]:
    """The cells of a classical codec: a file an image."""
    files, encode_seconds = timed(lambda: [codec.encode(image, setting) for image in images])
    decoded, decode_seconds = timed(lambda: [codec.decode(file) for file in files])
    sizes = [len(file) for file in files]
    cells = _file_cells(images, decoded, sizes, sizes, encode_seconds, decode_seconds)
    if codec.payload is not None:
        payload = sum(payload_bytes(codec, file) for file in files)
        cells |= {"payload_bytes": payload, "payload_bpp": 8 * payload / num_pixels(images)}
    return cells


def _coded(
    codec: Codec, images: list[RGB], quality: int, effort: int, one_file: bool
) -> dict[str, Any]:
    """The cells of our codec: all images in one file, or a file each."""
    parts = [images] if one_file else [[image] for image in images]
    files, encode_seconds = timed(
        lambda: [ours.encode(codec, part, quality, effort) for part in parts]
    )
    decoded, decode_seconds = timed(
        lambda: [image for file in files for image in ours.decode(codec, file)]
    )
    sizes = [len(file) for file in files]
    each = [size for file in files for size in ours.one_file_each(file)]
    layers = [
        sum(lengths)
        for lengths in zip(*(ours.layer_bytes(codec, file) for file in files), strict=True)
    ]
    return _file_cells(images, decoded, sizes, each, encode_seconds, decode_seconds) | {
        "layer_bpp": [8 * length / num_pixels(images) for length in layers]
    }


def _file_cells(
    images: list[RGB],
    decoded: list[RGB],
    sizes: list[int],
    each: list[int],
    encode_seconds: float,
    decode_seconds: float,
) -> dict[str, Any]:
    """The cells of files; `each` are their sizes with one file for each image."""
    pixels = num_pixels(images)
    return {
        "files": len(sizes),
        "file_bytes": sum(sizes),
        "bits_per_pixel": 8 * sum(sizes) / pixels,
        "one_file_each_bytes": sum(each),
        "one_file_each_bpp": 8 * sum(each) / pixels,
        "psnr_db": mean_psnr_db(images, decoded),
        "encode_seconds": encode_seconds / len(images),
        "decode_seconds": decode_seconds / len(images),
    }
