"""A model's parameters in one flat dict: trunk.<checkpoint name>, dense.<path>.<name>, heads.<head>.<name>.

A run that learns how much its objectives count has objectives.<objective>.<name> too; no model keeps them.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.folder import ModelFolder, dense_files
from mlx_metaembed.xp import Array

if TYPE_CHECKING:
    from mlx_metaembed.heads import Head

TRUNK, HEADS, OBJECTIVES = "trunk.", "heads.", "objectives."


def under(parameters: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The parameters whose name begins with the prefix, without it."""
    return {name[len(prefix) :]: array for name, array in parameters.items() if name.startswith(prefix)}


def head_weights(heads: Iterable[str], parameters: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Each head's weights by their own names."""
    return {name: under(parameters, f"heads.{name}.") for name in heads}


def token_head_weights(name: str, head: "Head", parameters: Mapping[str, Array]) -> dict[str, Array]:
    """One head's weights by their own names, and the trunk's tensor that is its decoder where one is."""
    own = under(parameters, f"heads.{name}.")
    tied = getattr(head, "tied", "")
    return own | {"decoder.weight": parameters[TRUNK + tied]} if tied else own


def dense_weights(folder: ModelFolder, parameters: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Each Dense module's weights by its path."""
    return {module.path: under(parameters, f"dense.{module.path}.") for module in folder.dense}


def behind_trunk(folder: ModelFolder, heads: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Dense modules' and heads' arrays by full name; the heads' come as `<head>.<weight>`.

    Raises CallError where a Dense module's file is missing or does not fit.
    """
    found = {f"dense.{name}": array for name, array in dense_files.read(folder.path, folder.dense).items()}
    return found | {f"heads.{name}": array for name, array in heads.items()}
