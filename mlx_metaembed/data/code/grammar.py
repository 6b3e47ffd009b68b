"""A text's tree by tree-sitter; the grammars are the extra `code`, a package a language."""

import importlib
import time
from functools import cache
from typing import TYPE_CHECKING

from mlx_metaembed.data.code.languages import Language, shown
from mlx_metaembed.errors import CallError, missing_extra

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


SECONDS = 5.0
"""Of the processor, after which a text is given up: half a second reads 4 MiB, but errors can cost a square of that."""
PIECE = 4096


def root(language: Language, content: bytes) -> "Node | None":
    """The root of a text's tree, with ERROR nodes where the text is no such program; None where it takes too long.

    Raises CallError where the grammar is not installed.
    """
    until = time.thread_time() + SECONDS
    in_time = True

    def read(start: int, _point: object) -> bytes:
        # Not the parser's own callback of progress, by which some releases of tree-sitter crash.
        nonlocal in_time
        in_time = in_time and time.thread_time() < until
        return content[start : start + PIECE] if in_time else b""

    try:
        found = parser(language.module, language.entry).parse(read).root_node
        return found if in_time else None
    except ImportError as error:
        package = "tree-sitter" if error.name == "tree_sitter" else language.package
        missing = missing_extra(package, "code", f"Reading {shown(language).capitalize()}")
        raise CallError(f"{missing}\nOr read other languages alone, like --languages python") from None


@cache
def parser(module: str, entry: str) -> "Parser":
    """The parser of a grammar. Raises ImportError where it is not installed."""
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser

    return Parser(Grammar(getattr(importlib.import_module(module), entry)()))
