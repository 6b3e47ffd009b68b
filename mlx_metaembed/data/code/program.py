"""A file of source code: its lines, its functions, and the blocks that it can be cut at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlx_metaembed.data.code import elixir, grammar, python, syntax
from mlx_metaembed.data.code.function import Function
from mlx_metaembed.data.code.languages import Language

Children = Callable[[object], Iterable[tuple[int, int, object]]]


@dataclass(frozen=True)
class Program:
    """A file's text in its language; `is_broken` where it does not parse as a whole."""

    language: Language
    text: str
    functions: list[Function] = field(default_factory=list)
    is_broken: bool = False


def text_of(language: Language, content: bytes) -> str | None:
    """A file's text with \\n at the ends of its lines; None where it is in no known encoding."""
    try:
        if language.name == "python":
            return python.decode(content)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except (SyntaxError, ValueError, LookupError):
        return None


def parsed(language: Language, text: str, *, tests: bool = False) -> Program:
    """A text with its functions. Raises CallError where the language's grammar is not installed."""
    if language.name == "python":
        found, is_whole = python.functions(text)
        return Program(language, text, found, not is_whole)
    content = text.encode("utf-8", "replace")
    root = grammar.root(language, content)
    if language.name == "elixir":
        found = elixir.functions(root, content)
    else:
        found = syntax.functions(root, content, language, tests=tests)
    return Program(language, text, list(found), root.has_error)


def blocks(program: Program) -> tuple[object, Children]:
    """What a program's text can be cut at: a node, and what gives the blocks in a node by their lines."""
    if program.language.name == "python":
        return python.root(program.text), python.children
    root = grammar.root(program.language, program.text.encode("utf-8", "replace"))
    return root, lambda node: syntax.children(node, program.language)
