"""The commands: files in, files out."""

import os
import sys
import time
from argparse import Namespace
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recvae.codec import (
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
from recvae.codec.choice import fitting_codec
from recvae.codec.compressed_images import check_header
from recvae.codec.container import ContainerReader
from recvae.codec.container.footer import TruncatedError
from recvae.codec.container.names import NAMES
from recvae.codec.image_coder import ImageCoder
from recvae.codec.quality import FoundQuality, find_quality
from recvae.codec.truncated import TruncatedImages, open_truncated
from recvae.comparison import compare
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
from recvae.files.atomic import refuse_file
from recvae.files.streams import whole_reads
from recvae.images import ImageStream, default_names, image_stream, sample_images, write_chunks
from recvae.images.formats.folder import Skip
from recvae.images.stream import Runs
from recvae.wording import (
    compression_line,
    input_name,
    output_name,
    salvage_lines,
    sizes_in_words,
    truncation_line,
)


def compress(options: Namespace) -> int:
    """Compress images to a .recvae file; return 1 if files were skipped, else 0."""
    check_output(options)
    check_recvae_name(options)
    codec = _codec(options, options.model) if options.model is not None else None
    started = time.perf_counter()
    found = _found_quality(codec, options)
    how = {"effort": options.effort, "quality": found.quality if found else options.quality}
    skipped: list[dict[str, str]] = []

    def skip(name: str, reason: str) -> None:
        skipped.append({"name": name, "reason": reason})
        print(f"recvae: skipped: {reason}", file=sys.stderr)

    with _images(options, skip) as images:
        names = images.names
        if names is not None and names == default_names(len(names)):
            names = None  # decompressing makes up the same ones
        if codec is None:
            codec, images = fitting_codec(images, options.device, options.batch_size)
        bound = NegativeElbo(codec.model, codec.batch_size)
        if options.elbo:
            images = replace(images, chunks=bound.over(images.chunks))
        with progress(options, images.count, _mean_pixels(images.runs)) as hook:
            coding = (images, options.group_size, names, hook)
            if options.output == STANDARD:
                with standard_output() as stream:
                    report = codec.compress_to(stream, *coding, **how)
            else:
                report = compress_file(
                    codec,
                    options.output,
                    *coding,
                    force=options.force,
                    resume=options.resume,
                    **how,
                )
    seconds = max(time.perf_counter() - started, 1e-3)
    result = report.as_dict() | {"seconds": round(seconds, 3)}
    if options.elbo:
        result |= bound.as_dict(report)
    if found and found.psnr_db is not None:
        result |= {"psnr_db": round(found.psnr_db, 3), "psnr_images": found.num_images}
    if options.skip_bad:
        result["skipped"] = skipped
    say(options, result, compression_line(options, report, result))
    return 1 if skipped else 0


def decompress(options: Namespace) -> int:
    """Decompress a .recvae file to images; return 1 if its end is missing, else 0."""
    check_output(options)
    started = time.perf_counter()
    with (
        _open_or_cut(options) as images,
        progress(options, len(images), _mean_pixels(runs := images.runs())) as hook,
        _output(options) as output,
    ):
        chunks = images.batches(hook, options.layers)
        write_chunks(output, runs, chunks, images.names, options.force)
        count, bytes_out = len(images), sum(spec.raw_bytes * count for spec, count in runs)
    seconds = max(time.perf_counter() - started, 1e-3)
    result = {"images": count, "bytes_out": bytes_out, "seconds": round(seconds, 3)}
    say(
        options,
        result,
        f"{output_name(options)}: {count} images of {sizes_in_words(runs)}, "
        f"{count / seconds:.0f} images/s",
    )
    if isinstance(images, TruncatedImages):
        print(truncation_line(options, images), file=sys.stderr)
        return 1
    return 0


def info(options: Namespace) -> None:
    """Show what a file holds."""
    with opened(options, ContainerReader) as reader:
        header, sizes, names = reader.header, reader.sizes(), reader.names
        num_images, num_groups, spec = reader.num_images, reader.num_groups, reader.spec
        runs = reader.runs()
        pixels = sum(spec.num_pixels * count for spec, count in runs)
        model = _model_of(options, reader) if header.version > 1 or options.model else None
        more = _version_2_details(reader, runs, model) if header.version > 1 else {}
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
    """Decode everything; compare with given images, for lossy models by PSNR."""
    if options.input == options.against == STANDARD:
        raise InputError("only one of the two files can be standard input")
    with ExitStack() as stack:
        images = stack.enter_context(_open(options))
        hook = stack.enter_context(progress(options, len(images), _mean_pixels(images.runs())))
        decoded = images.batches(hook)
        if options.against:
            given = (source(options.against), options.channels, options.max_pixels)
            against = stack.enter_context(image_stream(*given))
            decibels = compare(images, decoded, against, options.against)
            done = len(decibels)
        else:
            done = sum(map(len, decoded))
        name, is_lossy = images.reader.name, images.model.lossy
    result = {"images": done, "checksums": "match", "against": options.against}
    compared = f", all equal to those in {options.against}" if options.against else ""
    if options.against and is_lossy and done:
        mean, least = float(np.mean(decibels)), min(decibels)
        result |= {"psnr_db": round(mean, 3), "least_psnr_db": round(least, 3)}
        compared = f"; PSNR to {options.against}: mean {mean:.2f} dB, least {least:.2f} dB"
    say(options, result, f"{name}: all checksums match, {done} images decode{compared}")


def salvage(options: Namespace) -> int:
    """Write what a damaged file still holds; return 0 if nothing is lost, else 1."""
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
    from rich.console import Console

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


def _codec(options: Namespace, model: str) -> Codec:
    return load(model, options.device, options.batch_size)


def _images(options: Namespace, skip: Skip) -> AbstractContextManager[ImageStream]:
    """The images to compress."""
    how = (options.channels, options.max_pixels, skip if options.skip_bad else None)
    return image_stream(source(options.input), *how)


def _open(options: Namespace) -> CompressedImages:
    how = (options.model, options.device, options.batch_size, options.max_pixels)
    return opened(options, lambda given: open_images(given, *how))


def _open_or_cut(options: Namespace) -> CompressedImages | TruncatedImages:
    """The input file; for lossy or layered models it may be truncated."""
    try:
        return _open(options)
    except TruncatedError as error:
        if options.input == STANDARD:  # already consumed
            raise
        how = (options.model, options.device, options.batch_size, options.max_pixels)
        try:
            return open_truncated(options.input, *how)
        except TruncatedError:
            raise error from None


def _found_quality(codec: Codec | None, options: Namespace) -> FoundQuality | None:
    """The quality that meets the target, if there is one; costs an extra pass over the input."""
    if options.target_bpp is None and options.target_psnr is None:
        return None
    if codec is None:
        raise InputError("a target needs a lossy model: pass one by --model")
    if options.input == STANDARD or Path(options.input).is_fifo():
        raise InputError(
            f"{input_name(options)}: a target needs images that can be read twice: pass a file or "
            "a folder, or a quality instead of a target"
        )
    if options.output != STANDARD:  # before the search, which takes long
        with translate_os_errors(options.output):
            refuse_file(options.output, Path(os.path.realpath(options.output)), options.force)
    with _images(options, lambda name, reason: None) as images:  # reported during compression
        targets = (options.target_bpp, options.target_psnr)
        return find_quality(codec, images, *targets, options.group_size, options.effort)


def _model_of(options: Namespace, reader: ContainerReader) -> ImageCoder | None:
    """The model of a file, or None if it neither ships nor is given."""
    name = options.model or shipped_model_name(reader.header.model_hash)
    if name is None:
        return None
    model = load_model(name)
    check_header(model, reader.header, reader.name)
    return model


def _output(options: Namespace) -> AbstractContextManager[str | BinaryIO]:
    return standard_output() if options.output == STANDARD else nullcontext(options.output)


def _mean_pixels(runs: Runs) -> float:
    """Mean number of pixels of an image."""
    count = sum(count for _, count in runs)
    return sum(spec.num_pixels * count for spec, count in runs) / max(count, 1)


def _version_2_details(
    reader: ContainerReader, runs: Runs, model: ImageCoder | None
) -> dict[str, Any]:
    """Details of version 2 files; layers and tiles are those of the largest group."""
    layers = tiles = 0
    qualities = set()
    for group in reader.groups():
        layers = max(layers, group.layers)
        tiles = max(tiles, len(group.streams) // group.layers)
        qualities.add(model.quality_of(group) if model else None)
    known = sorted(quality for quality in qualities if quality is not None)
    return {
        "channels": reader.spec.channels if reader.spec else None,
        "sizes": len({spec.shape for spec, _ in runs}),
        "arrays": sorted(reader.arrays.keys() - {NAMES}),
        "lossy": model.lossy if model else None,
        **({"qualities": known} if known else {}),
        "layers": layers,
        "tiles": tiles,
    }
