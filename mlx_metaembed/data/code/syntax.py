"""Functions and blocks out of tree-sitter's trees, for the languages that name functions and comment above them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_metaembed.data.code import comments, identifiers
from mlx_metaembed.data.code.function import Function, dedented, is_trivial
from mlx_metaembed.data.code.languages import Language

if TYPE_CHECKING:
    from tree_sitter import Node

TEST = re.compile(r"\btest\b")
DOCUMENTS = ("/**", "/*!", "///", "//!")
"""Comments that speak of what they stand in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node among its parent's named children, and its parent's place."""

    node: "Node"
    at: int
    siblings: list["Node"]
    up: "Place | None"


def functions(root: "Node", content: bytes, language: Language, *, tests: bool = False) -> Iterator[Function]:
    """The named functions of a tree that are whole, in the order of their lines, with the comments above them.

    Functions inside functions are left in the outer one, but where that has no name. `tests`: those that an attribute
    calls a test too.
    """
    waiting = [(Place(root, 0, [root], None), "")]
    while waiting:
        place, around = waiting.pop()
        node = place.node
        if not tests and _is_test(place, language):
            continue
        body = node.child_by_field_name("body") if node.type in language.functions else None
        if body is not None and (name := identifiers.name(node, place.up and place.up.node)):
            if not node.has_error:
                yield _function(place, body, around + identifiers.receiver(node) + name, content, language)
            continue
        scope = node.child_by_field_name(language.scopes.get(node.type, ""))
        inside = f"{around}{identifiers.bare(scope)}." if scope else around
        children = node.named_children
        waiting += [(Place(children[at], at, children, place), inside) for at in reversed(range(len(children)))]


def children(node: "Node", language: Language) -> Iterator[tuple[int, int, "Node"]]:
    """The first line (from 0), the line behind the last, and the node of everything in a node but comments."""
    for child in node.named_children:
        if child.type not in language.comments:
            yield child.start_point.row, last_row(child) + 1, child


def last_row(node: "Node") -> int:
    """The last line that a node has a character of, from 0; a comment of Rust ends with its line's end."""
    return node.end_point.row - (node.end_point.column == 0 and node.end_point.row > node.start_point.row)


def string(node: "Node") -> str:
    """A node's text."""
    return node.text.decode("utf-8", "replace")


def margin(node: "Node", content: bytes) -> str:
    """The white space that a node's first line begins with."""
    line = _before(node, content)
    return line[: len(line) - len(line.lstrip())].decode("utf-8", "replace")


def _before(node: "Node", content: bytes) -> bytes:
    """What stands before a node in its line."""
    return content[node.start_byte - node.start_point.column : node.start_byte]


def _is_test(place: Place, language: Language) -> bool:
    at = place.at - 1
    while at >= 0 and place.siblings[at].type in language.attributes:
        if TEST.search(string(place.siblings[at])):
            return True
        at -= 1
    return False


def _outer(place: Place, language: Language) -> Place:
    """The outermost place that is this function's alone: its declaration, exported or assigned."""
    while (up := place.up) is not None and up.node.type in language.wrappers:
        shared = up.node.type in ("lexical_declaration", "variable_declaration")
        if shared and sum(each.type == "variable_declarator" for each in place.siblings) > 1:
            break
        place = up
    return place


def _above(place: Place, content: bytes, language: Language) -> list["Node"]:
    """The comments directly above a node, from the first; attributes may stand between them and it."""
    found, row = [], place.node.start_point.row
    for before in reversed(place.siblings[: place.at]):
        # Some leave a line free between JSDoc and function.
        apart = 2 if not found and string(before).startswith("/**") else 1
        if not row - apart <= last_row(before) <= row:
            break
        if before.type in language.comments:
            if last_row(before) == row or _before(before, content).strip():
                break
            found.append(before)
        elif before.type not in language.attributes:
            break
        row = before.start_point.row
    return found[::-1]


def _function(place: Place, body: "Node", name: str, content: bytes, language: Language) -> Function:
    outer = _outer(place, language)
    whole, inside = string(outer.node), string(body)
    above = [string(each) for each in _above(outer, content, language)]
    documentation = comments.text([each for each in above if each.startswith(DOCUMENTS)] or above)
    first = next(iter(body.named_children), None)
    if not documentation and first is not None and first.type in language.comments:
        said = string(first)
        if said.startswith(DOCUMENTS):
            documentation = comments.text([said])
            whole, inside = whole.replace(said, "", 1), inside.replace(said, "", 1)
    own = margin(outer.node, content)
    return Function(
        name,
        documentation,
        dedented(whole.split("\n"), own),
        dedented(inside.split("\n"), own),
        outer.node.start_point.row + 1,
        last_row(outer.node) + 1,
        is_trivial(inside),
    )
