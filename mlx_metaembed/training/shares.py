"""Which chunks of a batch each process embeds, and the exchange of what they gave.

Chunks are shared whole, because dropout draws by chunk: however many processes there are, it draws the same units.
"""

from collections.abc import Collection, Mapping, Sequence
from math import prod

import numpy as np

from mlx_metaembed.engine import Engine, Outputs, World
from mlx_metaembed.engine.world import parted
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.xp import Array, constant, namespace

MOST_AXES = 4
"""Axes that an output may have."""


def shares(chunks: Sequence[Chunk], size: int) -> list[list[int]]:
    """The numbers of each rank's chunks, in order: about as many tokens to each, the largest chunk first."""
    if size == 1:
        return [list(range(len(chunks)))]
    found, tokens = [[] for _ in range(size)], [0] * size
    for at in sorted(range(len(chunks)), key=lambda at: -chunks[at].ids.size):
        rank = tokens.index(min(tokens))
        found[rank].append(at)
        tokens[rank] += chunks[at].ids.size
    return [sorted(each) for each in found]


def exchanged(
    world: World, engine: Engine, own: Mapping[int, Outputs], heads: Collection[str], by_rank: Sequence[Sequence[int]]
) -> list[Outputs]:
    """The outputs of all chunks in order, of this rank's by number; `by_rank` says whose each chunk is.

    Two exchanges, whatever the heads: the shapes, then the numbers.
    """
    if world.size == 1:
        return list(own.values())
    shapes = _shapes(world, engine, own, heads, sum(map(len, by_rank)))
    lengths = [sum(prod(shape) for at in numbers for shape in shapes[at].values()) for numbers in by_rank]
    whole = world.gather(_flat(engine, [own[at][head] for at in sorted(own) for head in heads], max(lengths)))
    found: dict[int, Outputs] = {}
    for rank, numbers in enumerate(by_rank):
        named = {(at, head): shape for at in numbers for head, shape in shapes[at].items()}
        for (at, head), array in parted(whole[rank], named).items():
            found.setdefault(at, {})[head] = array
    return [found[at] for at in sorted(found)]


def _shapes(
    world: World, engine: Engine, own: Mapping[int, Outputs], heads: Collection[str], chunks: int
) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of all chunks' outputs: each rank says its own, and 0 elsewhere."""
    table = np.zeros((chunks, len(heads), MOST_AXES), np.float32)
    for at, outputs in own.items():
        for number, head in enumerate(heads):
            shape = tuple(outputs[head].shape)
            table[at, number, : len(shape)] = shape
    said = engine.numpy(world.sum(engine.array(table))).astype(int)
    return [
        {head: tuple(int(length) for length in row if length) for head, row in zip(heads, rows, strict=True)}
        for rows in said
    ]


def _flat(engine: Engine, arrays: Sequence[Array], length: int) -> Array:
    """All arrays one after another, then zeros up to a length that all ranks have."""
    flat = [array.reshape(-1) for array in arrays]
    missing = length - sum(len(each) for each in flat)
    if missing or not flat:
        zeros = np.zeros(missing, np.float32)
        flat.append(constant(zeros, flat[0]) if flat else engine.array(zeros))
    return namespace(flat[0]).concatenate(flat, axis=0)
