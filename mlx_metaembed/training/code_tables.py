"""The code heads of a recipe's `[[head]]` tables: what makes them, and where they begin."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import CodeHead, Fsq, Head, Rvq, code_start, parse_levels, residual_start
from mlx_metaembed.heads.code_start import AUTO, RANDOM
from mlx_metaembed.heads.fsq import FLOAT, NOISE, STRAIGHT_THROUGH
from mlx_metaembed.recipe.tables import HeadTable


def fsq(table: HeadTable, folder: ModelFolder) -> Head:
    """The head of a table of the type fsq. Raises CallError for levels or a start that are none."""
    levels = _levels(table)
    require_start(table, lambda start: code_start.require(start, len(levels), folder.dimensions))
    query = table.settings.get("query", FLOAT)
    gradient = table.settings.get("gradient", NOISE if query == FLOAT else STRAIGHT_THROUGH)
    return Fsq(folder.dimensions, levels, query, gradient)


def rvq(table: HeadTable, folder: ModelFolder) -> Head:
    """The head of a table of the type rvq. Raises CallError for levels or a start that are none."""
    levels = _levels(table)
    require_start(table, residual_start.require)
    return Rvq(folder.dimensions, levels, table.settings.get("query", FLOAT))


def as_learned(table: HeadTable, listed: Mapping[str, Head]) -> HeadTable:
    """The table, whose code head goes on comparing queries as it has learned where the table does not say."""
    own = listed.get(table.name)
    if not isinstance(own, CodeHead) or table.type != own.kind or "query" in table.settings:
        return table
    return replace(table, settings=table.settings | {"query": own.query})


def default_start(head: CodeHead) -> str:
    """Where a new code head begins if its table does not say."""
    return RANDOM if isinstance(head, Fsq) and head.query != FLOAT else AUTO


def _levels(table: HeadTable) -> tuple[int, ...]:
    levels = table.settings.get("levels", "")
    try:
        levels = parse_levels(levels) if isinstance(levels, str) else levels
    except CallError as error:
        raise CallError(f"[[head]] {table.name}: {error}".replace("fsq =", "levels =")) from None
    if not isinstance(levels, tuple) or not all(type(level) is int for level in levels):
        raise CallError(f"[[head]] {table.name}: levels = {levels!r:.80}, expected a text like 4x64, or whole numbers")
    return levels


def require_start(table: HeadTable, require: Callable[[object], None], default: str = AUTO) -> None:
    """Raise CallError, which names the table, where `require` does for its start."""
    try:
        require(table.settings.get("start", default))
    except CallError as error:
        raise CallError(f"[[head]] {table.name}: {error}") from None
