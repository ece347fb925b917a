"""The figures and the report of the MNIST experiment: real models and images, made-up rows."""

import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from experiments.mnist.rows import full, make_row, partitioned
from recvae.codec import CodecModel
from recvae.experiments.mnist.figures import (
    Drawing,
    bits,
    drawings,
    rates,
    weights,
)
from recvae.experiments.mnist.figures.weights import MODELS
from recvae.experiments.mnist.published import OTHERS, RESULTS
from recvae.experiments.mnist.report import write_report
from recvae.experiments.mnist.report.columns import COLUMNS
from recvae.experiments.mnist.table import to_table
from recvae.experiments.report.markup import inline_svg, prose
from recvae.vae import mutual_information_bits, posterior

COMMAND = "python -m recvae.experiments mnist --data.root DIR --out OUT --seed 0"
NAMES = ["information", "block_kl", "rates", "bits", "weights", "images"]


@pytest.fixture(scope="module")
def all_drawings(
    models: dict[str, CodecModel], train_images: torch.Tensor, test_images: torch.Tensor
) -> list[Drawing]:
    makers = drawings("mnist-mlp", to_table(full()), models, train_images, test_images)
    return [make() for make in makers]


class Page(HTMLParser):
    """The parts of a page; parsing fails if it is not well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.cells: dict[str, list[list[str]]] = {}
        self.words = ""
        self._table = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes.append((name, dict(attributes)))
        if name not in ("meta", "br", "link", "input"):  # void
            self.open.append(name)
        if name == "table":
            self._table = dict(attributes)["id"] or ""
            self.cells[self._table] = []
        elif name == "tr":
            self.cells[self._table].append([])
        elif name in ("td", "th"):
            self.cells[self._table][-1].append("")

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += data
        if {"td", "th"} & set(self.open):
            self.cells[self._table][-1][-1] += data


def make_report(
    folder: Path, rows: Sequence[dict[str, Any]], made: Sequence[Drawing], notes: Sequence[str] = ()
) -> Page:
    paths = write_report(folder, rows, made, notes, COMMAND)
    assert paths[-1] == folder / "report.html"
    return Page(paths[-1].read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report") / "made"


@pytest.fixture(scope="module")
def page(folder: Path, all_drawings: list[Drawing]) -> Page:
    return make_report(folder, full(), all_drawings)


def test_every_figure_is_drawn_and_written(
    folder: Path, page: Page, all_drawings: list[Drawing]
) -> None:
    assert [d.name for d in all_drawings] == NAMES
    assert {path.name for path in (folder / "figures").iterdir()} == {f"{n}.svg" for n in NAMES}
    assert [a["id"] for name, a in page.attributes if name == "figure"] == NAMES
    assert sum(name == "svg" for name, _ in page.attributes) == len(NAMES)
    for drawing in all_drawings:
        assert drawing.caption.replace("2^", "2") in page.words


def test_nothing_is_loaded_from_elsewhere(folder: Path, page: Page) -> None:
    for name, attributes in page.attributes:
        for key, value in attributes.items():
            assert key != "src"
            if key.endswith("href") and name != "a":
                assert value
                assert value.startswith(("#", "data:image/png;base64,"))
            elif key == "href":
                assert value
                assert (folder / value).exists() or value in ("table.csv", "table.md")
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "http" not in text
    assert "@import" not in text


def test_ids_are_unique_and_what_refers_to_them_finds_them(folder: Path, page: Page) -> None:
    ids = Counter(a["id"] for _, a in page.attributes if "id" in a)
    assert max(ids.values()) == 1
    text = (folder / "report.html").read_text(encoding="utf-8")
    used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert len(used) > 50
    assert used <= set(ids)


def test_numbers_are_those_of_the_rows(page: Page) -> None:
    heading, *body = page.cells["rows"]
    assert len(heading) == len(COLUMNS) + 2
    expected = to_table(full())
    assert len(body) == len(expected.rows)
    for cells, row in zip(body, expected.rows, strict=True):
        expected_cells: dict[str, Any] = dict(zip(expected.columns, row, strict=True))
        assert cells[1] == expected_cells["model"]
        for cell, column in zip(cells[2:], COLUMNS, strict=True):
            if expected_cells[column.key] is None:
                assert cell == ""
            else:
                value = float(cell.replace(",", "")) / column.factor
                decimals = len(cell.partition(".")[2])
                half = 0.501 * 10.0**-decimals / column.factor
                assert value == pytest.approx(expected_cells[column.key], abs=half, rel=0)


def test_sorting_goes_by_all_digits(page: Page) -> None:
    values = [a["data-value"] for name, a in page.attributes if name == "td" and "data-value" in a]
    rates_bpp = {repr(row["bits_per_pixel"]) for row in full()}
    assert rates_bpp <= set(values)


def test_tables_can_be_sorted_by_keyboard(page: Page) -> None:
    buttons = [a for name, a in page.attributes if name == "button"]
    headings = sum(len(table[0]) for table in page.cells.values())
    assert len(buttons) == headings
    assert all(a["type"] == "button" for a in buttons)


def test_published_values_stand_beside_ours(page: Page) -> None:
    body = page.cells["published"][1:]
    for cells, result in zip(body, (*RESULTS, *OTHERS), strict=True):
        assert cells[0] == result.name + result.source
        assert float(cells[3]) == result.bits_per_pixel
        assert bool(cells[5]) == (result.latent_dim in (20, 50, 100))
    ours = min(r["bits_per_pixel"] for r in full() if r["model"] == "mnist-mlp-100")
    row = next(c for c, r in zip(body, RESULTS, strict=False) if r.latent_dim == 100)
    assert row[5] == f"{ours:.4f}"
    assert float(row[6]) == pytest.approx(100 * (1 - ours / 1.523), abs=0.05)


def test_the_summary_has_the_best_row_over_its_own_bound(tmp_path: Path) -> None:
    near, far = (
        {"negative_elbo_bpp": bpp, "overhead_bits": bits} for bpp, bits in ((1.5, 9.0), (1.2, 12.0))
    )
    rows = [
        make_row(name, "partitioned ORC", **cells) for name, cells in (("near", near), ("far", far))
    ]
    words = make_report(
        tmp_path, [*rows, make_row("none", "GPRS", overhead_bits=1.0)], [], []
    ).words
    assert "1.5115 bits per pixel in the file, 0.77% over −ELBO (1.5000): near" in words
    assert "−ELBO (1.2000)" not in words


def test_how_to_make_it_again_is_told(page: Page) -> None:
    words = page.words
    assert COMMAND in words
    for name in ("processor", "torch", "numpy", "Python", "recvae"):
        assert name in words


def test_names_are_text(tmp_path: Path) -> None:
    hostile = '</table><script src="http://evil">x</script> & "2^10"'
    row = make_row(hostile, "partitioned ORC", model="<b>bold", log2_candidates=10)
    drawing = Drawing("rates", f"title {hostile}", f"caption {hostile}", Figure())
    page = make_report(tmp_path, [row], [drawing], [hostile])
    raised = hostile.replace("^", "")
    assert page.cells["rows"][1][0] == f"{raised}partitioned ORC"
    assert page.cells["rows"][1][1] == "<b>bold"
    assert f"caption {raised}" in page.words
    assert hostile in page.words
    labels = [a["aria-label"] for _, a in page.attributes if "aria-label" in a]
    assert labels.count(drawing.title) == 2  # for the scrolling box and the figure in it
    assert sum(name == "script" for name, _ in page.attributes) == 1


def test_a_part_of_the_rows_gives_a_part_of_the_report(
    tmp_path: Path, models: dict[str, CodecModel], train_images: torch.Tensor
) -> None:
    none = rates(to_table([]), "mnist-mlp")
    empty = make_report(tmp_path / "empty", [], [none, bits(to_table([]), "mnist-mlp")])
    assert "No row of partitioned ORC" in empty.words
    assert "No file was made with mnist-mlp" in empty.words
    assert not list((tmp_path / "empty" / "figures").iterdir())
    row = make_row("one", "partitioned ORC", blocks=2, log2_candidates=8)
    table = to_table([row])
    made = [
        rates(table, "mnist-mlp"),
        bits(table, "mnist-mlp"),
        weights(table, models, train_images),
        weights(to_table(full()), {}, train_images),
    ]
    page = make_report(tmp_path / "one", [row], made[:3], ["all but one row"])
    assert len(page.cells["rows"]) == 2
    assert "all but one row" in page.words
    assert sorted(p.name for p in (tmp_path / "one" / "figures").iterdir()) == [
        "bits.svg",
        "rates.svg",
    ]
    for drawing in made[2:]:
        assert drawing.figure is None
        assert all(name in drawing.caption for name in MODELS)


def test_captions_tell_what_the_data_say(
    model: CodecModel, train_images: torch.Tensor, all_drawings: list[Drawing]
) -> None:
    captions = {drawing.name: drawing.caption for drawing in all_drawings}
    information_bits = mutual_information_bits(posterior(model.encoder, train_images))
    assert f"{float(information_bits.sum()):.1f} bits together" in captions["information"]
    assert f"{int((information_bits > 0.1).sum())} of 50 carry" in captions["information"]
    whole = posterior(model.encoder, train_images).kl_bits().sum(1)
    assert f"{float(whole.mean()):.1f} ± {float(whole.std()):.1f} bits" in captions["block_kl"]
    best = min(partitioned(), key=lambda row: row["overhead_bpp"])
    assert (
        f"{best['bits_per_pixel']:.4f} bits per pixel with {best['blocks']} b" in captions["rates"]
    )
    over = best["bits_per_pixel"] / best["negative_elbo_bpp"] - 1
    assert f"{over:.2%} over −ELBO" in captions["rates"]
    cheapest = min(
        (r for r in full() if r["model"] == "mnist-mlp" and r["family"] != "bound"),
        key=lambda row: row["overhead_bpp"],
    )
    assert f"ranks {cheapest['ranks_bpp']:.4f}" in captions["bits"]


def test_the_easier_model_needs_fewer_candidates(all_drawings: list[Drawing]) -> None:
    caption = next(d.caption for d in all_drawings if d.name == "weights")
    plain, controlled = map(float, re.findall(r"2\^(\d+\.\d)", caption))
    assert plain - controlled == pytest.approx(2, abs=0.05)


def test_powers_of_two_are_raised() -> None:
    assert prose("N = 2^10, 2^1.5 <2^x 32^4") == (
        "N = 2<sup>10</sup>, 2<sup>1.5</sup> &lt;2^x 32^4"
    )


def test_svgs_can_share_a_page() -> None:
    svg = (
        b'<?xml version="1.0"?><!DOCTYPE svg>\n<svg xmlns:xlink="http://x" width="9.5pt" '
        b'height="2pt" viewBox="0 0 1 1" version="1.1">\n<metadata>http</metadata><g id="a">'
        b'<use xlink:href="#a" clip-path="url(#a)"/></g></svg>\n'
    )
    assert inline_svg(svg, "n", "<two>") == (
        '<svg viewBox="0 0 1 1" style="max-width: 9.5pt" role="img" aria-label="&lt;two&gt;">\n'
        '<g id="n-a"><use xlink:href="#n-a" clip-path="url(#n-a)"/></g></svg>'
    )
