"""A page of HTML that needs nothing else: its head and style, and the parts between.

It is written under a temporary name first, so a half-written page is never seen.
"""

from collections.abc import Iterable
from pathlib import Path

from mlx_metaembed.files import disk
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.style import CSS

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is told to fetch nothing and to run nothing, whatever the texts hold."""
FOOTER = "Written by mlx-metaembed. Bytes are decimal: 1 MB is 1,000,000 bytes."


def document(title: str, parts: Iterable[str]) -> str:
    """The page as a string; empty parts are left out."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, [*parts, tag("footer", FOOTER)]))
        + "\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """A `<section>` under a heading; nothing where every part is empty."""
    return tag("section", tag("h2", text(heading)), *parts) if any(parts) else ""


def replace(path: str | Path, page: str) -> Path:
    """The path of a page that was written there in one step. Raises JobError where it can't be."""
    path = Path(path)
    with disk.replacing_file(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path
