"""A code fitted to a model's vectors and kept in its folder, `metaembed/codes/NAME`.

A tenth of the vectors is held out: by it `auto` chooses among kinds, and it says what the code keeps: of nDCG where
enough queries with judgements are answered there, else of neighbours. What a fit has done lies in a folder beside the
code until the code is whole, so that the same call goes on after a kill.
"""

import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.codes import files as codes
from mlx_metaembed.codes import kinds
from mlx_metaembed.codes.codec import Codec
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.code_data import Advance, Judged, Side, unheard
from mlx_metaembed.evaluate.code_kept import Reference, kept
from mlx_metaembed.evaluate.code_work import Work
from mlx_metaembed.folder import SIDE, ModelFolder

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

LEAST = 200
"""Vectors from which on a tenth is held out."""
QUERIES = 500
LEAST_JUDGED = 20
"""Queries with judgements from which on a kind is chosen by nDCG."""
BY_NDCG, BY_NEIGHBOURS = "kept_ndcg", "kept_r10"


@dataclass(frozen=True)
class Settings:
    """What is asked: a kind or `auto`, bytes a vector, the code's name."""

    kind: str
    size: int
    name: str
    seed: int = 0


def room(folder: ModelFolder) -> Path:
    """Where a model's codes lie."""
    return folder.path / SIDE / codes.ROOM


def load(folder: ModelFolder, name: str, model: dict[str, str]) -> codes.Stored:
    """A code of a model by its name. Raises CallError where there is none, it is damaged, or is another model's."""
    codes.require_name(name)
    path = room(folder) / name
    stored = codes.load(path)
    codes.require_model(stored, model, path)
    if stored.codec.dimensions != folder.dimensions:
        raise CallError(
            f"The code {path} takes {stored.codec.dimensions} dimensions; the model gives {folder.dimensions}"
        )
    return stored


def check(folder: ModelFolder, asked: Settings) -> None:
    """Raise CallError for a kind, a size or a name that can't be, before anything is encoded."""
    kinds.require_kinds([asked.kind], auto=True)
    kinds.require_bytes([asked.size], folder.dimensions)
    if asked.kind != kinds.AUTO:
        kinds.require(asked.kind, asked.size, folder.dimensions)
    codes.require_name(asked.name)
    if (room(folder) / asked.name).exists():
        raise CallError(
            f"The model has a code {asked.name!r} already: {room(folder) / asked.name}. Choose another "
            "--name, or remove that folder"
        )


def fit(
    embedder: "Embedder",
    side: Side,
    asked: Settings,
    model: dict[str, str],
    *,
    judged: Judged | None = None,
    note: Callable[[str], object] = lambda text: None,
    advance: Advance = unheard,
) -> tuple[dict, list[dict]]:
    """Fit a code, write it, and give its row (name, kind, bytes, kept_*, seconds, the figure that several kinds were
    chosen by) and a row for each kind tried.

    `judged` are queries that rows of `side` answer.

    Raises CallError as `check` and `kinds.fit` do, JobError where the folder can't be written; what was done till then
    is kept for the next call.
    """
    with Work.opened(room(embedder.folder), asked.name, note) as work:
        vectors = work.vectors(embedder, side, asked.seed, model, advance)
        order = np.random.default_rng(asked.seed).permutation(len(vectors))
        held = len(order) // 10 if len(order) >= LEAST else 0
        reference = _reference(embedder, vectors, order[:held], judged, asked.seed, note) if held else None
        sample = vectors[np.sort(order[held:])]
        if len(sample) < 10 * embedder.folder.dimensions:
            note(
                f"{len(sample):,} vectors are few to fit a code of {embedder.folder.dimensions} dimensions on; "
                "some thousand give a better one"
            )
        names = [asked.kind] if asked.kind != kinds.AUTO else kinds.candidates(asked.size, embedder.folder.dimensions)
        if not held:
            note(f"{len(order):,} texts are too few to hold a tenth out; {names[0]} is what is expected to be best")
            names = names[:1]
        found = list(_tried(reference, sample, names, asked, work.stages, note, advance))
        if not found:
            raise CallError(f"No kind could be fitted for {asked.size:,} bytes; see what is said above")
        by = BY_NDCG if BY_NDCG in found[0][1] else BY_NEIGHBOURS
        codec, row = max(found, key=lambda each: (each[1].get(by, 0), each[1].get(BY_NEIGHBOURS, 0)))
        fitted = {"texts": len(sample), "seed": asked.seed, **{key: row[key] for key in row if key.startswith("kept_")}}
        codes.save(codec, room(embedder.folder) / asked.name, model=model, fitted=fitted)
        work.done()
    chosen = {"chosen_by": by} if len(found) > 1 else {}
    made = {"name": asked.name, **{key: row[key] for key in row if key != "name"}, **chosen}
    return made, [each for _, each in found]


def _reference(
    embedder: "Embedder",
    vectors: np.ndarray,
    held: np.ndarray,
    judged: Judged | None,
    seed: int,
    note: Callable[[str], object],
) -> Reference:
    """What kinds are judged by on the vectors held out: queries that they answer, or else some of them as queries."""
    if judged:
        left = judged.among(held, QUERIES, seed)
        if len(left.queries) >= LEAST_JUDGED:
            queries = left.queries.encoded(embedder, lambda count: None)
            return Reference(queries, vectors[held], left.relevant, left.itself, seed)
        note(f"{len(left.queries)} queries are answered by the texts held out, too few to choose a kind by their nDCG")
    asks = min(QUERIES, len(held) // 4)
    return Reference(vectors[held[:asks]], vectors[held[asks:]], seed=seed)


def _tried(
    reference: Reference | None,
    sample: np.ndarray,
    names: list[str],
    asked: Settings,
    stages: Callable[[str], MutableMapping[int, np.ndarray]],
    note: Callable[[str], object],
    advance: Advance,
) -> Iterator[tuple[Codec, dict]]:
    for kind in names:
        began, said = time.perf_counter(), 0

        def told(share: float, kind: str = kind) -> None:
            nonlocal said
            if (done := round(100 * share)) > said:
                advance(f"fitting {kind}", done - said, 100, "hundredths")
                said = done

        try:
            codec = kinds.fit(kind, sample, asked.size, seed=asked.seed, told=told, stages=stages(kind))
        except CallError as error:
            if len(names) == 1:
                raise
            note(f"{kind} is left out: {error}")
            continue
        row = {"name": f"{kind}@{codec.bytes_per_vector}", "kind": kind, "bytes_per_vector": codec.bytes_per_vector}
        if reference:
            stored = codec.encode(reference.searched)
            row |= kept(reference, lambda queries, codec=codec, stored=stored: codec.score(queries, stored))
        yield codec, row | {"seconds": time.perf_counter() - began}
