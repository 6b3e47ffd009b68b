"""Who decides about candidates in the searching model's place: another embedder, or a cross-encoder.

A cross-encoder reads query and text together, and runs on torch. Its folder is told by its config.json.
"""

import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mlx_metaembed import embedder
from mlx_metaembed.engine import installed
from mlx_metaembed.errors import CallError, missing_extra
from mlx_metaembed.files.disk import optional_json
from mlx_metaembed.folder import locate
from mlx_metaembed.search import fingerprint, similarity

CLASSIFIER = "ForSequenceClassification"


class Judge(Protocol):
    """`key` tells one judge from another; `scores` gives those of each query's texts, float32 [n] a query."""

    name: str
    key: str

    def scores(self, queries: Sequence[str], texts: Sequence[Sequence[str]]) -> list[np.ndarray]: ...


class EmbedderJudge:
    """A second embedder; each distinct text of a call is encoded once."""

    def __init__(self, model: embedder.Embedder):
        """Raises CallError for a model that gives no vector a text."""
        model.require_dense()
        self.model, self.name = model, str(model.name)
        marks = fingerprint.of(model.folder)
        self.key = f"{marks['weights']} {marks['settings']} {model.max_seq_length} {model.engine.name} {model.dtype}"

    def scores(self, queries: Sequence[str], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        distinct = {text: at for at, text in enumerate(dict.fromkeys(text for each in texts for text in each))}
        asked = self.model.encode(list(queries), prompt_name="query")
        found = self.model.encode(list(distinct), prompt_name="document")
        function = self.model.similarity_fn_name
        return [
            similarity.scores(query[None], found[[distinct[text] for text in each]], function, {}, None)[0]
            for query, each in zip(asked, texts, strict=True)
        ]


def load(judge: str, *, engine: str = "auto", max_seq_length: int | None = None) -> Judge:
    """The judge of a name: a model folder of either kind, a hub id, or an installed encoder.

    Raises CallError where it is neither kind, or a cross-encoder and torch is not installed.
    """
    path = locate.resolve(judge)
    config = optional_json(path / "config.json")
    names = config.get("architectures")
    kind = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    if kind.endswith(CLASSIFIER):
        if not installed("torch"):
            raise missing_extra("torch", "torch", "A cross-encoder")
        return importlib.import_module("mlx_metaembed.on_torch.cross_encoder").load(path, judge, max_seq_length)
    try:
        return EmbedderJudge(embedder.load(judge, engine=engine, max_seq_length=max_seq_length))
    except CallError as error:
        raise CallError(
            f"{judge} is no judge: a cross-encoder's config.json has one of architectures that ends in {CLASSIFIER} "
            f"(found {kind or 'none'}), and as an embedder: {error}"
        ) from None
