"""What a call was given as one thing or several: texts, or images."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from mlx_metaembed.errors import CallError


def texts(given: Any) -> tuple[bool, Sequence[str]]:
    """Whether one text was given and not several, and the texts, from whatever can be gone through.

    Raises CallError for bytes, and for a dict or a set, whose order says nothing.
    """
    if isinstance(given, (bytes, bytearray)):
        raise CallError(f"Expected a text or a list of texts, found bytes: {given!r:.60}; decode them first")
    if isinstance(given, (Mapping, Set)):
        kind = type(given).__name__
        raise CallError(f"Expected a text or a list of texts, found a {kind}; give its texts as a list: list(...)")
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        return True, [given]
    return False, given if isinstance(given, (list, tuple)) else list(given)


def images(given: Any) -> tuple[bool, Sequence[Any]]:
    """Whether one image was given and not several, and the images."""
    one = isinstance(given, str) or not hasattr(given, "__len__")
    return one, [given] if one else given
