"""Passes of chunks through a trunk and the modules after it, forwards and back, as functions that MLX compiles whole.

A compiled function keeps the arrays of its first call apart from its arguments, so that parameters are arguments too:
the trunk's module is filled from them at every call.
"""

import shutil
from collections.abc import Callable, Mapping
from functools import partial

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map, tree_unflatten

from mlx_metaembed.engine import DENSE, Outputs
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import TRUNK, dense_weights, under
from mlx_metaembed.heads import Head, passed
from mlx_metaembed.layers.pooling import vector
from mlx_metaembed.on_mlx import trunk as trunks

NOTHING = mx.array(0.0)
WHOLE = "whole."
"""What the name begins with of a word table that a pass takes beside the rows of its tokens."""


def compiles(device: str) -> bool:
    """Whether whole passes are compiled: on a GPU always, on a processor where MLX finds the C++ compiler it calls.

    There it halves the time: elementwise work is fused and vectorised.
    """
    return device != "cpu" or shutil.which("g++") is not None


class Passes:
    """A chunk's outputs by head and their gradients, from what trains, what is frozen, ids, mask, pooled and tasks.

    Without a trunk none of them is called.
    """

    def __init__(
        self,
        trunk: nn.Module | None,
        folder: ModelFolder,
        heads: Mapping[str, Head],
        *,
        compiled: bool,
        checkpointing: bool,
    ):
        self.trunk, self._folder, self._heads = trunk, folder, heads
        # A compiled gradient comes all at once; with checkpointing it is evaluated layer by layer.
        self._compiled, self._compiled_gradients = compiled, compiled and not checkpointing
        self._functions: dict[tuple, Callable] = {}

    def draw(self, seed: int | None) -> None:
        """Turn dropout on with this seed, or off where it is None."""
        self.trunk.train(seed is not None)
        if seed is not None:
            mx.random.seed(seed)

    def forward(self, heads: tuple[str, ...], *given: dict | mx.array, seed: int | None) -> Outputs:
        """The chunk's outputs, compiled; not yet evaluated."""
        self.draw(seed)
        # One a mode: a trace keeps whether dropout was on.
        return self._function(("forward", seed is not None, *heads), partial(self.outputs, heads))(*given)

    def gradients(self, heads: tuple[str, ...], *given: dict | mx.array) -> dict[str, mx.array]:
        """The gradient of what trains, where the outputs' gradients come last among what is given."""

        def weighted(trained: dict, frozen: dict, *inputs: mx.array | Outputs) -> mx.array:
            *others, cotangents = inputs
            outputs = self.outputs(heads, trained, frozen, *others)
            found = [mx.sum(outputs[name] * cotangents[name]) for name in heads]
            return sum(found[1:], found[0])

        return self._function(("gradients", *heads), mx.grad(weighted), compiled=self._compiled_gradients)(*given)

    def outputs(
        self,
        heads: tuple[str, ...],
        trained: dict,
        frozen: dict,
        ids: mx.array,
        mask: mx.array,
        pooled: mx.array,
        *tasks: mx.array,
    ) -> Outputs:
        """What heads give for a chunk, from one pass of the trunk, as a part of a larger graph."""
        parameters = trained | frozen
        states = self._states(parameters, ids, mask, *tasks)
        found = {}
        for name in heads:
            if name == DENSE:
                weights = dense_weights(self._folder, parameters)
                found[name] = vector(states, pooled, self._folder, weights, mask)
            else:
                plain = {
                    full: array
                    for decoder in passed.decoders([name], self._heads)
                    for full, array in self._plain(parameters, decoder).items()
                }
                found[name] = passed.given(name, self._heads, parameters | plain, states, ids, mask)
        return found

    def _plain(self, parameters: dict, name: str) -> dict[str, mx.array]:
        """One of the trunk's matrices where a pass has it in another form: quantized, or as a chunk's rows."""
        if WHOLE + name in parameters:
            return {name: parameters[WHOLE + name]}
        return trunks.plain(parameters, self._folder, name.removeprefix(TRUNK))

    def release(self) -> None:
        """Take the arrays of the last pass out of the trunk's module, which would keep them beside the new ones."""
        if self.trunk is not None:
            self.trunk.update(tree_map(lambda array: NOTHING, self.trunk.parameters()))

    def _states(self, parameters: dict, ids: mx.array, mask: mx.array, *tasks: mx.array) -> mx.array:
        """The trunk's hidden states [B, L, D]."""
        self.trunk.update(tree_unflatten(list(under(parameters, TRUNK).items())))
        return self.trunk(ids, mask, *tasks)

    def _function(self, key: tuple, function: Callable, *, compiled: bool | None = None) -> Callable:
        """A function, compiled where that is wanted, and the same one for the same key."""
        if key not in self._functions:
            state = [mx.random.state]
            wanted = self._compiled if compiled is None else compiled
            self._functions[key] = mx.compile(function, inputs=state, outputs=state) if wanted else function
        return self._functions[key]
