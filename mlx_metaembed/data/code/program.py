"""A file of source code: its lines, its functions, and the blocks that it can be cut at."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlx_metaembed.data.code import elixir, grammar, python, syntax
from mlx_metaembed.data.code.function import Function
from mlx_metaembed.data.code.languages import Language


@dataclass(frozen=True)
class Program:
    """A file's text in its language; `is_broken` where it does not parse as a whole.

    `root` is what its blocks are found from, None where it does not parse.
    """

    language: Language
    text: str
    functions: list[Function] = field(default_factory=list)
    is_broken: bool = False
    root: object = None

    def children(self, node: object) -> Iterable[tuple[int, int, object]]:
        """The first line (from 0), the line behind the last, and the node of each block directly in a node."""
        if self.language.name == "python":
            return python.children(node)
        return syntax.children(node, self.language)


def text_of(language: Language, content: bytes) -> str | None:
    """A file's text with \\n at the ends of its lines; None where it is in no known encoding."""
    try:
        if language.name == "python":
            return python.decode(content)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except (SyntaxError, ValueError, LookupError):
        return None


def parsed(language: Language, text: str, *, tests: bool = False) -> Program | None:
    """A text with its functions; None where parsing it takes too long.

    Raises CallError where the language's grammar is not installed.
    """
    if language.name == "python":
        found, root = python.functions(text)
        return Program(language, text, found, root is None, root)
    content = text.encode("utf-8", "replace")
    root = grammar.root(language, content)
    if root is None:
        return None
    if language.name == "elixir":
        found = elixir.functions(root, content)
    else:
        found = syntax.functions(root, content, language, tests=tests)
    return Program(language, text, list(found), root.has_error, root)
