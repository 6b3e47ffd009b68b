"""The processes that train one model together. One is the rule, and then nothing is exchanged or copied.

Every rank holds the whole model, reads the same rows and takes the same steps; it embeds a share of each batch's
chunks. No gradient goes through an exchange. Rank 0 writes: the claim, the log, the checkpoints, the page.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from mlx_metaembed.xp import Array, namespace

if TYPE_CHECKING:
    from mlx_metaembed.engine.protocol import Engine

PIECE = 2**23
"""Numbers of gradients that are summed at once, 32 MiB; a parameter that has more goes alone."""

Found = TypeVar("Found")


class World(Protocol):
    """All processes of a run, of which this is number `rank` of `size`; each makes the same calls in the same order.

    Arrays are the engine's, float32, and of one shape on all ranks.
    """

    rank: int
    size: int

    def gather(self, array: Array) -> Array:
        """The arrays of all ranks in their order, [size, ...]."""

    def sum(self, array: Array) -> Array:
        """The sum of the arrays of all ranks, with the same bits on each."""


class Alone:
    """The world of one process."""

    rank, size = 0, 1

    def gather(self, array: Array) -> Array:
        return array[None]

    def sum(self, array: Array) -> Array:
        return array


ALONE = Alone()


def any_rank(world: World, engine: "Engine", said: bool) -> bool:
    """Whether any rank says so: the same answer on all."""
    if world.size == 1:
        return said
    return bool(engine.numpy(world.sum(engine.array(np.array([said], np.float32))))[0])


def rank_0_first(world: World, engine: "Engine", work: Callable[[], Found]) -> Found:
    """What `work` gives. Rank 0 begins it when all have come so far, and the others when it has done it: they find what
    it left on disk."""
    any_rank(world, engine, False)
    if world.rank == 0:
        found = work()
    any_rank(world, engine, False)
    return found if world.rank == 0 else work()


def summed(
    world: World, engine: "Engine", gradients: dict[str, Array], parameters: Mapping[str, Array]
) -> dict[str, Array]:
    """The gradients by name, added up over all ranks; a parameter that no rank has one of has none.

    `parameters` are all that train. The dictionary that is given is emptied, but for that of one process: it comes
    back as it is.
    """
    if world.size == 1:
        return gradients
    names = sorted(parameters)
    there = engine.numpy(world.sum(engine.array(np.array([name in gradients for name in names], np.float32))))
    shapes = {name: tuple(parameters[name].shape) for name, ranks in zip(names, there, strict=True) if ranks}
    found = {}
    for piece in _pieces(shapes):
        own = [gradients.pop(name, None) for name in piece]
        flat = [
            (namespace(parameters[name]).zeros_like(parameters[name]) if each is None else each).reshape(-1)
            for name, each in zip(piece, own, strict=True)
        ]
        whole = world.sum(namespace(flat[0]).concatenate(flat, axis=0) if len(flat) > 1 else flat[0])
        found |= parted(whole, {name: shapes[name] for name in piece})
    return found


def parted(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Arrays of these shapes, one after another in a flat array."""
    ends = list(accumulate((prod(shape) for shape in shapes.values()), initial=0))
    cut = zip(shapes.items(), ends, ends[1:], strict=False)
    return {name: flat[first:last].reshape(shape) for (name, shape), first, last in cut}


def _pieces(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[str]]:
    """Names whose arrays are summed together."""
    piece, numbers = [], 0
    for name, shape in shapes.items():
        if piece and numbers + prod(shape) > PIECE:
            yield piece
            piece, numbers = [], 0
        piece.append(name)
        numbers += prod(shape)
    if piece:
        yield piece
