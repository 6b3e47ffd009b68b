"""A model and what was measured of it; its vectors, index and classifier lie in its own folder of the cache."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import chat
import intents
import judge
import latency
import numpy as np

import mlx_metaembed
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.files import disk
from mlx_metaembed.search import cache, fingerprint
from mlx_metaembed.search import index as indexes

TIMED = 16
"""Messages that are timed."""


@dataclass(frozen=True)
class Judged:
    """A model, and what was measured of it."""

    model: Embedder
    marks: dict[str, str]
    folder: Path
    vectors: np.ndarray
    cosines: judge.Cosines
    conversation: Judgement
    row: dict

    @classmethod
    def of(
        cls, name: str, folder: Path, part: chat.Part, pairs: chat.Pairs, banks: tuple | None, engine: str
    ) -> "Judged":
        model = mlx_metaembed.load(str(folder), engine=engine, max_seq_length=64)
        marks = fingerprint.of(model.folder)
        kept = cache.folder(model.folder, str(folder), marks)
        vectors = encoded(model, part.texts, kept)
        index = indexed(model, name, part.texts, vectors, kept, marks)
        cosines = judge.cosines(vectors, part, pairs)
        conversation = judge.conversation(cosines)
        row = {"name": name, "folder": str(kept), "dimensions": model.dimensions}
        row |= judge.with_intervals(conversation)
        fitted = None
        if banks:
            taught, asked = banks
            fitted = intents.fit(model, taught, name, marks, kept)
            row |= intents.judge(fitted, encoded(model, asked.texts, kept), asked)
        row |= latency.latency(model, part.texts[:TIMED], index, fitted)
        return cls(model, marks, kept, vectors, cosines, conversation, row)


def encoded(model: Embedder, texts: list[str], kept: Path) -> np.ndarray:
    """The texts' vectors, from the model's folder of the cache where they lie there."""
    key = hashlib.sha256("\0".join([str(model.max_seq_length), *texts]).encode()).hexdigest()[:16]
    path = kept / f"vectors-{key}.npy"
    if not path.is_file():
        with disk.replacing_file(path) as partial, partial.open("wb") as file:
            np.save(file, model.encode(texts, show_progress_bar=True))
    return np.load(path)


def indexed(
    model: Embedder, name: str, texts: list[str], vectors: np.ndarray, kept: Path, marks: dict[str, str]
) -> indexes.Index:
    """The index of the texts in the model's folder of the cache, built where it is not there."""
    path = kept / f"index-{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:16]}"
    if not path.is_dir():
        ids = [str(number) for number in range(len(texts))]
        settings = {"model": name, "fingerprint": marks, "max_seq_length": model.max_seq_length}
        indexes.build(vectors, texts, ids, path, **settings)
    index = indexes.open(path)
    index.require_fingerprint(marks, name)
    return index
