"""How long one message takes: each part by itself, and the whole beside the bare pass of the model."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from mlx_metaembed.embedder import Embedder
from mlx_metaembed.evaluate.classifier import Classifier
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.search.index import Index

ROUNDS = 5


def latency(
    model: Embedder, messages: Sequence[str], index: Index, classifier: Classifier | None = None
) -> dict[str, float]:
    """Seconds, the median over the messages: `embedding_s` of one message, `floor_s` of the bare pass of its tokens,
    `tokenising_s`, `search_s`, `classification_s`, and `over_floor`, embedding by floor.

    Each is timed ROUNDS times, and the quickest counts: what else a machine does only slows it down.
    """
    ready = [_chunk(model, message) for message in messages]
    vectors = model.encode(list(messages))
    for chunk, message in zip(ready, messages, strict=True):
        # Engines compile for each shape that they have not seen.
        model.engine.numpy(model.engine.embed(chunk)["dense"])
        model.encode(message)
    parts: dict[str, Callable[[int], object]] = {
        "embedding_s": lambda at: model.encode(messages[at]),
        "floor_s": lambda at: model.engine.numpy(model.engine.embed(ready[at])["dense"]),
        "tokenising_s": lambda at: model.tokenizer([messages[at]]),
        "search_s": lambda at: index.search(vectors[at : at + 1], 10),
    }
    if classifier:
        parts["classification_s"] = lambda at: classifier.classify(vectors[at : at + 1])
    times: dict[str, list[float]] = {name: [] for name in parts}
    for at in range(len(messages)):
        for name, work in parts.items():
            times[name].append(min(_seconds(work, at) for _ in range(ROUNDS)))
    found = {name: float(np.median(each)) for name, each in times.items()}
    return found | {"over_floor": found["embedding_s"] / found["floor_s"]}


def _seconds(work: Callable[[int], object], at: int) -> float:
    began = time.perf_counter()
    work(at)
    return time.perf_counter() - began


def _chunk(model: Embedder, message: str) -> Chunk:
    """A message's ids as the engine takes them: one row, no padding of rows."""
    store = token_store.tokenize(model.tokenizer, [message])
    (chunk,), _ = chunks.chunks(store, [0], pad_id=model.tokenizer.pad_id, chunk_tokens=8_192, most_texts=1)
    return chunk
