"""The vectors of a task's queries and corpus, and the texts that are nearest to a query.

Every row of the corpus is compared, in blocks. Where that would be very many products, the corpus is put into lists,
some of which are looked through (see lists.py); an index's graph is walked where that is asked for. Either misses some
of the nearest: `recall` says how many it finds.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed.embedder import Embedder
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.mining import lists, vectors
from mlx_metaembed.mining.nearest import block_rows, nearest
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.mining.tasks import Task
from mlx_metaembed.search import fingerprint, scalars, similarity
from mlx_metaembed.search.index import Index

LISTS_FROM = 10**13
"""Products from which lists are looked through: with two cores some minutes of comparing every row."""


class Searched:
    """A task's vectors, once they are encoded. `way` is how it is searched, `keys` what the vectors are known by.

    `recall` is the share of a query's nearest texts that are found so, on the average of some queries.
    """

    def __init__(self, model: Embedder, task: Task, settings: Settings, index: Index | None):
        """Raises CallError for a model that gives no vector a text, or not those of the index."""
        model.require_dense()
        self.model, self.task, self.index = model, task, index
        function = model.similarity_fn_name
        self.similarity = "dot" if function == "cosine" else function
        self.width = index.about.dims if index else model.dimensions
        self._shape = {"truncate_dim": self.width, "normalize_embeddings": function == "cosine"}
        marks = fingerprint.of(model.folder)
        if index is None:
            scalars.check("f32", function)
        else:
            _require_same(index, model, marks, self._shape)
        about = marks | {"engine": model.engine.name, "dtype": model.dtype, "width": self.width}
        about |= {"length": model.max_seq_length, "index": index.about.dtype if index else None}
        texts = (("query", task.queries), ("document", task.corpus))
        self.keys = [vectors.key(about | {"side": side}, each) for side, each in texts]
        self.memory = settings.memory_bytes
        if settings.search == "graph" and (index is None or index.about.exact):
            raise CallError("search = 'graph' needs an index of more than 10,000 texts; give one, or search = 'exact'")
        many = len(task.queries) * len(task.corpus) * self.width >= LISTS_FROM
        self.way, self.recall = ("lists" if many else "exact") if settings.search == "auto" else settings.search, 1.0

    def encode(self, folder: Path, k: int, advance: Callable[[str, int, int], None]) -> None:
        """Have the vectors in files in `folder`, made where they are not there whole, and all that a search for the k
        nearest needs."""
        task = self.task
        self.queries = self._stored(
            folder, 0, len(task.queries), lambda rows: task.queries[rows[0] : rows[-1] + 1], advance
        )
        self.corpus = self._stored(folder, 1, len(task.corpus), task.corpus.__getitem__, advance)
        if self.way == "lists":
            self._list(folder, k, advance)
        elif self.way == "graph":
            self.recall = self._recall(k)

    def nearest(self, queries: range, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [Q, k] and scores float32 [Q, k] of the queries' nearest texts, best first.

        Fewer columns where the corpus has fewer texts; row -1 where a query's lists have, or the graph gave, fewer.
        """
        asked = self.queries.block(queries.start, queries.stop)
        if self.way == "lists":
            return self.lists.nearest(asked, k, self.looked, self.memory)
        if self.way == "graph":
            return self._walked(asked, k)
        return self._compared(asked, k)

    def _compared(self, asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return nearest(asked, self.corpus.blocks(block_rows(len(asked), self.memory)), k, self.similarity)

    def _walked(self, asked: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows, scores = np.full((len(asked), k), -1, np.int64), np.full((len(asked), k), -np.inf, np.float32)
        for at, each in enumerate(asked):
            found, near = self.index.nearest(each, k)
            rows[at, : len(found)], scores[at, : len(found)] = found, near
        return rows, scores

    def _recall(self, k: int) -> float:
        """What the graph finds of some queries' nearest texts."""
        asked = self.queries.rows(lists.sample(len(self.queries)))
        pairs = zip(self._walked(asked, k)[0], self._compared(asked, k)[0], strict=True)
        return float(np.mean([np.isin(near, found).mean() for found, near in pairs]))

    def _list(self, folder: Path, k: int, advance: Callable[[str, int, int], None]) -> None:
        """Have the lists, and how many of them are looked through; where that would be most, every row is compared."""
        path, count = folder / f"lists-{self.keys[1]}-{self.similarity}", len(self.corpus)
        made = lists.stored(path, self.corpus, self.similarity, lambda rows: advance("making lists", rows, count))
        chosen = path.with_name(f"{path.name}-{self.keys[0]}-{k}.json")
        if not chosen.is_file():
            looked, recall = lists.looked_through(made, self.queries, self.corpus, k, self.memory)
            with disk.replacing_file(chosen) as partial:
                disk.write_json(partial, {"looked_through": looked, "recall": recall})
        found = disk.read_object(chosen)
        self.lists, self.looked, self.recall = made, found["looked_through"], found["recall"]
        if self.looked > lists.SHARE * len(made):
            self.way, self.recall = "exact", 1.0

    def scores(self, queries: Sequence[int], rows: Sequence[int]) -> np.ndarray:
        """Scores float32 [n] of a query and a row of the corpus each."""
        return similarity.pairwise(self.queries.rows(queries), self.corpus.rows(rows), self.similarity, {}, None)

    def _stored(self, folder: Path, side: int, count: int, texts: Callable, advance: Callable) -> vectors.Vectors:
        name, label = (("query", "encoding queries"), ("document", "encoding the corpus"))[side]

        def make(first: int, last: int) -> np.ndarray:
            if side and self.index is not None:
                return self.index.vectors(range(first, last))
            return self.model.encode(texts(range(first, last)), prompt_name=name, **self._shape)

        path = folder / f"vectors-{self.keys[side]}.f32"
        return vectors.stored(path, count, self.width, make, lambda rows: advance(label, rows, count))


def _require_same(index: Index, model: Embedder, marks: dict[str, str], shape: dict) -> None:
    """Raise CallError where an index was built by another model."""
    index.require_fingerprint(marks, model.name)
    index.require_model(model.folder.dimensions, model.folder.prompts)
    index.require_same(model.encode(index.probe(), prompt_name="document", **shape))
