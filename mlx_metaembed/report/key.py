"""The key of a plot: what its marks and lines mean, as a list that wraps like words."""

from collections.abc import Sequence

from mlx_metaembed.report.markup import tag, text

BOX = "-9 -7 18 14"


def key(entries: Sequence[tuple[str, str]]) -> str:
    """Pairs of a mark, which is SVG around (0, 0), and its meaning, as a `<ul>`; nothing for none."""
    listed = [tag("li", tag("svg", mark, viewBox=BOX, aria_hidden="true"), text(words)) for mark, words in entries]
    return tag("ul", *listed, class_="key") if listed else ""


def swatch(kind: str) -> str:
    """A piece of a line of that class; of "upright" a whisker."""
    path = "M-3,-6h6m-3,0V6m-3,0h6" if kind == "upright" else "M-9,0H9"
    return tag("path", d=path, class_="plain" if kind == "upright" else kind)
