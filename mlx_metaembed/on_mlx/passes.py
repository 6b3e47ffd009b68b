"""Passes of chunks through a trunk and the modules after it, forwards and back, as functions that MLX compiles whole.

A compiled function keeps the arrays of its first call apart from its arguments, so that parameters are arguments too:
the trunk's module is filled from them at every call.
"""

import shutil

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map, tree_unflatten

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import TRUNK, dense_weights, under
from mlx_metaembed.layers.pooling import vector

NOTHING = mx.array(0.0)


def compiles(device: str) -> bool:
    """Whether whole passes are compiled: on a GPU always, on a processor where MLX finds the C++ compiler it calls.

    There it halves the time: elementwise work is fused and vectorised.
    """
    return device != "cpu" or shutil.which("g++") is not None


class Passes:
    """A chunk's vectors [B, D] and their gradients, from what trains, what is frozen, ids, mask, pooled and tasks.

    Without a trunk none of them is called.
    """

    def __init__(self, trunk: nn.Module | None, folder: ModelFolder, *, compiled: bool, checkpointing: bool):
        self._trunk, self._folder = trunk, folder
        self._forward, self._drawing, self.gradients = self.vectors, self._drawn, mx.grad(self._weighted)
        if compiled:
            state = [mx.random.state]
            # Compiled once a mode: a trace keeps whether dropout was on.
            self._forward = mx.compile(self.vectors, inputs=state, outputs=state)
            self._drawing = mx.compile(self._drawn, inputs=state, outputs=state)
            # A compiled gradient comes all at once; with checkpointing it is evaluated layer by layer.
            if not checkpointing:
                self.gradients = mx.compile(self.gradients, inputs=state, outputs=state)

    def draw(self, seed: int | None) -> None:
        """Turn dropout on with this seed, or off where it is None."""
        self._trunk.train(seed is not None)
        if seed is not None:
            mx.random.seed(seed)

    def forward(self, *given: dict | mx.array, seed: int | None) -> mx.array:
        """The chunk's vectors [B, D], compiled; not yet evaluated."""
        self.draw(seed)
        return (self._forward if seed is None else self._drawing)(*given)

    def vectors(
        self, trained: dict, frozen: dict, ids: mx.array, mask: mx.array, pooled: mx.array, *tasks: mx.array
    ) -> mx.array:
        """The chunk's vectors [B, D], as a part of a larger graph."""
        parameters = trained | frozen
        states = self.states(parameters, ids, mask, *tasks)
        return vector(states, pooled, self._folder, dense_weights(self._folder, parameters), mask)

    def states(self, parameters: dict, ids: mx.array, mask: mx.array, *tasks: mx.array) -> mx.array:
        """The trunk's hidden states [B, L, D]."""
        self._trunk.update(tree_unflatten(list(under(parameters, TRUNK).items())))
        return self._trunk(ids, mask, *tasks)

    def release(self) -> None:
        """Take the arrays of the last pass out of the trunk's module, which would keep them beside the new ones."""
        if self._trunk is not None:
            self._trunk.update(tree_map(lambda array: NOTHING, self._trunk.parameters()))

    def _drawn(self, trained: dict, frozen: dict, *inputs: mx.array) -> mx.array:
        """`vectors` as a function of its own, for compiling with dropout on."""
        return self.vectors(trained, frozen, *inputs)

    def _weighted(self, trained: dict, frozen: dict, *given: mx.array) -> mx.array:
        *inputs, cotangent = given
        return mx.sum(self.vectors(trained, frozen, *inputs) * cotangent)
