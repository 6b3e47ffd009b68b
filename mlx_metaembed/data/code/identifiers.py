"""The name that a function's node has: its own, that of what it is assigned to, or the one that its declarator has."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

IDENTIFIER = re.compile(r"[^\W\d][\w$]*|\$[\w$]+")
KEYWORDS = frozenset(
    {"if", "for", "while", "switch", "catch", "return", "else", "do", "sizeof", "defined", "function", "operator"}
)
"""What a broken text may show as a function's name."""
ANONYMOUS = frozenset({"exports", "module", "default"})
NAMED_BY = {
    "variable_declarator": "name",
    "pair": "key",
    "assignment_expression": "left",
    "field_definition": "property",
    "public_field_definition": "name",
}


def name(node: "Node", around: "Node | None") -> str:
    """A function's name; an empty text where it has none, or one that only a broken text has.

    `around` is the node's parent, which names a function that is assigned.
    """
    named = node.child_by_field_name("name")
    if named is None and (declarator := node.child_by_field_name("declarator")):
        return _declared(declarator)
    if named is None and around is not None and (field := NAMED_BY.get(around.type)):
        named = around.child_by_field_name(field)
        if named is not None and named.type == "member_expression":
            named = named.child_by_field_name("property")
    found = _string(named).strip("'\"#") if named is not None else ""
    return found if IDENTIFIER.fullmatch(found) and found not in KEYWORDS | ANONYMOUS else ""


def receiver(node: "Node") -> str:
    """The type of Go's receiver and a point; an empty text where there is none."""
    found = node.child_by_field_name("receiver")
    words = re.findall(r"\w+", _string(found).split("[")[0]) if found is not None else []
    return f"{words[-1]}." if words else ""


def bare(node: "Node") -> str:
    """A type's name without its parameters."""
    return _string(node).split("<")[0].strip()


def _declared(declarator: "Node") -> str:
    """The name that a declarator of C or C++ has; operators and destructors have none that says something.

    A class behind a macro that tree-sitter takes for a type has a declarator too, but none of a function.
    """
    is_function = False
    while True:
        is_function = is_function or declarator.type == "function_declarator"
        inner = declarator.child_by_field_name("declarator")
        if inner is None and declarator.type == "reference_declarator":
            inner = next(iter(declarator.named_children), None)
        if inner is None:
            break
        declarator = inner
    parts = [part.split("<")[0].strip() for part in _string(declarator).split("::") if part]
    usable = is_function and parts and all(IDENTIFIER.fullmatch(part) for part in parts) and parts[-1] not in KEYWORDS
    return "::".join(parts) if usable else ""


def _string(node: "Node") -> str:
    return node.text.decode("utf-8", "replace")
