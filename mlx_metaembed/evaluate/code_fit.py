"""A code fitted to a model's vectors and kept in its folder, `metaembed/codes/NAME`.

A tenth of the vectors is held out: by it `auto` chooses among kinds, and it says what the code keeps. What a fit has
done lies in a folder beside the code until the code is whole, so that the same call goes on after a kill.
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
from mlx_metaembed.evaluate.code_data import Advance, Side, unheard
from mlx_metaembed.evaluate.code_kept import Reference, kept
from mlx_metaembed.evaluate.code_work import Work
from mlx_metaembed.folder import SIDE, ModelFolder

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

LEAST = 200
"""Vectors from which on a tenth is held out."""
QUERIES = 500


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
    note: Callable[[str], object] = lambda text: None,
    advance: Advance = unheard,
) -> tuple[dict, list[dict]]:
    """Fit a code, write it, and give its row (name, kind, bytes, kept_*, seconds) and a row for each kind tried.

    Raises CallError as `check` and `kinds.fit` do, JobError where the folder can't be written; what was done till then
    is kept for the next call.
    """
    with Work.opened(room(embedder.folder), asked.name, note) as work:
        vectors = work.vectors(embedder, side, asked.seed, model, advance)
        order = np.random.default_rng(asked.seed).permutation(len(vectors))
        held = len(order) // 10 if len(order) >= LEAST else 0
        asks = min(QUERIES, held // 4)
        reference = Reference(vectors[order[:asks]], vectors[order[asks:held]], seed=asked.seed) if held else None
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
        codec, row = max(found, key=lambda each: each[1].get("kept_r10", 0))
        fitted = {"texts": len(sample), "seed": asked.seed, **{key: row[key] for key in row if key.startswith("kept_")}}
        codes.save(codec, room(embedder.folder) / asked.name, model=model, fitted=fitted)
        work.done()
    return {"name": asked.name, **{key: row[key] for key in row if key != "name"}}, [each for _, each in found]


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
