"""The vectors of a task's queries and corpus, and the texts that are nearest to a query.

Every row of the corpus is compared, in blocks. Where an index is given and that would be very many products, its graph
is walked instead: it misses some of the nearest.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed.embedder import Embedder
from mlx_metaembed.errors import CallError
from mlx_metaembed.mining import vectors
from mlx_metaembed.mining.nearest import block_rows, nearest
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.mining.tasks import Task
from mlx_metaembed.search import fingerprint, scalars, similarity
from mlx_metaembed.search.index import Index

GRAPH_FROM = 10**13
"""Products from which an index's graph is walked: with two cores some minutes of comparing every row."""


class Searched:
    """A task's vectors, once they are encoded. `way` is how it is searched, `keys` what the vectors are known by."""

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
        products = len(task.queries) * len(task.corpus) * self.width
        graph = index is not None and not index.about.exact and products >= GRAPH_FROM
        if settings.search == "graph" and (index is None or index.about.exact):
            raise CallError("search = 'graph' needs an index of more than 10,000 texts; give one, or search = 'exact'")
        self.way = "graph" if settings.search == "graph" or (settings.search == "auto" and graph) else "exact"

    def encode(self, folder: Path, advance: Callable[[str, int, int], None]) -> None:
        """Have the vectors in files in `folder`, made where they are not there whole."""
        task = self.task
        self.queries = self._stored(
            folder, 0, len(task.queries), lambda rows: task.queries[rows[0] : rows[-1] + 1], advance
        )
        self.corpus = self._stored(folder, 1, len(task.corpus), task.corpus.__getitem__, advance)

    def nearest(self, queries: range, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [Q, k] and scores float32 [Q, k] of the queries' nearest texts, best first."""
        asked = self.queries.block(queries.start, queries.stop)
        if self.way == "graph":
            found = [self.index.nearest(each, k) for each in asked]
            least = min(len(rows) for rows, _ in found)
            return np.stack([rows[:least] for rows, _ in found]), np.stack([scores[:least] for _, scores in found])
        blocks = self.corpus.blocks(block_rows(len(asked), self.memory))
        return nearest(asked, blocks, k, self.similarity)

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
