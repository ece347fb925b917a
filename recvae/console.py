"""Shared by the commands: inputs and outputs, standard streams included, reports and progress."""

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from recvae.codec.compression import Progress, no_progress
from recvae.errors import InputError
from recvae.files import translate_os_errors
from recvae.files.streams import whole_writes
from recvae.images import holds_images
from recvae.images.formats.registry import format_by_ending, with_article
from recvae.reports import show, silence_output

STANDARD = "-"
Reader = TypeVar("Reader")


def source(path: str) -> str | BinaryIO:
    """A path, or standard input for `-`; InputError if that is a terminal."""
    if path != STANDARD:
        return path
    if sys.stdin is not None and sys.stdin.isatty():
        raise InputError("standard input is a terminal: pipe a file into it")
    return _binary(sys.stdin, "standard input")


def _binary(stream: Any, name: str) -> BinaryIO:
    """The bytes behind a standard stream; InputError if there are none, as in a notebook."""
    binary = getattr(stream, "buffer", None)
    if binary is None:
        raise InputError(f"{name} is closed or text-only: pass a file name")
    return binary


def opened(options: Namespace, open_file: Callable[[str | BinaryIO], Reader]) -> Reader:
    """Open the input as a .recvae file; a special InputError if it holds images instead."""
    try:
        return open_file(source(options.input))
    except InputError as error:
        if holds_images(options.input):
            raise InputError(
                f"{options.input}: is not a .recvae file: make one of these images with compress"
            ) from error
        raise


def check_output(options: Namespace, what: str = "the input") -> None:
    """Raise InputError if the output, which `--force` replaces, is the input or contains it."""
    if STANDARD in (options.input, options.output):
        return
    with translate_os_errors(options.input):
        given, output = (Path(path).resolve() for path in (options.input, options.output))
        same = given.exists() and output.exists() and os.path.samefile(given, output)
        holds = given.exists() and output in given.parents
    if same or holds:
        how = "is" if same else "holds"
        raise InputError(f"{options.output} {how} {what}: choose another output name")


def check_recvae_name(options: Namespace) -> None:
    """Raise InputError if the name of a .recvae file is one for images."""
    if known := format_by_ending(options.output.removesuffix(".gz")):
        raise InputError(
            f"{options.output}: {options.command} writes a .recvae file, but this is a name for "
            f"{with_article(known.name)}: choose another output name"
        )


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output as bytes; InputError if it is a terminal or, say, the disk is full."""
    if sys.stdout.isatty():
        raise InputError("standard output is a terminal: send it to a file or a pipe")
    stream = whole_writes(_binary(sys.stdout, "standard output"))
    try:
        with translate_os_errors("standard output"):
            yield stream
            stream.flush()
    except (InputError, BrokenPipeError):
        silence_output()
        raise


def say(options: Namespace, result: dict[str, Any], text: str) -> None:
    """Print a result as JSON or text; to stderr if stdout carries the images."""
    to = sys.stderr if getattr(options, "output", None) == STANDARD else sys.stdout
    if words := _words(options, result, text):
        print(words, file=to)


def answer(options: Namespace, result: dict[str, Any], text: str) -> None:
    """Print a command's only result; InputError if printing fails."""
    if words := _words(options, result, text):
        show(words)


def _words(options: Namespace, result: dict[str, Any], text: str) -> str:
    return json.dumps(result) if options.json else "" if options.quiet else text


@contextmanager
def progress(options: Namespace, num_images: int | None, image_pixels: float) -> Iterator[Progress]:
    """A progress bar on a terminal, nothing elsewhere and with --quiet or --json."""
    if options.quiet or options.json or not sys.stderr.isatty():
        yield no_progress
        return
    from rich import progress as bars  # imported here: most runs show no bar
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
    )
    started = time.perf_counter()
    with bars.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("images", total=num_images, rate="")

        def hook(images: int, num_bytes: int) -> None:
            speed = images / (time.perf_counter() - started)
            rate = f"{speed:.0f} images/s, {8 * num_bytes / (images * image_pixels):.4f} bits/pixel"
            bar.update(task, completed=images, rate=rate)

        yield hook
