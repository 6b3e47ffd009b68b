"""A recipe's TOML file: read against the fields, and written one line a field."""

import tomllib
from dataclasses import fields
from pathlib import Path

from mlx_metaembed.data import columns as column_maps
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.files import disk
from mlx_metaembed.recipe.settings import Recipe
from mlx_metaembed.recipe.tables import TABLES, parsed, written
from mlx_metaembed.recipe.values import as_toml

ALSO_SETTINGS = ("data", "teacher")
"""Kinds of tables whose name is a setting of the short form too."""
MOST_BYTES = 1 << 20
"""Bytes of a recipe."""


def read(path: str | Path) -> dict:
    """The settings of a TOML recipe, checked against the fields; every unknown key and wrong type is named."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise CallError(f"The recipe {path} has more than {MOST_BYTES:,} bytes")
        found = tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError:
        raise CallError(f"There is no recipe {path}") from None
    except OSError as error:
        raise CallError(f"The recipe {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallError(f"{path} is not TOML: {error}") from None
    known = {each.name for each in fields(Recipe) if not each.metadata.get("table")} | TABLES.keys()
    unknown = [f"unknown key {key!r}{nearest(key, known)}" for key in found if key not in known]
    if unknown:
        raise faults(f"{path}:", unknown, f"Known keys: {', '.join(sorted(known))}")
    for key in ("columns", "eval_columns"):
        if isinstance(columns := found.get(key), dict):
            if wrong := [
                f"{key}.{name} = {source!r}: expected a text"
                for name, source in columns.items()
                if not isinstance(source, str)
            ]:
                raise faults(f"{path}:", wrong)
            found[key] = column_maps.written(columns)
    return _tables(path, found) | {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in found.items()
        if not _is_tables(key, value)
    }


def _is_tables(key: str, value: object) -> bool:
    return key in TABLES and isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _tables(path: Path, found: dict) -> dict:
    """The tables of a file by the recipe's fields. Raises CallError with every fault."""
    tables, wrong = {}, []
    for kind, (name, _) in TABLES.items():
        if _is_tables(kind, found.get(kind)):
            tables[name], faults_of_kind = parsed(kind, found[kind])
            wrong += faults_of_kind
        elif kind in found and kind not in ALSO_SETTINGS:
            wrong.append(f"{kind}: expected tables, each under a line [[{kind}]]")
    if wrong:
        raise faults(f"{path}:", wrong)
    return tables


def write(recipe: Recipe, path: Path) -> None:
    """Write a recipe as TOML, one line a field; a field that is None is left out."""
    with disk.replacing_file(path) as partial:
        partial.write_text(text(recipe), encoding="utf-8")


def text(recipe: Recipe) -> str:
    """A recipe as TOML: one line a field, then its tables."""
    lines = []
    for each in fields(Recipe):
        value = getattr(recipe, each.name)
        tables = each.name in ALSO_SETTINGS and getattr(recipe, TABLES[each.name][0])
        if each.metadata.get("table") or value is None or tables:
            continue
        lines.append(f"{each.name} = {as_toml(value)}")
    tables = [written(kind, table) for kind, (name, _) in TABLES.items() for table in getattr(recipe, name)]
    return "\n".join(["\n".join(lines) + "\n", *tables])
