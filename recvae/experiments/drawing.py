"""A figure of a report with its text."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure with its text.

    Fields:
        name: name of its file, without extension.
        title: its subject, in a few words.
        caption: what to see in it, with the numbers; if there is no figure, how to get it.
        figure: None if the data were not measured.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None = None
