"""A causal language model on an engine: what one does, and the one place that opens it.

Whatever changes it from outside, an adapter, gains or a prefix, is a function at the output of one of its modules, so
that one text of each serves both engines. B rows, L tokens, V tokens known.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mlx_metaembed.engine.choice import automatic_dtype
from mlx_metaembed.engine.protocol import Engine
from mlx_metaembed.xp import Array

Weights = dict[str, Array]
Change = Callable[[Array, Array], Array]
"""A module's input and output to the output that takes its place."""


class CausalModel(Protocol):
    """A model whose own weights stay as they are, but where others are handed in."""

    embedding: str
    """The path of the word embedding."""
    width: int
    """Features of a state."""
    tokens: int
    """Rows of the word embedding."""
    norms: Sequence[str]
    """The paths of the norms of states inside the layers, layer by layer."""
    linears: Mapping[str, tuple[int, int]]
    """The shapes [out, in] of the linear maps inside the layers, by path."""

    def array(self, values: np.ndarray) -> Array:
        """A NumPy array on the device."""

    def numpy(self, array: Array) -> np.ndarray:
        """The device's array as NumPy, floats as float32."""

    def own(self) -> dict[str, np.ndarray]:
        """The model's own weights by path, float32; none of those that are packed."""

    def words(self, ids: np.ndarray) -> np.ndarray:
        """The rows of the word embedding, float32 [n, width]."""

    def hook(self, changes: Mapping[str, Change]) -> None:
        """Change what modules give from now on, by path."""

    def cache(self) -> object:
        """A new cache of keys and values."""

    def logits(self, ids: np.ndarray, cache: object = None, own: Weights | None = None) -> Array:
        """Logits [B, L, V] of the token that follows each of ids int32 [B, L], which follow those in the cache; with
        the weights `own`, by path, in place of the model's."""

    def gradients(self, loss: Callable[[Weights], Array], weights: Weights) -> tuple[float, Weights]:
        """A scalar loss and its gradient at some weights."""

    def settled(self, *arrays: Weights) -> None:
        """Compute arrays now, where an engine would wait."""


def dtype_of(engine: Engine, asked: str) -> tuple[str, str]:
    """The arithmetic of a base and the reason in words; what is learned is float32."""
    if asked != "auto":
        return asked, "asked for"
    found, why = automatic_dtype(engine)
    if found == "float16":
        return "float32", "auto: float16 has too small a range for a language model's gradients"
    return found, why


def load(engine: Engine, path: Path, config: Mapping, *, dtype: str) -> CausalModel:
    """The language model of a folder whose config.json says `config`.

    Raises CallError where the engine has no such model, or the weights do not fit it.
    """
    module = importlib.import_module(f"mlx_metaembed.on_{engine.name}.causal_model")
    return module.load(path, dict(config), dtype=dtype)
