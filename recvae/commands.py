"""What the commands do: files in, files out."""

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich.console import Console

from recvae.codec import (
    DEFAULT_GROUP_SIZE,
    DEFAULT_MODEL,
    Codec,
    CompressedImages,
    NegativeElbo,
    compress_file,
    load,
    load_model,
    open_images,
    shipped_model_name,
)
from recvae.codec import salvage as find_salvage
from recvae.codec.container import ContainerReader
from recvae.codec.container.names import NAMES
from recvae.console import (
    STANDARD,
    answer,
    check_output,
    check_recvae_name,
    opened,
    progress,
    say,
    source,
    standard_output,
)
from recvae.errors import InputError
from recvae.files import atomic_file, translate_os_errors
from recvae.files.streams import whole_reads
from recvae.images import (
    ImageStream,
    default_names,
    image_stream,
    regroup,
    sample_images,
    write_chunks,
)
from recvae.images.stream import Runs, images_at_once
from recvae.wording import (
    compression_line,
    input_name,
    output_name,
    salvage_lines,
    sizes_in_words,
)

COMPARED_BYTES = 1 << 24  # of images that are compared at once


def compress(options: Namespace) -> None:
    """Images to a .recvae file."""
    check_output(options)
    check_recvae_name(options)
    codec = _codec(options)
    group_size = DEFAULT_GROUP_SIZE if options.group_size is None else options.group_size
    started = time.perf_counter()
    with image_stream(source(options.input), options.channels) as images:
        names = images.names
        if names is not None and names == default_names(len(names)):
            names = None  # what decompressing makes up anyhow
        bound = NegativeElbo(codec.model, codec.batch_size)
        if options.elbo:
            images = replace(images, chunks=bound.over(images.chunks))
        with progress(options, images.count, _mean_pixels(images.runs)) as hook:
            coding = (images, group_size, names, hook)
            if options.output == STANDARD:
                with standard_output() as stream:
                    report = codec.compress_to(stream, *coding, effort=options.effort)
            else:
                report = compress_file(
                    codec,
                    options.output,
                    *coding,
                    force=options.force,
                    resume=options.resume,
                    effort=options.effort,
                )
    seconds = max(time.perf_counter() - started, 1e-3)
    result = report.as_dict() | {"seconds": round(seconds, 3)}
    if options.elbo:
        result |= bound.as_dict(report)
    say(options, result, compression_line(options, report, result))


def decompress(options: Namespace) -> None:
    """A .recvae file to images."""
    check_output(options)
    started = time.perf_counter()
    with (
        _open(options) as images,
        progress(options, len(images), _mean_pixels(runs := images.runs())) as hook,
        _output(options) as output,
    ):
        write_chunks(output, runs, images.batches(hook), images.names, options.force)
        count, bytes_out = len(images), images.reader.raw_bytes
    seconds = max(time.perf_counter() - started, 1e-3)
    result = {"images": count, "bytes_out": bytes_out, "seconds": round(seconds, 3)}
    say(
        options,
        result,
        f"{output_name(options)}: {count} images of {sizes_in_words(runs)}, "
        f"{count / seconds:.0f} images/s",
    )


def info(options: Namespace) -> None:
    """What a file holds."""
    with opened(options, ContainerReader) as reader:
        header, sizes, names = reader.header, reader.sizes(), reader.names
        num_images, num_groups, spec = reader.num_images, reader.num_groups, reader.spec
        runs = reader.runs()
        pixels = sum(spec.num_pixels * count for spec, count in runs)
        more = _version_2_details(reader, runs) if header.version > 1 else {}
    result = {
        "images": num_images,
        **({"height": spec.height, "width": spec.width} if spec else {}),
        "group_size": header.group_size,
        "groups": num_groups,
        "model": shipped_model_name(header.model_hash),
        "model_hash": header.model_hash.hex(),
        "bytes": sizes.total,
        "bits_per_pixel": round(8 * sizes.total / pixels, 4) if pixels else None,
        "payload_bytes": sizes.payload,
        "container_bytes": sizes.overhead,
        "names": len(names or ()),
        **more,
    }
    answer(options, result, "\n".join(f"{key:16} {value}" for key, value in result.items()))


def verify(options: Namespace) -> None:
    """Decode everything; compare with the images it should hold."""
    if options.input == options.against == STANDARD:
        raise InputError("standard input can be one of the two files only")
    with ExitStack() as stack:
        images = stack.enter_context(_open(options))
        hook = stack.enter_context(progress(options, len(images), _mean_pixels(images.runs())))
        decoded = images.batches(hook)
        if options.against:
            against = stack.enter_context(image_stream(source(options.against), options.channels))
            done = _compare(images, decoded, against, options.against)
        else:
            done = sum(map(len, decoded))
        name = images.reader.name
    result = {"images": done, "checksums": "match", "against": options.against}
    compared = f", each the same as in {options.against}" if options.against else ""
    say(options, result, f"{name}: all checksums match, {done} images decode{compared}")


def salvage(options: Namespace) -> int:
    """Write what a damaged file still holds; 0 if that is all of it, else 1."""
    started = time.perf_counter()
    check_output(options, "the damaged file")
    check_recvae_name(options)
    name, given = input_name(options), source(options.input)
    with translate_os_errors(name):
        data = Path(given).read_bytes() if isinstance(given, str) else whole_reads(given).read()
    with (
        atomic_file(options.output, options.force) as stream,
        progress(options, None, 1) as hook,
    ):
        found = find_salvage(data, name, options.model, options.device, options.batch_size, hook)
        sizes = found.write_to(stream)
    seconds = round(time.perf_counter() - started, 3)
    result = found.as_dict() | {"bytes_out": sizes.total, "seconds": seconds}
    say(options, result, "\n".join(salvage_lines(options, result, found.header.version)))
    return 0 if found.is_complete else 1


def demo(options: Namespace) -> None:
    """Compress the images that come with the package; see `recvae.demo`."""
    from recvae.demo import fitting_models, run

    images = sample_images("test")
    models = fitting_models(images) if options.model is None else [load_model(options.model)]
    codecs = [Codec(model, options.device, options.batch_size) for model in models]
    result, tables = run(codecs, images)
    console = Console()
    with console.capture() as text:
        for table in tables:
            console.print(table, "")
    answer(options, result, text.get().removesuffix("\n"))


def _compare(
    images: CompressedImages,
    decoded: Iterator[np.ndarray],
    against: ImageStream,
    against_name: str,
) -> int:
    """Count the images; InputError at the first difference."""
    name = images.reader.name
    if _shapes(images.runs()) != _shapes(against.runs):
        got, expected = sizes_in_words(images.runs(), ""), sizes_in_words(against.runs, "")
        raise InputError(
            f"{name}: holds {len(images)} images of {got}, {against_name} {against.count} of "
            f"{expected}"
        )
    kept = images.names or default_names(len(images)) if against.names else None
    if kept != against.names:
        raise InputError(f"{name}: holds other file names than {against_name}")
    done = 0
    at_once = min(1024, *(images_at_once(spec, COMPARED_BYTES) for spec, _ in against.runs))
    pairs = zip(regroup(decoded, at_once), regroup(against.chunks, at_once), strict=True)
    for ours, theirs in pairs:
        same = (ours == theirs).reshape(len(ours), -1).all(axis=1)
        if not same.all():
            first = done + int(np.flatnonzero(~same)[0])
            raise InputError(f"{name}: image {first} differs from {against_name}")
        done += len(ours)
    return done


def _codec(options: Namespace) -> Codec:
    model = DEFAULT_MODEL if options.model is None else options.model
    return load(model, options.device, options.batch_size)


def _open(options: Namespace) -> CompressedImages:
    how = (options.model, options.device, options.batch_size)
    return opened(options, lambda given: open_images(given, *how))


def _output(options: Namespace) -> AbstractContextManager[str | BinaryIO]:
    return standard_output() if options.output == STANDARD else nullcontext(options.output)


def _shapes(runs: Runs) -> list[tuple[tuple[int, ...], int]]:
    """The shapes of the images in order, and how many follow one another: specs without levels."""
    return [
        (shape, sum(count for _, count in same))
        for shape, same in groupby(runs, key=lambda run: run[0].shape)
    ]


def _mean_pixels(runs: Runs) -> float:
    """Pixels of an image."""
    count = sum(count for _, count in runs)
    return sum(spec.num_pixels * count for spec, count in runs) / max(count, 1)


def _version_2_details(reader: ContainerReader, runs: Runs) -> dict[str, Any]:
    """What only files of version 2 tell."""
    return {
        "channels": reader.spec.channels if reader.spec else None,
        "sizes": len({spec.shape for spec, _ in runs}),
        "arrays": sorted(reader.arrays.keys() - {NAMES}),
    }
