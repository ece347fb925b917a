"""Draws pictures that are not photographs: screens, text, scans, plots, maps, sprites.

`python benchmarks/synthetic_pictures.py FOLDER` writes them as PNG. Each is the same every time
with the same versions of Pillow and matplotlib, which draw text and lines.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from synthetic_text import PALETTES, code_lines, sentences, terminal_lines

from recvae.errors import InputError
from recvae.experiments.running import output_folder
from recvae.program import run_program

Colour = tuple[int, int, int]
WHITE, BLACK, GREY, BLUE = (255,) * 3, (0,) * 3, (128,) * 3, (46, 108, 210)
SIXTEEN = [
    BLACK, WHITE, GREY, (192, 192, 192), (128, 0, 0), (255, 0, 0), (128, 128, 0), (255, 255, 0),
    (0, 128, 0), (0, 255, 0), (0, 128, 128), (0, 255, 255), (0, 0, 128), (0, 0, 255),
    (128, 0, 128), (255, 0, 255),
]  # fmt: skip


def synthetic_pictures() -> dict[str, NDArray[np.uint8]]:
    """All pictures by name: uint8, grey (height, width) or RGB (height, width, 3)."""
    return {name: np.asarray(draw()) for name, draw in PICTURES.items()}


def font(size: int, face: str = "Sans") -> ImageFont.FreeTypeFont:
    """DejaVu as it comes with matplotlib, `size` in pixels; faces as in "SansMono-Bold"."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVu{face}.ttf")
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def windows() -> Image.Image:
    """Two windows on a desktop: a list and a text, bars, buttons."""
    desktop, text = _canvas(800, 600, (58, 96, 120)), sentences(0, 60)
    _window(desktop, (40, 30, 520, 420), "Messages", text[:14], selected=3)
    _window(desktop, (230, 160, 770, 560), "Letter to the editor", text[14:], selected=None)
    ImageDraw.Draw(desktop).rectangle((0, 576, 800, 600), (32, 36, 44))
    return desktop


def dialog() -> Image.Image:
    """A small dialog of controls."""
    picture = _canvas(360, 220, (240, 240, 240))
    draw = ImageDraw.Draw(picture)
    for row, words in enumerate(sentences(1, 4)):
        top = 20 + 34 * row
        draw.rounded_rectangle((20, top, 36, top + 16), 3, WHITE, GREY)
        if row % 2:
            draw.line((23, top + 8, 27, top + 12, 33, top + 4), BLUE, 2)
        draw.text((46, top), words[:36], (30, 30, 30), font(13))
    for left, word, fill in ((170, "Cancel", WHITE), (260, "Accept", BLUE)):
        draw.rounded_rectangle((left, 176, left + 80, 204), 5, fill, GREY)
        draw.text((left + 18, 182), word, BLACK if fill == WHITE else WHITE, font(13))
    return picture


def code(theme: str) -> Image.Image:
    """Lines of a program in colours, on a dark or a light ground."""
    ground, colours = PALETTES[theme]
    return _coloured_lines(720, 480, ground, code_lines(2, 28, colours), 14, 17)


def terminal() -> Image.Image:
    """A listing of files in colours on black, its letters without grey edges."""
    return _coloured_lines(640, 400, BLACK, terminal_lines(3, 25), 13, 16, mode="1")


def plot() -> Image.Image:
    """Curves with axes, by matplotlib."""

    def draw(axes: Any) -> None:
        x, rng = np.linspace(0, 10, 200), np.random.default_rng(4)
        for number in range(4):
            axes.plot(x, np.sin(x + number) * np.exp(-x / (3 + number)), label=f"run {number}")
        axes.scatter(rng.uniform(0, 10, 60), rng.normal(0, 0.3, 60), s=9, color="black")
        axes.grid(True)
        axes.set_xlabel("seconds")
        axes.set_title("Decay")

    return _figure(6.4, 4.8, draw)


def chart() -> Image.Image:
    """Bars with a legend, by matplotlib."""

    def draw(axes: Any) -> None:
        heights = np.random.default_rng(5).uniform(2, 9, (4, 6))
        for number, row in enumerate(heights):
            axes.bar(np.arange(6) + number / 5, row, 0.2, label=f"Region {'ABCD'[number]}")
        axes.set_ylabel("units")
        axes.legend()

    return _figure(8, 5, draw)


def country_map() -> Image.Image:
    """Regions of flat colours, borders, roads and names."""
    rng = np.random.default_rng(6)
    height, width = 768, 1024
    rows, columns = np.mgrid[:height, :width]
    bent = (rows + 14 * np.sin(columns / 31), columns + 14 * np.sin(rows / 23))
    centres = rng.uniform(0, (height, width), (60, 2))
    nearest = np.argmin([np.hypot(bent[0] - y, bent[1] - x) for y, x in centres], axis=0)
    colours = rng.integers(170, 246, (7, 3)).astype(np.uint8)
    pixels = colours[nearest % 7]
    border = (nearest != np.roll(nearest, 1, 0)) | (nearest != np.roll(nearest, 1, 1))
    pixels[border] = (120, 110, 100)
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for _ in range(7):
        road = rng.integers(0, (width, height), (5, 2))
        draw.line([tuple(point) for point in road.tolist()], (230, 150, 60), 4, joint="curve")
    names = " ".join(sentences(6, 12)).split()
    for (y, x), name in zip(centres, names, strict=False):
        draw.text((x, y), name.strip(".").title(), (50, 50, 60), font(12), anchor="mm")
    return picture


def pixel_art() -> Image.Image:
    """A scene of 16 colours, each pixel drawn as 4 x 4."""
    small = _canvas(96, 64, SIXTEEN[12])
    draw, rng = ImageDraw.Draw(small), np.random.default_rng(7)
    draw.rectangle((0, 34, 96, 64), SIXTEEN[8])
    draw.polygon(((0, 40), (22, 14), (40, 36), (62, 10), (96, 40)), SIXTEEN[2])
    draw.ellipse((74, 4, 86, 16), SIXTEEN[7])
    for x, y in rng.integers((0, 36), (96, 64), (160, 2)).tolist():
        draw.point((x, y), SIXTEEN[int(rng.integers(16))] if x % 5 == 0 else SIXTEEN[9])
    for left in range(6, 90, 14):
        draw.rectangle((left, 44, left + 7, 52), SIXTEEN[4])
        draw.polygon(((left - 1, 44), (left + 4, 39), (left + 8, 44)), SIXTEEN[5])
        draw.rectangle((left + 3, 48, left + 4, 52), SIXTEEN[6])
    return small.resize((384, 256), Image.Resampling.NEAREST)


def sprites() -> Image.Image:
    """A sheet of symmetric figures of four colours each, on one ground."""
    rng = np.random.default_rng(8)
    pixels = np.full((192, 256, 3), (255, 0, 255), np.uint8)
    for top in range(0, 192, 32):
        for left in range(0, 256, 32):
            colours = rng.choice(np.array(SIXTEEN, np.uint8), 4)
            half = rng.integers(0, 4, (12, 6)).repeat(2, 0).repeat(2, 1)
            filled = rng.random((12, 6)).repeat(2, 0).repeat(2, 1) < 0.7
            figure, shown = (np.hstack([part, part[:, ::-1]]) for part in (half, filled))
            place = pixels[top + 4 : top + 28, left + 4 : left + 28]
            place[shown] = colours[figure[shown]]
    return Image.fromarray(pixels)


def dithered() -> Image.Image:
    """Smooth colours in 16, by error diffusion."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in SIXTEEN for value in colour])
    smooth = gradient().resize((400, 300), Image.Resampling.BILINEAR)
    return smooth.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")


def gradient() -> Image.Image:
    """Colours that change slowly in all directions."""
    rows, columns = np.mgrid[0:1:300j, 0:1:512j]
    waves = (columns, rows, 0.5 + 0.5 * np.sin(5 * rows + 3 * columns))
    return Image.fromarray(np.round(np.stack(waves, -1) * 255).astype(np.uint8))


def icons() -> Image.Image:
    """Icons with smooth edges on light grey, drawn large and made smaller."""
    large, rng = _canvas(2048, 1024, (246, 246, 246)), np.random.default_rng(9)
    draw = ImageDraw.Draw(large)
    for top in range(0, 1024, 256):
        for left in range(0, 2048, 256):
            colour = SIXTEEN[int(rng.integers(4, 16))]
            box = (left + 40, top + 40, left + 216, top + 216)
            kind = int(rng.integers(4))
            if kind == 0:
                draw.ellipse(box, colour)
            elif kind == 1:
                draw.rounded_rectangle(box, 40, colour)
            elif kind == 2:
                draw.regular_polygon(
                    (left + 128, top + 128, 96), int(rng.integers(3, 8)), 9, colour
                )
            else:
                draw.arc(box, 30, 330, colour, 28)
            draw.line((left + 88, top + 128, left + 168, top + 128), WHITE, 20)
    return large.resize((512, 256), Image.Resampling.BOX)


def icon() -> Image.Image:
    """One icon, small."""
    return icons().crop((0, 0, 64, 64))


def scan(clean: bool) -> Image.Image:
    """A page of text in black and white, clean or as scanned: rotated by a degree, with specks."""
    page = Image.new("L", (724, 1024), 255)
    draw = ImageDraw.Draw(page)
    draw.text((80, 60), "Report on the harvest", 0, font(30, "Serif-Bold"))
    for row, line in enumerate(sentences(10, 40)):
        draw.text((80, 120 + 21 * row), line[:70], 0, font(15, "Serif"))
    if not clean:
        page = page.rotate(0.9, Image.Resampling.BICUBIC, fillcolor=255)
    pixels = np.asarray(page).astype(np.float64)
    if not clean:
        rng = np.random.default_rng(11)
        pixels = pixels + rng.normal(0, 34, pixels.shape)
    return Image.fromarray(np.where(pixels < 128, 0, 255).astype(np.uint8))


def _canvas(width: int, height: int, ground: Colour) -> Image.Image:
    return Image.new("RGB", (width, height), ground)


def _window(
    desktop: Image.Image,
    box: tuple[int, int, int, int],
    title: str,
    lines: list[str],
    selected: int | None,
) -> None:
    """Draw a window with title bar, buttons and lines of text, clipped at its edge."""
    left, top, right, bottom = box
    inside = _canvas(right - left, bottom - top, WHITE)
    draw = ImageDraw.Draw(inside)
    for row, line in enumerate(lines):
        place = 44 + 22 * row
        if row == selected:
            draw.rectangle((0, place - 3, right - left, place + 18), BLUE)
        draw.text((12, place), line, WHITE if row == selected else (32, 32, 32), font(13))
    draw.rectangle((0, 0, right - left, 30), (222, 225, 230))
    draw.text((12, 6), title, (60, 60, 60), font(14, "Sans-Bold"))
    for number, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
        x = right - left - 24 - 22 * number
        draw.ellipse((x, 9, x + 12, 21), colour)
    draw.rectangle((0, 0, right - left - 1, bottom - top - 1), None, (150, 150, 150))
    desktop.paste(inside, (left, top))


def _coloured_lines(
    width: int,
    height: int,
    ground: Colour,
    lines: list[list[tuple[str, Colour]]],
    size: int,
    leading: int,
    mode: str = "L",
) -> Image.Image:
    """Draw words of fixed width in their colours; mode "1" without smooth edges."""
    picture = _canvas(width, height, ground)
    draw, face = ImageDraw.Draw(picture), font(size, "SansMono")
    draw.fontmode = mode
    for row, words in enumerate(lines):
        x = 8.0
        for word, colour in words:
            draw.text((x, 4 + leading * row), word, colour, face)
            x += face.getlength(word)
    return picture


def _figure(width: float, height: float, draw: Callable[..., None]) -> Image.Image:
    """Draw one diagram with matplotlib; sizes in hundreds of pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=100)
    draw(figure.add_subplot())
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream)
    return Image.open(stream).convert("RGB")


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "windows": windows,
    "dialog": dialog,
    "code-dark": lambda: code("dark"),
    "code-light": lambda: code("light"),
    "terminal": terminal,
    "plot": plot,
    "chart": chart,
    "map": country_map,
    "pixel-art": pixel_art,
    "sprites": sprites,
    "dithered": dithered,
    "gradient": gradient,
    "icons": icons,
    "icon": icon,
    "scan-clean": lambda: scan(clean=True),
    "scan-noisy": lambda: scan(clean=False),
}


def main() -> None:
    """Write the pictures to a folder."""
    if len(sys.argv) != 2:
        raise InputError("pass one folder: python benchmarks/synthetic_pictures.py FOLDER")
    folder = output_folder(sys.argv[1])
    for name, pixels in synthetic_pictures().items():
        Image.fromarray(pixels).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(run_program("synthetic_pictures.py", main))
