"""A text's tree by tree-sitter; the grammars are the extra `code`, a package a language."""

import importlib
from functools import cache
from typing import TYPE_CHECKING

from mlx_metaembed.data.code.languages import Language, shown
from mlx_metaembed.errors import CallError, missing_extra

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


def root(language: Language, content: bytes) -> "Node":
    """The root of a text's tree, with ERROR nodes where the text is no such program.

    Raises CallError where the grammar is not installed.
    """
    try:
        return parser(language.module, language.entry).parse(content).root_node
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
