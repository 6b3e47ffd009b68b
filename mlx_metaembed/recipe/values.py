"""A setting's value: whether it has the type of its field, that type in words, and the value as TOML writes it."""

import json
import types
import typing

TYPES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table",
    bool: "true or false",
    types.NoneType: "nothing",
}
LISTED = {int: "whole numbers", float: "numbers", str: "texts"}


def fits(value: object, hint: object) -> bool:
    """True if a value has the type of its field; a whole number is a number too."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, option) for option in hint.__args__)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(fits(item, typing.get_args(hint)[0]) for item in value)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def type_name(hint: object) -> str:
    """A field's type in words."""
    if isinstance(hint, types.UnionType):
        return " or ".join(type_name(option) for option in hint.__args__)
    return TYPES.get(hint) or f"a list of {LISTED[typing.get_args(hint)[0]]}"


def as_toml(value: object) -> str:
    """A setting's value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return repr(value)
