"""What the commands do: files in, files out, and what is said about it."""

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recvae.codec import (
    DEFAULT_GROUP_SIZE,
    DEFAULT_MODEL,
    load,
    open_images,
    shipped_model_name,
)
from recvae.codec import salvage as find_salvage
from recvae.codec.codec import Progress as ProgressHook
from recvae.codec.container import ContainerReader
from recvae.data import (
    atomic_file,
    default_names,
    read_images,
    translate_os_errors,
    write_chunks,
)
from recvae.errors import InputError


def compress(options: Namespace) -> None:
    """Images to a .recvae file."""
    images = read_images(options.input)
    codec = load(options.model or DEFAULT_MODEL, options.device, options.batch_size)
    group_size = DEFAULT_GROUP_SIZE if options.group_size is None else options.group_size
    names = images.names
    if names is not None and names == default_names(len(names)):
        names = None  # what decompressing makes up anyhow
    started = time.perf_counter()
    with (
        atomic_file(options.output, options.force) as stream,
        _progress(options, len(images.pixels), images.pixels[0:1].size) as hook,
    ):
        report = codec.compress_to(stream, images.pixels, group_size, names, hook)
    seconds = max(time.perf_counter() - started, 1e-3)
    facts = report.facts() | {"seconds": round(seconds, 3)}
    if options.elbo:
        facts |= codec.negative_elbo_facts(images.pixels, report)
    _say(options, facts, _compression_line(options, facts))


def decompress(options: Namespace) -> None:
    """A .recvae file to images."""
    started = time.perf_counter()
    with (
        open_images(options.input, options.model, options.device, options.batch_size) as images,
        _progress(options, *_sizes(images.shape)) as hook,
    ):
        write_chunks(
            options.output, images.shape, images.batches(hook), images.names, options.force
        )
        shape = images.shape
    seconds = max(time.perf_counter() - started, 1e-3)
    facts = {"images": shape[0], "bytes_out": int(np.prod(shape)), "seconds": round(seconds, 3)}
    _say(
        options,
        facts,
        f"{options.output}: {shape[0]} images of {shape[1]} x {shape[2]} pixels, "
        f"{shape[0] / seconds:.0f} images/s",
    )


def info(options: Namespace) -> None:
    """What a file holds."""
    with ContainerReader(options.input) as reader:
        header, sizes, names = reader.header, reader.sizes(), reader.names
        num_images = reader.num_images
    pixels = num_images * header.height * header.width
    facts = {
        "images": num_images,
        "height": header.height,
        "width": header.width,
        "group_size": header.group_size,
        "groups": header.num_groups(num_images),
        "model": shipped_model_name(header.model_hash),
        "model_hash": header.model_hash.hex(),
        "bytes": sizes.total,
        "bits_per_pixel": round(8 * sizes.total / pixels, 4) if pixels else None,
        "payload_bytes": sizes.payload,
        "container_bytes": sizes.overhead,
        "names": len(names or ()),
    }
    _say(options, facts, "\n".join(f"{key:16} {value}" for key, value in facts.items()))


def verify(options: Namespace) -> None:
    """Decode everything; compare with the images it should hold."""
    against = read_images(options.against) if options.against else None
    with (
        open_images(options.input, options.model, options.device, options.batch_size) as images,
        _progress(options, *_sizes(images.shape)) as hook,
    ):
        if against is not None:
            _check_same_shape(options, against.pixels.shape, images.shape)
            kept = images.names or default_names(len(images))
            if against.names is not None and kept != against.names:
                raise InputError(f"{options.input}: holds other file names than {options.against}")
        done = 0
        for batch in images.batches(hook):
            if against is not None:
                same = (batch == against.pixels[done : done + len(batch)]).all(axis=(1, 2))
                if not same.all():
                    first = done + int(np.flatnonzero(~same)[0])
                    raise InputError(
                        f"{options.input}: image {first} differs from {options.against}"
                    )
            done += len(batch)
    facts = {"images": done, "checksums": "match", "against": options.against}
    compared = f", each the same as in {options.against}" if options.against else ""
    _say(options, facts, f"{options.input}: all checksums match, {done} images decode{compared}")


def salvage(options: Namespace) -> int:
    """Write what a damaged file still holds; 0 if that is all of it, else 1."""
    started = time.perf_counter()
    with translate_os_errors(options.input):
        data = Path(options.input).read_bytes()
        if Path(options.output).exists() and os.path.samefile(options.input, options.output):
            raise InputError(f"{options.output} is the damaged file: choose another output name")
    with (
        atomic_file(options.output, options.force) as stream,
        _progress(options, None, 1) as hook,
    ):
        found = find_salvage(
            data, options.input, options.model, options.device, options.batch_size, hook
        )
        sizes = found.write_to(stream)
    seconds = round(time.perf_counter() - started, 3)
    facts = found.facts() | {"bytes_out": sizes.total, "seconds": seconds}
    _say(options, facts, "\n".join(_salvage_lines(options, facts)))
    return 0 if found.is_complete else 1


def demo(options: Namespace) -> None:
    """Compress the images that come with the package; see `recvae.demo`."""
    from recvae.demo import run

    codec = load(options.model or DEFAULT_MODEL, options.device, options.batch_size)
    facts, tables = run(codec)
    if options.json:
        print(json.dumps(facts))
    elif not options.quiet:
        for table in tables:
            Console().print(table)


def _compression_line(options: Namespace, facts: dict[str, Any]) -> str:
    if not facts["images"]:
        return f"{options.output}: no images, {facts['bytes_out']} bytes"
    line = (
        f"{options.output}: {facts['images']} images, {facts['bytes_in']} bytes -> "
        f"{facts['bytes_out']}, {facts['bits_per_pixel']:.4f} bits per pixel "
        f"(bins {facts['bins_bpp']:.4f}, ranks {facts['ranks_bpp']:.4f}, "
        f"pixels {facts['pixels_bpp']:.4f}, container {facts['container_bpp']:.4f}), "
        f"{facts['images'] / facts['seconds']:.0f} images/s"
    )
    if "negative_elbo_bpp" in facts:
        line += (
            f"; -ELBO {facts['negative_elbo_bpp']:.4f}, overhead {facts['overhead_bpp']:.4f} "
            "bits per pixel"
        )
    return line


def _salvage_lines(options: Namespace, facts: dict[str, Any]) -> Iterator[str]:
    images, before, damaged = facts["images"], facts["images_before"], facts["damaged"]
    of_all = "" if before is None else f" of {before}"
    state = f"damaged: {', '.join(damaged)}" if damaged else "undamaged"
    yield f"{options.output}: {images}{of_all} images saved from {options.input} ({state})"
    if facts["lost"]:
        yield f"lost: {', '.join(map(_lost_words, facts['lost']))}"
    if facts["unplaced"]:
        places = ", ".join(f"{part['first']} to {part['last']}" for part in facts["unplaced"])
        yield f"saved, but from an unknown place between those: images {places} of {options.output}"
    if "order" in damaged:
        yield "images may be exchanged: their common checksum does not match"
    if facts["names"] == "lost":
        yield "file names: lost, if there were any"


def _lost_words(lost: dict[str, Any]) -> str:
    first, last, count = lost["first"], lost["last"], lost["count"]
    if last is None:
        return f"images from {first} on, if there were any"
    if first == last:
        return f"image {first}"
    span = f"{first} to {last}"
    return f"images {span}" if count == last - first + 1 else f"{count} of the images {span}"


def _check_same_shape(options: Namespace, expected: tuple[int, ...], got: tuple[int, ...]) -> None:
    if tuple(expected) != tuple(got):
        raise InputError(
            f"{options.input}: holds {got[0]} images of {got[1]} x {got[2]}, {options.against} "
            f"{expected[0]} of {expected[1]} x {expected[2]}"
        )


def _sizes(shape: tuple[int, int, int]) -> tuple[int, int]:
    return shape[0], shape[1] * shape[2]


def _say(options: Namespace, facts: dict[str, Any], text: str) -> None:
    if options.json:
        print(json.dumps(facts))
    elif not options.quiet:
        print(text)


@contextmanager
def _progress(
    options: Namespace, num_images: int | None, image_pixels: int
) -> Iterator[ProgressHook]:
    """A progress bar on a terminal, nothing elsewhere and with --quiet or --json."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.perf_counter()
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=options.quiet or options.json or not console.is_terminal,
    ) as bar:
        task = bar.add_task("images", total=num_images, rate="")

        def hook(images: int, num_bytes: int) -> None:
            speed = images / (time.perf_counter() - started)
            rate = f"{speed:.0f} images/s, {8 * num_bytes / (images * image_pixels):.4f} bits/pixel"
            bar.update(task, completed=images, rate=rate)

        yield hook
