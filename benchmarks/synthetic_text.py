"""Text for synthetic pictures: sentences, a program, a listing of files; always the same."""

import numpy as np

Colour = tuple[int, int, int]
Words = list[tuple[str, Colour]]
"""A line: words and the spaces between them, each with its colour."""

WORDS = """
    river stone light letter garden winter paper window market bridge morning engine harbour
    signal number table carries finds opens keeps measures draws follows moves under behind
    between across slowly often never small quiet early yellow open the a of and with to in
"""
VOCABULARY = WORDS.split()

PALETTES: dict[str, tuple[Colour, dict[str, Colour]]] = {
    "dark": (
        (30, 31, 41),
        {
            "keyword": (255, 121, 198),
            "name": (248, 248, 242),
            "text": (241, 250, 140),
            "number": (189, 147, 249),
            "comment": (98, 114, 164),
        },
    ),
    "light": (
        (255, 255, 255),
        {
            "keyword": (0, 0, 200),
            "name": (20, 20, 20),
            "text": (163, 21, 21),
            "number": (9, 134, 88),
            "comment": (0, 128, 0),
        },
    ),
}
"""The background, and the colours of kinds of words."""


def sentences(seed: int, count: int) -> list[str]:
    """`count` lines of eight to twelve words."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(rng.choice(VOCABULARY, int(rng.integers(8, 13)))).capitalize() + "."
        for _ in range(count)
    ]


def code_lines(seed: int, count: int, colours: dict[str, Colour]) -> list[Words]:
    """Lines that look like a program."""
    rng = np.random.default_rng(seed)
    made: list[Words] = []
    for row in range(count):
        one, two, three = (str(word) for word in rng.choice(VOCABULARY[:30], 3))
        number = str(int(rng.integers(1000)))
        lines: list[list[tuple[str, str]]] = [
            [
                ("keyword", "    if "),
                ("name", f"{one}.{two} > "),
                ("number", number),
                ("name", ":"),
            ],
            [("name", f"        {one} = {two}("), ("text", f'"{three}"'), ("name", ")")],
            [("keyword", "        return "), ("name", f"{one}[{two} + "), ("number", f"{number}]")],
            [("comment", f"    # {one} {two} the {three}")],
            [("keyword", "    for "), ("name", one), ("keyword", " in "), ("name", f"{two}:")],
        ]
        chosen = lines[int(rng.integers(len(lines)))]
        if row % 8 == 0:
            chosen = [("keyword", "def "), ("name", f"{one}_{two}({three}):")]
        made.append([(text, colours[kind]) for kind, text in chosen])
    return made


def terminal_lines(seed: int, count: int) -> list[Words]:
    """Lines of a listing: rights, size, date, name."""
    rng = np.random.default_rng(seed)
    grey, blue, green = (200, 200, 200), (90, 140, 255), (80, 220, 100)
    made: list[Words] = [[("user@host", green), (":~/work$ ", blue), ("ls -l", grey)]]
    for _ in range(count - 1):
        folder = rng.random() < 0.3
        name = "-".join(rng.choice(VOCABULARY[:16], 2))
        size, day = int(rng.integers(1, 1 << 20)), int(rng.integers(1, 29))
        clock = f"{rng.integers(24):02d}:{rng.integers(60):02d}"
        rights = "drwxr-xr-x" if folder else "-rw-r--r--"
        made.append(
            [
                (f"{rights} 1 user user {size:8d} Mar {day:2d} {clock} ", grey),
                (name if folder else f"{name}.txt", blue if folder else grey),
            ]
        )
    return made
