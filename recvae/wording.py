"""The commands' results in words."""

import shlex
from argparse import Namespace
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from recvae.codec import CompressionReport, shipped_model_name
from recvae.codec.container.salvage import OTHER_MODEL
from recvae.codec.truncated import TruncatedImages
from recvae.console import STANDARD
from recvae.images.spec import GREY
from recvae.images.stream import Runs


def input_name(options: Namespace) -> str:
    """The name of the input in messages."""
    return "<stdin>" if options.input == STANDARD else options.input


def output_name(options: Namespace) -> str:
    """The name of the output in messages."""
    return "standard output" if options.output == STANDARD else options.output


def sizes_in_words(runs: Runs, unit: str = " pixels") -> str:
    """The size of all images, or the number of sizes."""
    specs = {spec for spec, _ in runs}
    if len(specs) > 1:
        return f"{len(specs)} sizes"
    (spec,) = specs
    kind = "" if spec.channels == GREY else f" in {spec.kind}"
    return f"{spec.height} x {spec.width}{unit}{kind}"


def compression_line(options: Namespace, report: CompressionReport, result: dict[str, Any]) -> str:
    """The result of compressing in one line."""
    if not result["images"]:
        return f"{output_name(options)}: no images, {result['bytes_out']} bytes"
    told = [*report.parts(), "container"]
    parts = (f"{part} {result[f'{part}_bpp']:.4f}" for part in told)
    line = (
        f"{output_name(options)}: {result['images']} images, {result['bytes_in']} bytes -> "
        f"{result['bytes_out']}, {result['bits_per_pixel']:.4f} bits per pixel "
        f"({', '.join(parts)}), "
        f"{(result['images'] - result['resumed_images']) / result['seconds']:.0f} images/s"
    )
    if skipped := len(result.get("skipped", ())):
        line += f"; {skipped} file{'s' * (skipped > 1)} skipped"
    if "quality" in result:
        line += f"; quality {result['quality']}"
    if "psnr_db" in result:
        of = f" of {result['psnr_images']} of them" * (result["psnr_images"] < result["images"])
        line += f", mean PSNR{of} {result['psnr_db']:.2f} dB"
    if "negative_elbo_bpp" in result:
        line += (
            f"; -ELBO {result['negative_elbo_bpp']:.4f}, overhead {result['overhead_bpp']:.4f} "
            "bits per pixel"
        )
    return line


def truncation_line(options: Namespace, images: TruncatedImages) -> str:
    """A warning that tells which part of a file is there and what is missing."""
    last = ""
    if images.last:
        count, of = images.last.num_images, images.last.layers
        last = f", {count} more {_are(count)} decoded from {images.layers} of {of} layers"
    whole = len(images.whole)
    return (
        f"recvae: {options.input}: truncated file: {whole} images {_are(whole)} complete{last}; "
        "the rest is missing, and so are all file names"
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def salvage_lines(options: Namespace, result: dict[str, Any], version: int) -> Iterator[str]:
    """The result of salvage: what was saved, what was lost, and what to do about it."""
    images, before, damaged = result["images"], result["images_before"], result["damaged"]
    total = "" if before is None else f" of {before}"
    files = result.get("files", [])
    state = f"damaged: {', '.join(damaged)}" if damaged else "undamaged"
    several = f" of {len(files)} files" if files else ""
    yield (
        f"{options.output}: {images}{total} images{several} saved from {input_name(options)} "
        f"({state})"
    )
    for number, lost in groupby(result["lost"], key=lambda lost: lost.get("file")):
        where = "" if number is None else f" of the file at byte {files[number]['begin']}"
        yield f"lost{where}: {', '.join(map(_lost_words, lost))}"
    if result["unplaced"]:
        yield (
            "saved, but their place among the others is unknown: images "
            f"{_ranges(result['unplaced'])} of {options.output}"
        )
    if "order" in damaged:
        yield "images may be in the wrong order: their common checksum does not match"
    if result["names"] == "lost":
        yield f"file names{' and arrays' * (version > 1)}: lost, if there were any"
    if arrays := result.get("arrays_lost"):
        yield f"arrays lost: {', '.join(arrays)}"
    if renamed := result.get("renamed"):
        where = f"images {_ranges(renamed)} of {options.output}"
        yield f"renamed, as their file names were taken: {where}"
    yield from (_left_words(options, left) for left in result.get("not_saved", []))
    for other in result.get("other_bytes", []):
        span = f"bytes {other['begin']} to {other['end'] - 1}"
        yield f"{span} do not belong to any recognisable .recvae file"


def _ranges(spans: list[dict[str, Any]]) -> str:
    return ", ".join(f"{span['first']} to {span['last']}" for span in spans)


def _left_words(options: Namespace, left: dict[str, Any]) -> str:
    """A line about a file that was not saved and what to do about it."""
    begin, end, count = left["begin"], left["end"], left["images"]
    images = "" if count is None else f", a file of {count} images"
    line = f"not saved: bytes {begin} to {end - 1}{images}: {left['reason']}"
    if left["reason"] != OTHER_MODEL:
        return line
    model = shipped_model_name(bytes.fromhex(left["model_hash"]))
    source = "FILE" if options.input == STANDARD else shlex.quote(options.input)
    cut = f"tail -c +{begin + 1} {source} | head -c {end - begin}"
    how = "" if model else " --model FOLDER"
    return (
        f"{line} ({model or left['model_hash']}); "
        f"to save it: {cut} | recvae salvage - OTHER.recvae{how}"
    )


def _lost_words(lost: dict[str, Any]) -> str:
    first, last, count = lost["first"], lost["last"], lost["count"]
    if last is None:
        return f"images from {first} on, if there were any"
    if first == last:
        return f"image {first}"
    span = f"{first} to {last}"
    return f"images {span}" if count == last - first + 1 else f"{count} of the images {span}"
