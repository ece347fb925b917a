"""Text and figures as safe markup; the template escapes any other string."""

import re

from markupsafe import Markup, escape


def prose(text: str) -> Markup:
    """Format powers of 2, such as 2^10, as superscripts."""
    return Markup(re.sub(r"\b2\^(\d+(?:\.\d+)?)", r"2<sup>\1</sup>", str(escape(text))))


def inline_svg(svg: bytes, name: str, label: str) -> Markup:
    """An SVG file of matplotlib as an element of a page with others.

    Ids are made unique with `name`; namespaces and metadata, which a page does not need, are
    dropped; the width becomes the maximum. `label` describes it to those who cannot see it.
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
    return Markup(f'{opening} role="img" aria-label="{escape(label)}">{rest.rstrip()}')
