"""Worlds of several processes on one machine, which exchange NumPy arrays through pipes; this process is rank 0."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import numpy as np

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Result, train
from mlx_metaembed.xp import Array, constant

PATIENCE = 120
"""Seconds that a rank waits for another."""


class Pipes:
    """A world whose rank 0 hears all others, and tells them all that was said. `calls` are the exchanges so far."""

    def __init__(self, rank: int, size: int, others: Sequence[Connection]):
        self.rank, self.size, self.others, self.calls = rank, size, others, []

    def gather(self, array: Array) -> Array:
        self.calls.append("gather")
        return constant(self._all(array), array)

    def sum(self, array: Array) -> Array:
        self.calls.append("sum")
        return constant(self._all(array).sum(axis=0), array)

    def _all(self, array: Array) -> np.ndarray:
        own = np.asarray(array)
        assert own.dtype == np.float32
        if self.rank:
            self.others[0].send(own)
            return heard(self.others[0])
        found = np.stack([own, *map(heard, self.others)])
        for each in self.others:
            each.send(found)
        return found


def heard(pipe: Connection) -> np.ndarray | tuple:
    assert pipe.poll(PATIENCE), "a rank says nothing"
    return pipe.recv()


def follow(rank: int, size: int, pipe: Connection) -> None:
    """A rank that is not 0: it trains what it is told to, and says how that ended, until it is told None."""
    import conftest  # noqa: F401  (sets how engines compute in tests)

    while (told := pipe.recv()) is not None:
        recipe, resume = told
        try:
            pipe.send(("ended", train(recipe, resume=resume, callbacks=[], world=Pipes(rank, size, [pipe]))))
        except (CallError, JobError) as error:
            pipe.send(("failed", str(error)))


class Ranks:
    """Processes that train together with this one, run after run."""

    def __init__(self, pipes: Sequence[Connection]):
        self._pipes = pipes

    def train(self, recipe: Recipe, *, resume: bool = False, **settings) -> tuple[Result | str, list, list[str]]:
        """How the run ended here and on the other ranks (its result, or its error's words), and the exchanges."""
        for pipe in self._pipes:
            pipe.send((recipe, resume))
        world = Pipes(0, len(self._pipes) + 1, self._pipes)
        try:
            own = train(recipe, resume=resume, world=world, **{"callbacks": []} | settings)
        except (CallError, JobError) as error:
            own = str(error)
        return own, [heard(pipe)[1] for pipe in self._pipes], world.calls


@contextmanager
def ranks(size: int) -> Iterator[Ranks]:
    """So many processes, this one among them. They are spawned: a forked one can't use MLX."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(size - 1)]
    followers = [
        context.Process(target=follow, args=(rank, size, theirs), daemon=True)
        for rank, (_, theirs) in enumerate(pairs, 1)
    ]
    for each in followers:
        each.start()
    for _, theirs in pairs:
        theirs.close()
    try:
        yield Ranks([own for own, _ in pairs])
    finally:
        for own, _ in pairs:
            with suppress(OSError):
                own.send(None)
        for each in followers:
            each.join(10)
            if each.is_alive():
                each.kill()
