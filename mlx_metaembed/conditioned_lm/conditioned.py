"""A language model that is given an ID: the base, and what was learned beside it, at the outputs of its modules.

B rows, d digits, L tokens, V tokens known, P places of a soft prompt.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from mlx_metaembed.conditioned_lm import film, lora, prefix, token_loss
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.settings import FILM, PREFIX, Settings
from mlx_metaembed.engine.causal_model import CausalModel, Weights
from mlx_metaembed.errors import CallError
from mlx_metaembed.xp import Array, namespace

BASE = "base."
"""What the names of the base's own weights begin with, where they train."""


def initial(model: CausalModel, settings: Settings, levels: Levels) -> dict[str, np.ndarray]:
    """What is learned, as it begins, by name; both engines begin with the same numbers.

    Raises CallError where the model has nothing that could be changed so.
    """
    found: dict[str, np.ndarray] = {}
    if settings.train_base:
        found |= {BASE + name: array for name, array in model.own().items()}
    if settings.own_rank:
        if not model.linears:
            raise CallError("This base has no linear maps in its layers for LoRA to change; take --condition prefix")
        found |= lora.initial(model.linears, settings.own_rank, settings.seed)
    if settings.condition == FILM:
        if not model.norms:
            raise CallError("This base has no norms with gains in its layers; take --condition prefix or text")
        found |= film.initial(levels.counts, settings.embedding, len(model.norms), model.width, settings.seed)
    if settings.condition == PREFIX:
        random = np.random.default_rng(settings.seed)
        tokens = random.integers(0, model.tokens, prefix.rows(levels.counts, settings.vectors), np.int32)
        found |= prefix.initial(levels.counts, settings.vectors, model.words(tokens))
    return found


class Conditioned:
    """The base with its changes. Weights come in with every call, so that a gradient at them can be taken."""

    def __init__(self, model: CausalModel, settings: Settings, levels: Levels):
        self.model, self.levels, self.settings = model, levels, settings
        self.places = len(levels.counts) * settings.vectors if settings.condition == PREFIX else 0
        """Places of the soft prompt, which come before all tokens."""
        self._weights: Weights = {}
        self._prompt: Array = None
        self._gains: Array = None
        changes = {path: partial(self._low_rank, path) for path in model.linears} if settings.own_rank else {}
        if settings.condition == FILM:
            changes |= {path: partial(self._scaled, at) for at, path in enumerate(model.norms)}
        if self.places:
            changes |= {model.embedding: self._before}
        model.hook(changes)

    def logits(
        self, weights: Weights, digits: np.ndarray, ids: np.ndarray, cache: object = None, *, first: bool = True
    ) -> Array:
        """Logits [B, L, V] behind each of ids int32 [B, L] for IDs int32 [B, d]; a `first` call puts the soft prompt
        before them, later ones find it in the cache."""
        self._weights = weights
        given = self.model.array(digits.astype(np.int32))
        if self.settings.condition == FILM:
            self._gains = film.gains(weights, given, len(self.model.norms))
        self._prompt = prefix.prompt(weights, given, self.settings.vectors) if self.places and first else None
        places = self.places if first else 0
        if places:
            ids = np.concatenate([np.zeros((len(ids), places), np.int32), ids], axis=1)
        own = {name.removeprefix(BASE): array for name, array in weights.items() if name.startswith(BASE)}
        found = self.model.logits(ids.astype(np.int32), cache, own)
        self._weights, self._prompt, self._gains = {}, None, None
        return found[:, places:]

    def losses(self, weights: Weights, digits: np.ndarray, ids: np.ndarray, mask: np.ndarray) -> Array:
        """Nats [B, L - 1] of each token of ids [B, L] but the first, 0 where `mask` [B, L] is not set."""
        logits = self.logits(weights, digits, ids)[:, :-1]
        targets, counted = self.model.array(ids[:, 1:].astype(np.int32)), self.model.array(mask[:, 1:])
        return token_loss.of_tokens(logits, targets, counted)

    def arrays(self, weights: Mapping[str, np.ndarray]) -> Weights:
        """Weights on the device."""
        return {name: self.model.array(values) for name, values in weights.items()}

    def _low_rank(self, path: str, x: Array, y: Array) -> Array:
        scale = self.settings.alpha / self.settings.own_rank
        return lora.added(self._weights, path, scale, x, y)

    def _scaled(self, at: int, _x: Array, y: Array) -> Array:
        return film.scaled(y, self._gains[:, at])

    def _before(self, _ids: Array, states: Array) -> Array:
        return states if self._prompt is None else prefix.before(states, self._prompt)


def total(losses: Array, count: float) -> Array:
    """The sum of losses over a count, a scalar."""
    return namespace(losses).sum(losses) / count
