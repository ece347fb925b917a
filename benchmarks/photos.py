"""Lossless codecs on pictures, as files on disk: bits per sub-pixel and times.

    python benchmarks/photos.py FOLDER [FOLDER_OR_NPY ...] [--model NAME] [--out results/photos]
    python benchmarks/photos.py --synthetic [--out DIR]

Of a folder, each picture is a file. Of a .npy with many images, (n, height, width) or
(n, height, width, 3), recvae makes one file, the others one of a mosaic. Everything decoded is
compared with the original. Other codecs run in one thread; recvae uses all available cores
(`taskset -c 0` leaves it one). MP/s are megapixels a second; "a core" means a CPU second of all
threads, which is more informative while other programs run.

With --large, pictures of FOLDER make up one with this many megapixels: peak memory of the commands,
seconds of a region. With --start: seconds of `recvae decompress` from the shell to the end.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from commands_measured import large_picture, start_seconds
from lossless_files import OURS, Measured, Part, Summary, measure, ours, summarised
from PIL import Image
from synthetic_pictures import synthetic_pictures

from recvae.codec.models import PICTURES_MODEL
from recvae.errors import InputError
from recvae.evaluation.lossless_codecs import (
    LosslessCodec,
    lossless_codecs,
    missing_lossless_codecs,
)
from recvae.experiments.report.machine import machine
from recvae.experiments.running import output_folder, progress, write_files
from recvae.experiments.tables import Table, markdown_grid
from recvae.program import run_program

SYNTHETIC = "synthetic pictures"
ENDINGS = {".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".jpg", ".jpeg"}
MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
HEADINGS = (
    "codec", "mean bits per sub-pixel", "in all", "bytes",
    "encode MP/s", "a core", "decode MP/s", "a core",
)  # fmt: skip


def read_parts(path: Path, limit: int | None) -> list[Part]:
    """Read each picture of a folder, a picture, or the images of a .npy; InputError for others."""
    if path.suffix == ".npy":
        try:
            pixels = np.load(path, mmap_mode="r")[:limit]
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as .npy") from error
        if (
            pixels.dtype != np.uint8
            or pixels.ndim not in (3, 4)
            or pixels.shape[3:] not in ((), (3,))
        ):
            raise InputError(
                f"{path}: {pixels.dtype} {pixels.shape}, need uint8 (n, height, width) or "
                "(n, height, width, 3)"
            )
        return [Part(path.name, f"{len(pixels)} images", np.ascontiguousarray(pixels))]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    paths = [path]
    if path.is_dir():
        paths = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in ENDINGS)
    if not paths:
        raise InputError(f"{path}: no pictures in this folder")
    return [Part(path.name, entry.stem, _read_picture(entry)[None]) for entry in paths[:limit]]


def to_markdown(
    rows: Sequence[Measured], lines: Sequence[str], codecs: Sequence[LosslessCodec]
) -> str:
    """A table for each set, for the synthetic one also by picture, then `lines`."""
    parts = ["# Lossless pictures", ", ".join(f"{key} {value}" for key, value in machine().items())]
    summaries = summarised(rows)
    for data in dict.fromkeys(row.data for row in rows):
        parts.append(f"## {data}")
        parts.append(
            markdown_grid(HEADINGS, [_cells(row) for row in summaries if row.data == data])
        )
        if data == SYNTHETIC:
            parts.append(_each_picture([row for row in rows if row.data == data]))
    parts += lines
    parts.append("\n".join(f"- {codec.name}: {codec.version}. {codec.options}" for codec in codecs))
    return "\n\n".join(parts) + "\n"


def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            if picture.mode not in MODES or "transparency" in picture.info:
                raise InputError(f"{path}: mode {picture.mode}, need grey or RGB without alpha")
            return np.asarray(picture.convert(MODES[picture.mode]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error


def _cells(row: Summary) -> list[str]:
    return [
        row.codec,
        f"{row.mean_bits_per_sub_pixel:.3f}",
        f"{row.total_bits_per_sub_pixel:.3f}",
        f"{row.file_bytes:,}",
        f"{row.encode_megapixels_per_second:.2f}",
        f"{row.encode_megapixels_per_cpu_second:.2f}",
        f"{row.decode_megapixels_per_second:.2f}",
        f"{row.decode_megapixels_per_cpu_second:.2f}",
    ]


def _each_picture(rows: Sequence[Measured]) -> str:
    """Bytes of each picture by codec and, for ours, the difference to PNG."""
    codecs = list(dict.fromkeys(row.codec for row in rows))
    sizes: dict[str, dict[str, int]] = {}
    for row in rows:
        sizes.setdefault(row.name, {})[row.codec] = row.file_bytes
    sizes["all"] = {name: sum(size[name] for size in sizes.values()) for name in codecs}
    compared = {OURS, "PNG"} <= set(codecs)
    headings = ["bytes", *codecs, *["recvae to PNG"] * compared]
    grid = [
        [
            name,
            *(f"{size[codec]:,}" for codec in codecs),
            *[f"{size[OURS] / size['PNG'] - 1:+.1%}" for _ in range(compared)],
        ]
        for name, size in sizes.items()
    ]
    return markdown_grid(headings, grid)


def _table(rows: Sequence[Measured] | Sequence[Summary]) -> bytes:
    kind = type(rows[0])
    return Table(tuple(field.name for field in fields(kind)), list(map(astuple, rows))).to_csv()


def _chosen(options: argparse.Namespace) -> list[LosslessCodec]:
    """The requested codecs, ours first."""
    found = {codec.name: codec for codec in lossless_codecs()}
    if options.codecs is None or OURS in options.codecs:
        found = {OURS: ours(options.model)} | found
    if options.codecs is None:
        return list(found.values())
    if strange := [name for name in options.codecs if name not in found]:
        raise InputError(f"--codecs {strange[0]}: choose from {OURS}, {', '.join(found)}")
    return [found[name] for name in options.codecs]


def _commands(options: argparse.Namespace, parts: Sequence[Part], folder: Path) -> Iterator[str]:
    """Tables of the measurements of commands."""
    pictures = [part.pixels[0] for part in parts if len(part.pixels) == 1]
    if (options.large or options.start) and not pictures:
        raise InputError("--large and --start need pictures: pass a folder of them")
    model = options.model or PICTURES_MODEL
    if options.large:
        yield large_picture(model, pictures, options.large, folder)
    if options.start:
        yield start_seconds(model, pictures[0], folder)


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="*", type=Path, metavar="FOLDER_OR_NPY")
    parser.add_argument("--synthetic", action="store_true", help="pictures drawn by this program")
    parser.add_argument("--model", help="name or folder (default: as `recvae compress` chooses)")
    parser.add_argument("--codecs", nargs="+", metavar="NAME", help="only these (default: all)")
    parser.add_argument("--limit", type=_count, help="at most this many pictures of each input")
    parser.add_argument("--large", type=float, metavar="MEGAPIXELS", help="of one picture, like 16")
    parser.add_argument("--start", action="store_true", help="seconds from the shell to the end")
    parser.add_argument("--out", help="folder for table.md, table.csv, pictures.csv")
    options = parser.parse_args(arguments)
    if not options.inputs and not options.synthetic:
        parser.error("pass a folder of pictures, a .npy, or --synthetic")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = _options(arguments)
    out = output_folder(options.out) if options.out else None
    parts = [part for path in options.inputs for part in read_parts(path, options.limit)]
    if options.synthetic:
        made = list(synthetic_pictures().items())[: options.limit]
        parts += [Part(SYNTHETIC, name, pixels[None]) for name, pixels in made]
    codecs = _chosen(options)
    with tempfile.TemporaryDirectory() as name, progress("files") as track:
        folder = Path(name)
        work = [(codec, part) for part in parts for codec in codecs]
        steps = track(work, lambda step: f"{step[1].name}, {step[0].name}")
        rows = [measure(codec, part, folder) for codec, part in steps]
        lines = [*_commands(options, parts, folder), *missing_lossless_codecs()]
    text = to_markdown(rows, lines, codecs)
    print(text)
    if out:
        tables = {"table.csv": _table(summarised(rows)), "pictures.csv": _table(rows)}
        write_files({out / name: content for name, content in tables.items()})
        write_files({out / "table.md": text.encode()})


if __name__ == "__main__":
    sys.exit(run_program("photos.py", main))
