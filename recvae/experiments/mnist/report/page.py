"""One HTML page that holds everything: no network, no other file is needed to read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from recvae.experiments.mnist.figures import Drawing
from recvae.experiments.mnist.published import OTHERS, RESULTS
from recvae.experiments.mnist.report.columns import COLUMNS, FAMILIES
from recvae.experiments.mnist.report.markup import Html, inline_svg, joined, prose, tag
from recvae.experiments.mnist.rows import MODELS
from recvae.experiments.mnist.targets import Verdict, best, best_of_all_images
from recvae.experiments.tables import Table


@dataclass(frozen=True)
class Contents:
    """What the page tells.

    Fields:
        rows: measured, in the order in which they are to stand.
        verdicts: on the targets.
        drawings: the figures, in order.
        svgs: of the drawings that have a figure, by name.
        notes: what is missing, a line each.
        machine: what was measured on, by name.
        command: that makes all of it again.
    """

    rows: Table
    verdicts: Sequence[Verdict]
    drawings: Sequence[Drawing]
    svgs: Mapping[str, bytes]
    notes: Sequence[str]
    machine: Mapping[str, str]
    command: str


def page(contents: Contents) -> str:
    """The page."""
    rows = [dict(zip(contents.rows.columns, row, strict=True)) for row in contents.rows.rows]
    title = "Lossless MNIST by relative entropy coding with space partitioning"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _resource("page.css")),
    )
    body = tag(
        "body",
        tag(
            "main",
            tag("h1", title),
            _summary(rows),
            _targets(contents.verdicts),
            _notes(contents.notes),
            _published(rows),
            _figures(contents),
            _all_rows(rows),
            _explanations(),
            _machine(contents),
        ),
        tag("script", _resource("page.js")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _resource(name: str) -> Html:
    return Html(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _summary(rows: Sequence[dict[str, Any]]) -> Html:
    """The best row of partitioned ORC for each model, a line each."""
    lines = []
    for model in dict.fromkeys(row["model"] for row in rows):
        ours = best([row for row in rows if row["model"] == model], "partitioned ORC")
        if ours is not None:
            ratio = ours["bits_per_pixel"] / ours["negative_elbo_bpp"] - 1
            lines.append(
                tag(
                    "p",
                    tag("strong", f"{ours['bits_per_pixel']:.4f} bits per pixel"),
                    f" in the file, {ratio:.2%} over −ELBO ({ours['negative_elbo_bpp']:.4f}): ",
                    prose(ours["name"]),
                    f", model {model} with {ours['latent_dim']} latents, "
                    f"{ours['images']:,} test images.",
                )
            )
    if not lines:
        lines.append(tag("p", "No row of partitioned ORC has been measured so far."))
    return tag("div", lines, class_="summary")


def _targets(verdicts: Sequence[Verdict]) -> Html:
    items = [
        tag(
            "li",
            tag("span", "reached" if verdict.reached else "missed", class_="verdict"),
            tag("span", prose(f"{verdict.target}: {verdict.found}")),
            class_="reached" if verdict.reached else "missed",
        )
        for verdict in verdicts
    ]
    if not items:
        items.append(tag("li", "none can be judged by the rows measured so far"))
    return tag("section", tag("h2", "Targets"), tag("ul", items, class_="targets"))


def _notes(notes: Sequence[str]) -> Html:
    if not notes:
        return Html()
    return tag("section", tag("h2", "Missing"), tag("ul", [tag("li", note) for note in notes]))


def _published(rows: Sequence[dict[str, Any]]) -> Html:
    """Published results beside the best row here of the model with as many latents."""
    body = []
    for result in (*RESULTS, *OTHERS):
        model = result.latent_dim and MODELS.get(result.latent_dim)
        ours = best_of_all_images(rows, model) or {}
        here = ours.get("bits_per_pixel")
        saving = None if here is None else 100 * (1 - here / result.bits_per_pixel)
        name = [result.name, tag("small", result.source)]
        body.append(
            [
                tag("th", name, scope="row"),
                _cell(result.latent_dim, "d"),
                _cell(result.negative_elbo_bpp, ".3f"),
                _cell(result.bits_per_pixel, ".3f"),
                _cell(ours.get("negative_elbo_bpp"), ".4f"),
                _cell(here, ".4f"),
                _cell(saving, ".1f"),
                _cell(ours.get("images"), ",d"),
            ]
        )
    headings = (
        ("codec", ""),
        ("latents", ""),
        ("−ELBO", "published"),
        ("coded", "published"),
        ("−ELBO", "here"),
        ("in the file", "here"),
        ("saving", "%"),
        ("images", "here"),
    )
    return tag(
        "section",
        tag("h2", "Published, and here"),
        tag(
            "p",
            "Bits per pixel of the MNIST test set. Here: partitioned ORC at its best setting with "
            "as many latents, of rows on all test images. Other coders on the same models are in "
            "the table of all rows.",
        ),
        _table("published", "Published rates, and those here", headings, body),
    )


def _figures(contents: Contents) -> Html:
    figures = []
    for number, drawing in enumerate(contents.drawings, 1):
        content: list[Html] = []
        words: list[Html | str] = [
            tag("strong", f"{number}. {drawing.title}. "),
            prose(drawing.caption),
        ]
        if drawing.name in contents.svgs:
            svg = inline_svg(contents.svgs[drawing.name], drawing.name, drawing.title)
            content.append(_scrolled(svg, drawing.title))
            words += [" ", tag("a", "SVG", href=f"figures/{drawing.name}.svg")]
        figures.append(tag("figure", *content, tag("figcaption", words), id=drawing.name))
    return tag("section", tag("h2", "Figures"), figures)


def _all_rows(rows: Sequence[dict[str, Any]]) -> Html:
    headings = [
        ("coder", ""),
        ("model", ""),
        *((column.heading, column.unit) for column in COLUMNS),
    ]
    body = [
        [
            tag("th", prose(row["name"]), tag("small", row["family"]), scope="row"),
            tag("td", row["model"], class_="right"),
            *(_cell(row[c.key], c.form, c.factor) for c in COLUMNS),
        ]
        for row in rows
    ]
    return tag(
        "section",
        tag("h2", "All rows"),
        tag(
            "p",
            "A click on a heading sorts. Bins, ranks, pixels and container add up to the file. ",
            tag("a", "CSV", href="table.csv"),
            ", ",
            tag("a", "Markdown", href="table.md"),
        ),
        _table("rows", "All rows", headings, body),
    )


def _cell(value: float | None, form: str, factor: float = 1) -> Html:
    """A number; sorting goes by all its digits."""
    if value is None:
        return tag("td")
    return tag("td", format(value * factor, form), class_="right", data_value=repr(value))


def _table(
    name: str, label: str, headings: Sequence[tuple[str, str]], body: Sequence[Sequence[Html]]
) -> Html:
    """A table whose headings, of name and unit, are buttons that sort it."""
    cells = [
        tag("th", tag("button", heading, tag("small", unit), type="button"), scope="col")
        for heading, unit in headings
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", cells)),
        tag("tbody", [tag("tr", row) for row in body]),
        class_="sortable",
        id=name,
    )
    return _scrolled(table, label)


def _scrolled(content: Html, label: str) -> Html:
    """What may be wider than the page; keys scroll it too."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def _explanations() -> Html:
    columns = [
        [tag("dt", joined([c.heading, f" ({c.unit})" if c.unit else ""])), tag("dd", c.meaning)]
        for c in COLUMNS
    ]
    families = [[tag("dt", name), tag("dd", meaning)] for name, meaning in FAMILIES.items()]
    return tag(
        "section",
        tag("h2", "What the rows and columns are"),
        tag("h3", "Rows"),
        tag("dl", families),
        tag("h3", "Columns"),
        tag("dl", columns),
    )


def _machine(contents: Contents) -> Html:
    facts = [[tag("dt", name), tag("dd", value)] for name, value in contents.machine.items()]
    return tag(
        "section",
        tag("h2", "Machine, versions, and how to make it again"),
        tag("p", "Times are of this machine; rows that an earlier run left are of that one's."),
        tag("dl", facts, class_="facts"),
        tag("pre", tag("code", contents.command), tabindex="0"),
    )
