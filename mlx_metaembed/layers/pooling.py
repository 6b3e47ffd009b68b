"""From token states to one vector a text: cls, mean, max, weighted mean, last token, then what the folder declares.

B texts, L tokens, D features. The mask is bool, True = pooled; every row has at least one True; padding may stand on
either side. Modes and numbers are sentence-transformers'.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlx_metaembed.layers.dense import dense
from mlx_metaembed.xp import Array, masked, namespace, normalize

if TYPE_CHECKING:
    from mlx_metaembed.folder import ModelFolder


def vector(
    states: Array,
    mask: Array,
    folder: "ModelFolder",
    weights: Mapping[str, Mapping[str, Array]],
    real: Array | None = None,
) -> Array:
    """The model's vectors [B, D] in float32: pooled, through every Dense module, of unit length where declared.

    `weights` holds each Dense module's weights by its path; `real` is as in `pool`.
    """
    return finish(pool(states, mask, folder.pooling, real), folder, weights)


def finish(x: Array, folder: "ModelFolder", weights: Mapping[str, Mapping[str, Array]]) -> Array:
    """Pooled vectors [B, D] through every Dense module, of unit length where declared."""
    for module in folder.dense:
        x = dense(module, weights[module.path], x)
    return normalize(x) if folder.normalize else x


def pool(states: Array, mask: Array, mode: str, real: Array | None = None) -> Array:
    """States [B, L, D] and mask bool [B, L] to vectors [B, D], computed in float32.

    Several modes, `cls+mean`, stand side by side. `real` bool [B, L] are all tokens of a text, the same as `mask` where
    None is given: a prompt that is not pooled still counts in the places of the tokens that follow it.
    """
    xp = namespace(states)
    states = xp.astype(states, xp.float32)
    found = [
        weightedmean(states, mask, real) if each == "weightedmean" else MODES[each](states, mask)
        for each in mode.split("+")
    ]
    return found[0] if len(found) == 1 else xp.concatenate(found, axis=1)


def cls(states: Array, mask: Array) -> Array:
    """The first real token."""
    return _sum(states, _as_float((_position(mask) == 0) & mask))


def lasttoken(states: Array, mask: Array) -> Array:
    """The last real token."""
    return _sum(states, _as_float((_position(mask) == _count(mask) - 1) & mask))


def mean(states: Array, mask: Array) -> Array:
    return _sum(states, _as_float(mask)) / _count(mask)


def mean_sqrt_len_tokens(states: Array, mask: Array) -> Array:
    return _sum(states, _as_float(mask)) / namespace(states).sqrt(_count(mask))


def weightedmean(states: Array, mask: Array, real: Array | None = None) -> Array:
    """Weights 1, 2, 3, ... by a token's place among the `real` ones (SGPT, arXiv:2202.08904, section 4.1)."""
    weights = (_position(mask if real is None else real) + 1) * _as_float(mask)
    return _sum(states, weights) / namespace(states).sum(weights, axis=1, keepdims=True)


def largest(states: Array, mask: Array) -> Array:
    """The largest value of each feature over the real tokens."""
    return namespace(states).max(masked(states, mask[:, :, None]), axis=1)


MODES = {
    "cls": cls,
    "mean": mean,
    "max": largest,
    "mean_sqrt_len_tokens": mean_sqrt_len_tokens,
    "weightedmean": weightedmean,
    "lasttoken": lasttoken,
}


def _as_float(mask: Array) -> Array:
    xp = namespace(mask)
    return xp.astype(mask, xp.float32)


def _count(mask: Array) -> Array:
    """Real tokens a row, float32 [B, 1]."""
    return namespace(mask).sum(_as_float(mask), axis=1, keepdims=True)


def _position(mask: Array) -> Array:
    """Each token's place among the real ones of its row, from 0; float32 [B, L]."""
    return namespace(mask).cumsum(_as_float(mask), axis=1) - 1


def _sum(states: Array, weights: Array) -> Array:
    """The sum over L of weights [B, L] times states [B, L, D]."""
    xp = namespace(states)
    return xp.squeeze(xp.matmul(weights[:, None, :], states), 1)
