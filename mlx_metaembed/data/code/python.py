"""Python's functions and blocks, by `ast`; of a file that does not parse those of the pieces that do.

Functions inside functions are left in the outer one: their docstrings would be found in its text.
"""

import ast
import importlib.util
import inspect
import re
import warnings
from collections.abc import Iterator

from mlx_metaembed.data.code.function import Function, dedented

FEWEST_EXPRESSIONS = 5
FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a text, ValueError also for a NUL."""
DEFINITION = re.compile(r"(?:async\s+def|def|class)\b")
NEXT = re.compile(r"[A-Za-z_@\"']")
"""What a statement may start with; a bracket in the first column ends one."""
INDENT = re.compile(r"\s*")
DEEPEST = 8
"""Classes inside classes that are looked into where a file does not parse."""


def decode(content: bytes) -> str:
    """A file's text, by its own word on its encoding. Raises SyntaxError, ValueError or LookupError."""
    return importlib.util.decode_source(content)


def parse(text: str) -> ast.Module:
    """The tree. Raises one of FAULTS."""
    with warnings.catch_warnings():
        # An invalid escape in somebody's source is not the caller's concern.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def functions(text: str) -> tuple[list[Function], bool]:
    """The functions in the order of their lines, and whether the whole text parses."""
    lines = text.split("\n")
    try:
        return list(functions_of(parse(text), lines)), True
    except FAULTS:
        return list(_salvaged(lines, 0, "")), False


def children(node: object) -> Iterator[tuple[int, int, object]]:
    """The first line (from 0), the line behind the last, and the node of each statement directly in a node."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, name, ()) if isinstance(getattr(node, name, ()), list) else ():
            first = child.pattern if isinstance(child, ast.match_case) else child
            last = child.body[-1] if isinstance(child, ast.match_case) else child
            starts = (first, *getattr(child, "decorator_list", ()))
            yield min(each.lineno for each in starts) - 1, last.end_lineno, child


def root(text: str) -> object | None:
    """The node that `children` starts from; None where the text does not parse."""
    try:
        return parse(text)
    except FAULTS:
        return None


def _salvaged(lines: list[str], offset: int, around: str, depth: int = 0) -> Iterator[Function]:
    """The functions of every definition that parses alone; `lines` begin `offset` lines down the file."""
    starts = [at for at, line in enumerate(lines) if DEFINITION.match(line)]
    for start in starts:
        end = next((at for at in range(start + 1, len(lines)) if NEXT.match(lines[at])), len(lines))
        piece = lines[start:end]
        try:
            yield from functions_of(parse("\n".join(piece)), piece, around, offset + start)
        except FAULTS:
            if (found := re.match(r"class\s+(\w+)", piece[0])) and depth < DEEPEST:
                margin = next((INDENT.match(line)[0] for line in piece[1:] if line.strip()), "")
                inner = [line.removeprefix(margin) for line in piece[1:]]
                yield from _salvaged(inner, offset + start + 1, f"{around}{found[1]}.", depth + 1)


def functions_of(tree: ast.AST, lines: list[str], around: str = "", offset: int = 0) -> Iterator[Function]:
    """The functions of a tree of `lines`, which begin `offset` lines down their file, inside the classes `around`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield _function(child, lines, around, offset)
        elif isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            inside = f"{around}{child.name}." if isinstance(child, ast.ClassDef) else around
            yield from functions_of(child, lines, inside, offset)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], around: str, offset: int) -> Function:
    docstring = ast.get_docstring(node, clean=False)
    statements = node.body if docstring is None else node.body[1:]
    text, body = _texts(node, lines, documented=docstring is not None)
    return Function(
        around + node.name,
        inspect.cleandoc(docstring or ""),
        text,
        body,
        offset + node.lineno,
        offset + node.end_lineno,
        _is_trivial(statements),
    )


def _is_trivial(body: list[ast.stmt]) -> bool:
    """Whether a body has nothing to search for: empty, a bare `raise`, or one statement like `return self._name`."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    if sum(isinstance(node, ast.stmt) for node in nodes) != 1:
        return not body
    return isinstance(body[0], ast.Raise) or sum(isinstance(node, ast.expr) for node in nodes) < FEWEST_EXPRESSIONS


def _texts(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], *, documented: bool) -> tuple[str, str]:
    """Signature and body, and the body alone, without the docstring; empty where that shares a line with code."""
    margin = lines[node.lineno - 1][: node.col_offset]
    first = node.body[0]
    start, behind = first.lineno - 1, first.lineno - 1
    if documented:
        before = lines[start].encode()[: first.col_offset]
        after = lines[first.end_lineno - 1].encode()[first.end_col_offset :].strip()
        if before.strip() or (after and not after.startswith(b"#")):
            return "", ""
        behind = first.end_lineno
    else:
        decorators = [each.lineno - 1 for each in getattr(first, "decorator_list", ())]
        start = behind = max(min([start, *decorators]), node.lineno - 1)
    body = lines[behind : node.end_lineno]
    while body and not body[0].strip():
        body.pop(0)
    if not documented and start == node.lineno - 1:
        # def f(x): return x
        return dedented(lines[start : node.end_lineno], margin), lines[start].encode()[first.col_offset :].decode()
    inner = body[0][: len(body[0]) - len(body[0].lstrip())] if body else ""
    return dedented(lines[node.lineno - 1 : start] + body, margin), dedented(body, inner)
