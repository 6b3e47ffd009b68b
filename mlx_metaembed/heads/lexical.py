"""BGE-M3's lexical head: a weight for every token of the text itself. arXiv:2402.03216, section 3.2."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.heads.linear import linear, linear_initial, linear_shapes
from mlx_metaembed.heads.output import Output
from mlx_metaembed.xp import Array, namespace, relu

MOST_IGNORED = 1_000
"""Each costs a comparison with every id."""


@dataclass(frozen=True)
class Lexical:
    """relu of one linear feature; tokens whose ids are `ignored` (the special ones) weigh nothing."""

    kind: ClassVar[str] = "lexical"
    on_tokens: ClassVar[bool] = True
    gives: ClassVar[str] = "sparse"
    in_features: int
    ignored: tuple[int, ...]

    def faults(self) -> list[str]:
        """What no tokenizer can have."""
        if len(self.ignored) > MOST_IGNORED:
            return [f"{len(self.ignored):,} tokens are ignored, expected at most {MOST_IGNORED:,}"]
        wrong = [id for id in self.ignored if not 0 <= id < 2**31]
        return [f"ignored holds {wrong[0]}, expected ids of tokens"] if wrong else []

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return linear_shapes(1, self.in_features)

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """Weights drawn as torch.nn.Linear draws them, no bias."""
        return linear_initial(1, self.in_features, seed)

    def output(self, values: Array, ids: np.ndarray, mask: np.ndarray) -> Output:
        """What the call gave [B, L], as losses take it: by token, without the special ones."""
        return Output("sparse", values, ids, mask & ~np.isin(ids, self.ignored))

    def __call__(self, weights: Mapping[str, Array], states: Array, ids: Array, mask: Array) -> Array:
        """States [B, L, D], ids int [B, L] and mask bool [B, L] to a weight for each token, float32 [B, L]."""
        xp = namespace(states)
        x = linear(weights, xp.astype(states, xp.float32))
        x = relu(xp.squeeze(x, -1))
        counts = mask
        for special in self.ignored:
            counts = counts & (ids != special)
        return xp.where(counts, x, xp.zeros_like(x))

    def sparse(self, output: np.ndarray, ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """What the call gave [B, L], as each text's ids and weights; an id that comes twice is there twice."""
        return list(zip(ids, output, strict=True))
