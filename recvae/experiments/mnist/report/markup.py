"""HTML that is escaped by construction: text is text unless a tag was made of it."""

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"meta", "br", "link", "input"})


class Html(str):
    """Markup that is complete; any other string is text."""

    __slots__ = ()


Content: TypeAlias = str | Iterable["Content"]


def tag(name: str, /, *content: Content, **attributes: str | bool | None) -> Html:
    """An element.

    Args:
        name: of the element.
        content: text, which is escaped, elements, and lists of both.
        attributes: `class_` is class, `data_x` is data-x; True has no value, None and False are
            left out.
    """
    parts = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(key)
        elif value is not None and value is not False:
            parts.append(f'{key}="{html.escape(value)}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if name in VOID else f"{opening}{joined(content)}</{name}>")


def joined(content: Content) -> Html:
    """Text, escaped, and elements one after the other."""
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(html.escape(content))
    return Html("".join(map(joined, content)))


def prose(text: str) -> Html:
    """Text whose powers of 2, such as 2^10, are raised."""
    return Html(re.sub(r"\b2\^(\d+(?:\.\d+)?)", r"2<sup>\1</sup>", html.escape(text)))


def inline_svg(svg: bytes, name: str, label: str) -> Html:
    """An SVG file of matplotlib as an element of a page that holds others.

    Ids are made unique with `name`; namespaces and metadata, which a page does not need, are left
    out; the width becomes the largest. `label` tells what it shows to those who cannot see it.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    opening, rest = text.split(">", 1)
    width = re.search(r' width="([\w.]+)"', opening)
    style = f' style="max-width: {width[1]}"' if width else ""
    opening = re.sub(r' (xmlns(:\w+)?|width|height|version)="[^"]*"', "", opening) + style
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r'href="#', f'href="#{name}-', rest)
    rest = re.sub(r"url\(#", f"url(#{name}-", rest)
    return Html(f'{opening} role="img" aria-label="{html.escape(label)}">{rest.rstrip()}')
