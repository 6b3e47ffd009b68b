"""Tags and escaped text, for HTML and inline SVG alike.

`tag` takes children that are markup already: whatever came from outside goes through `text` first.
"""

import html
import re

# What HTML forbids in a text, and surrogates, which UTF-8 can't write.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def text(value: object) -> str:
    """Any value as text that is safe between tags and in quoted attributes."""
    return html.escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value)))


def tag(name: str, *children: str, **attributes: object) -> str:
    """`<name ...>children</name>`: `class_` is class, `aria_label` aria-label; None is dropped, values are escaped."""
    words = [
        f' {key.rstrip("_").replace("_", "-")}="{text(coordinate(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return f"<{name}{''.join(words)}>{''.join(children)}</{name}>"


def coordinate(value: float) -> str:
    """A length in pixels to two decimals, as short as it can be written."""
    short = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
