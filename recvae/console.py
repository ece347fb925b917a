"""What the commands share: inputs and outputs, standard streams too, what is said, progress."""

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recvae.codec.compression import Progress as ProgressHook
from recvae.errors import InputError
from recvae.files import translate_os_errors
from recvae.images import holds_images
from recvae.images.formats.registry import format_by_ending, with_article

STANDARD = "-"
Reader = TypeVar("Reader")


def source(path: str) -> str | BinaryIO:
    """A path, or standard input for `-`; InputError if that is a terminal."""
    if path != STANDARD:
        return path
    if sys.stdin.isatty():
        raise InputError("standard input is a terminal: pipe a file into it")
    return sys.stdin.buffer


def opened(options: Namespace, open_file: Callable[[str | BinaryIO], Reader]) -> Reader:
    """The input as a .recvae file; InputError that says so if it is images instead."""
    try:
        return open_file(source(options.input))
    except InputError as error:
        if holds_images(options.input):
            raise InputError(
                f"{options.input}: is no .recvae file: compress makes one of these images"
            ) from error
        raise


def check_output(options: Namespace, what: str = "the input") -> None:
    """Raises InputError if the output, which `--force` replaces, is the input or holds it."""
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
    """Raises InputError if a .recvae file would be called as images are."""
    if known := format_by_ending(options.output.removesuffix(".gz")):
        raise InputError(
            f"{options.output}: {options.command} writes a .recvae file, and this is the name of "
            f"{with_article(known.name)}: choose another output name"
        )


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output for bytes; InputError if it is a terminal or, say, on a full disk."""
    if sys.stdout.isatty():
        raise InputError("standard output is a terminal: send it to a file or a pipe")
    try:
        with translate_os_errors("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    except (InputError, BrokenPipeError):
        silence_output()
        raise


def silence_output() -> None:
    """Let what standard output still holds go nowhere, instead of failing once more at the end."""
    with suppress(OSError):  # there is no descriptor where a program has replaced the stream
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def say(options: Namespace, result: dict[str, Any], text: str) -> None:
    """Print a result as JSON or text, as options ask; to stderr if stdout has the images."""
    to = sys.stderr if getattr(options, "output", None) == STANDARD else sys.stdout
    if options.json:
        print(json.dumps(result), file=to)
    elif not options.quiet:
        print(text, file=to)


@contextmanager
def progress(
    options: Namespace, num_images: int | None, image_pixels: float
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
