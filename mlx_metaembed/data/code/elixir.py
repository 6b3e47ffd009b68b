"""Elixir's functions: all clauses of a name and arity together, documented by the `@doc` above the first."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlx_metaembed.data.code.function import Function, dedented, is_trivial
from mlx_metaembed.data.code.syntax import last_row, margin, string

if TYPE_CHECKING:
    from tree_sitter import Node

DEFINES = frozenset({"def", "defp", "defmacro", "defmacrop"})
SCOPES = frozenset({"defmodule", "defprotocol", "defimpl"})


@dataclass
class _Clauses:
    """The clauses of one function so far."""

    key: tuple[str, int]
    documentation: str
    nodes: list["Node"] = field(default_factory=list)


def functions(root: "Node", content: bytes) -> Iterator[Function]:
    """The functions and macros of every module that are whole, a module after the other."""
    waiting = [(root, "")]
    while waiting:
        node, around = waiting.pop()
        inner = []
        for clauses in _grouped(node):
            if isinstance(clauses, _Clauses):
                if not any(each.has_error for each in clauses.nodes):
                    yield _function(clauses, content, around)
            else:
                inner.append((clauses, f"{around}{_module(clauses)}."))
        # A module's own functions come before those of modules inside it.
        waiting += [(body, inside) for each, inside in reversed(inner) if (body := _block(each))]


def _grouped(node: "Node") -> Iterator["_Clauses | Node"]:
    """The functions and the modules directly in a block."""
    documentation, last = "", None
    for child in node.named_children:
        if child.type == "comment":
            continue
        if child.type == "unary_operator":
            said = _documentation(child)
            documentation = documentation if said is None else said
            continue
        word = _target(child)
        key = _key(child) if word in DEFINES else None
        if key is None:
            documentation = ""
            if last:
                yield last
            last = None
            if word in SCOPES:
                yield child
            continue
        if last is None or last.key != key:
            if last:
                yield last
            last = _Clauses(key, documentation)
        last.nodes.append(child)
        documentation = ""
    if last:
        yield last


def _function(clauses: _Clauses, content: bytes, around: str) -> Function:
    first, last = clauses.nodes[0], clauses.nodes[-1]
    own = margin(first, content)
    text = content[first.start_byte : last.end_byte].decode("utf-8", "replace")
    bodies = [string(body) for node in clauses.nodes if (body := _block(node) or _keywords(node))]
    body = "\n".join(bodies)
    return Function(
        around + clauses.key[0],
        clauses.documentation,
        dedented(text.split("\n"), own),
        dedented(body.split("\n"), own),
        first.start_point.row + 1,
        last_row(last) + 1,
        is_trivial(body),
    )


def _target(node: "Node") -> str:
    """The word that a call begins with."""
    target = node.child_by_field_name("target") if node.type == "call" else None
    return string(target) if target is not None and target.type == "identifier" else ""


def _arguments(node: "Node") -> list["Node"]:
    found = next((child for child in node.named_children if child.type == "arguments"), None)
    return found.named_children if found is not None else []


def _block(node: "Node") -> "Node | None":
    return next((child for child in node.named_children if child.type == "do_block"), None)


def _keywords(node: "Node") -> "Node | None":
    """The `do: ...` behind a head."""
    return next((child for child in _arguments(node)[1:] if child.type == "keywords"), None)


def _key(node: "Node") -> tuple[str, int] | None:
    """The name and arity that a definition has; None for an operator and for what is no head."""
    head = next(iter(_arguments(node)), None)
    if head is not None and head.type == "binary_operator" and (left := head.child_by_field_name("left")):
        head = left
    if head is None or head.type not in ("identifier", "call"):
        return None
    name = string(head) if head.type == "identifier" else _target(head)
    return (name, len(_arguments(head)) if head.type == "call" else 0) if name else None


def _module(node: "Node") -> str:
    return string(_arguments(node)[0]) if _arguments(node) else ""


def _documentation(attribute: "Node") -> str | None:
    """What `@doc` says, empty where it hides; None for another attribute."""
    call = next(iter(attribute.named_children), None)
    if call is None or _target(call) != "doc":
        return None
    said = next(iter(_arguments(call)), None)
    if said is None or said.type not in ("string", "sigil"):
        return ""
    return inspect.cleandoc("".join(string(each) for each in said.named_children if each.type == "quoted_content"))
