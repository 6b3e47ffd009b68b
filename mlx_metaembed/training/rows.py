"""The rows that a run trains on: those of each data set, as its objectives' losses take them."""

from collections.abc import Callable, Sequence

from mlx_metaembed import data
from mlx_metaembed.data import Pairs, require_trainable
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable
from mlx_metaembed.training.objective import Objective


def read(recipe: Recipe, objectives: Sequence[Objective], note: Callable[[str], None]) -> dict[str, Rows]:
    """The rows of each data set by its name. Raises CallError where they lack what a loss on them takes."""
    several = len(recipe.sources) > 1
    found = {}
    for table in recipe.sources:
        losses = [each.loss for each in objectives if each.data == table.name]
        rows = read_source(table, losses, recipe.max_characters)
        for said in rows.notes:
            note(f"Data{' ' + table.name if several else ''}: {said}")
        found[table.name] = rows
    return found


def read_source(table: DataTable, losses: Sequence, most: int) -> Rows:
    """The rows of one data set, as losses take them."""
    rows = data.read(table.path, columns=table.columns, no_header=table.no_header, max_characters=most, training=True)
    pairs = require_trainable(rows, table.path)
    without = next((row for row, negatives in enumerate(pairs.negatives, start=1) if not negatives), None)
    if without and any("negative" in loss.roles for loss in losses):
        raise CallError(
            f"{table.path}, row {without} has no negative, and the triplet loss needs one in every row; "
            "add it, or use --loss info_nce"
        )
    return _rows(pairs)


def texts_a_row(rows: Rows) -> int:
    """The most texts that a row has."""
    return sum(max(map(len, texts)) if texts and isinstance(texts[0], tuple) else 1 for texts in rows.texts.values())


def _rows(pairs: Pairs) -> Rows:
    texts = {"anchor": pairs.anchors, "positive": pairs.positives}
    if pairs.most_negatives:
        texts["negative"] = pairs.negatives
    return Rows(texts, {}, notes=pairs.notes)
