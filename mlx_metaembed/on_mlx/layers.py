"""Checkpointing by layer: a trunk's layers keep their inputs alone and compute the rest again in the backward pass.

`mx.checkpoint` differentiates explicit arguments only, so a layer's parameters go in with its inputs. A layer's class
is changed on the instance: other models in the process keep theirs. The second pass would draw other dropout, so that
a recipe takes one or the other.
"""

from functools import cache

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten


def checkpoint(trunk: nn.Module) -> int:
    """Make every layer of a trunk a checkpointed one; how many there are."""
    found = [layer for stack in stacks(trunk) for layer in stack]
    for layer in found:
        layer.__class__ = _checkpointed(type(layer))
    return len(found)


def stacks(module: nn.Module) -> list[list[nn.Module]]:
    """The lists of layers in a module, the outermost of nested ones."""
    found = []
    for child in module.children().values():
        if isinstance(child, list) and all(isinstance(each, nn.Module) for each in child):
            found.append(child)
        elif isinstance(child, nn.Module):
            found += stacks(child)
    return found


@cache
def _checkpointed(kind: type) -> type:
    def call(self: nn.Module, *inputs: object, **settings: object) -> object:
        names, arrays = zip(*tree_flatten(self.parameters()), strict=True)
        places = [at for at, value in enumerate(inputs) if isinstance(value, mx.array)]

        def again(arrays: list[mx.array], given: list[mx.array]) -> object:
            self.update(tree_unflatten(list(zip(names, arrays, strict=True))))
            filled = list(inputs)
            for at, value in zip(places, given, strict=True):
                filled[at] = value
            return kind.__call__(self, *filled, **settings)

        return mx.checkpoint(again)(list(arrays), [inputs[at] for at in places])

    return type(kind.__name__, (kind,), {"__call__": call})
