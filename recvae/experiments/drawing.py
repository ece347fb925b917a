"""What a figure of the report consists of."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure and its words.

    Fields:
        name: of its file, without ending.
        title: what it shows, in a few words.
        caption: what to see in it, with the numbers; where there is no figure, how to get it.
        figure: None where what it needs was not measured.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None = None
