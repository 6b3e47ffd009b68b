"""A model measured on rows of data: each text encoded once at full width, then a line per width and per code.

The kind of the rows decides the measures: retrieval (pairs too), similarity of scored pairs, classification.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.codes.packing import bytes_per_vector
from mlx_metaembed.data.rows import Kinds, Labelled, Pairs, Retrieval, Scored
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import classification, retrieval, similarity_kept, sts
from mlx_metaembed.evaluate.coded import CODES, Coded, as_code, at_width, check_codes, of_head
from mlx_metaembed.search.exact import score_blocks

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

K = 10
MEASURES = {
    "retrieval": (f"ndcg@{K}", f"recall@{K}", f"mrr@{K}"),
    "sts": ("spearman", "pearson"),
    "classification": ("accuracy", "macro_f1"),
}
"""What each task is measured by."""
Progress = Callable[[int], object]
Sides = tuple[np.ndarray, np.ndarray]
"""Vectors of the queries and of what is stored; of scored pairs the two sentences; of labelled texts twice the same."""


def _silent(count: int) -> None:
    """No progress."""


def measure_model(
    embedder: "Embedder",
    rows: Kinds,
    dims: Sequence[int] | None = None,
    codes: Sequence[str] = (),
    progress: Progress = _silent,
    sides: Sides | None = None,
) -> list[dict]:
    """One dict per width (`"384"`), code and width (`"int8@384"`) and code head (its name).

    Each has name, dimensions, bytes_per_vector and the task's measures; retrieval adds what is kept of the full-width
    float32 vectors: kept_spearman, kept_r10, kept_ndcg. `dims` None is the full width; `progress` hears of each step
    how many of the `texts_to_encode` are done; `sides` are what `encode` gave before. Raises CallError before anything
    is encoded where a width or code is not there.
    """
    widths = tuple(dims or (embedder.dimensions,))
    check_request(embedder, widths, codes)
    rows = rows.retrieval() if isinstance(rows, Pairs) else rows
    sides = encode(embedder, rows, progress=progress) if sides is None else sides
    # Vectors that the folder leaves at their own length are cut as they are: their length is part of the score.
    settings = {"similarity": embedder.folder.similarity_fn_name, "renormalize": embedder.compares_by_cosine}
    measure = _measure(rows, at_width(*sides, embedder.dimensions, **settings))
    lines = []
    for width in widths:
        plain = at_width(*sides, width, **settings)
        lines.append(measure(plain))
        lines += [measure(as_code(name, plain)) for name in codes if name in CODES]
    lines += [measure(coded) for coded in _heads(embedder, sides, codes)]
    return lines


def check_request(embedder: "Embedder", widths: Sequence[int], codes: Sequence[str]) -> None:
    """Raise CallError for a width past the model's, or a code that neither the kit nor the model knows."""
    most = embedder.folder.dimensions
    if wrong := [str(width) for width in widths if not 1 <= width <= most]:
        raise CallError(f"Width {', '.join(wrong)}: the model gives {most} dimensions; expected at most that")
    check_codes(codes, [name for name, head in embedder.heads.items() if head.gives == "code"])


def task(rows: Kinds) -> str:
    """`"retrieval"`, `"sts"` or `"classification"`."""
    return {Scored: "sts", Labelled: "classification"}.get(type(rows), "retrieval")


def measures(rows: Kinds) -> tuple[str, ...]:
    """The names of what rows are measured by, the one that people report first; more is better."""
    return MEASURES[task(rows)]


def counts(rows: Kinds) -> dict[str, int]:
    """How much the rows hold, in the task's own words."""
    if isinstance(rows, Scored):
        return {"pairs": len(rows.scores)}
    if isinstance(rows, Labelled):
        return {"texts": len(rows.texts), "labels": len(set(rows.labels))}
    found = rows.retrieval() if isinstance(rows, Pairs) else rows
    return {"queries": len(found.queries), "corpus": len(found.corpus)}


def notes(rows: Kinds) -> list[str]:
    """What the reader of the rows had to say, and which texts no ranking has."""
    said = list(rows.notes)
    if isinstance(rows, Retrieval) and rows.itself:
        said.append(
            f"{len(rows.itself):,} queries have the same id as a text of the corpus; that text is left out of their "
            "rankings, as BEIR does with identical ids"
        )
    return said


def texts_to_encode(rows: Kinds) -> int:
    """How many texts `measure_model` encodes: each distinct one once."""
    return sum(map(len, texts_by_prompt(rows).values()))


def texts_by_prompt(rows: Kinds) -> dict[str | None, list[str]]:
    """The distinct texts of rows in the order in which they are encoded, by the name of their prompt."""
    found = rows.retrieval() if isinstance(rows, Pairs) else rows
    if isinstance(found, Retrieval):
        sides: dict[str | None, list[str]] = {"query": found.queries, "document": found.corpus}
    else:
        sides = {None: found.texts if isinstance(found, Labelled) else [*found.sentence1, *found.sentence2]}
    return {prompt: list(dict.fromkeys(texts)) for prompt, texts in sides.items()}


def encode(embedder: "Embedder", rows: Kinds, *, progress: Progress = _silent) -> Sides:
    """Both sides of the rows as the model's vectors at their own length, each distinct text encoded once."""

    def vectors(texts: Sequence[str], prompt: str | None = None) -> np.ndarray:
        distinct = list(dict.fromkeys(texts))
        place = {text: at for at, text in enumerate(distinct)}
        width = embedder.folder.dimensions
        found = embedder.encode(distinct, prompt_name=prompt, truncate_dim=width, progress=progress)
        return found[[place[text] for text in texts]]

    if isinstance(rows, Retrieval):
        return vectors(rows.queries, "query"), vectors(rows.corpus, "document")
    if isinstance(rows, Labelled):
        found = vectors(rows.texts)
        return found, found
    both = vectors([*rows.sentence1, *rows.sentence2])
    return both[: len(rows.sentence1)], both[len(rows.sentence1) :]


def _heads(embedder: "Embedder", sides: Sides, codes: Sequence[str]) -> Iterator[Coded]:
    for name in codes:
        if name not in CODES:
            coded = [embedder.apply(name, vectors) for vectors in sides]
            yield of_head(name, *coded, bytes_per_vector(embedder.heads[name].levels))


def _measure(rows: Kinds, full: Coded) -> Callable[[Coded], dict]:
    """The function from a `Coded` to its line; for retrieval it holds the full-width result to compare with."""
    if isinstance(rows, Scored):
        return lambda coded: _facts(coded) | sts.measure(coded.queries, coded.stored, rows.scores)
    if isinstance(rows, Labelled):
        return lambda coded: _facts(coded) | classification.measure(coded.queries, coded.stored, rows.labels, K)

    def of(coded: Coded) -> tuple[np.ndarray, dict[str, float]]:
        blocks = score_blocks(coded.queries, coded.stored, similarity=coded.similarity)
        ranked = retrieval.ranked_without(blocks, rows.itself, K)
        return ranked, retrieval.measure_ranked(ranked, rows.relevant, K)

    nearest, best = of(full)
    sides = (full.queries, full.stored)

    def line(coded: Coded) -> dict:
        ranked, found = (nearest, best) if coded.name == full.name else of(coded)
        kept = {
            "kept_spearman": similarity_kept.cosine_spearman(sides, (coded.queries, coded.stored)),
            "kept_r10": similarity_kept.neighbours_kept(nearest, ranked),
            "kept_ndcg": similarity_kept.ndcg_ratio(best[f"ndcg@{K}"], found[f"ndcg@{K}"]),
        }
        return _facts(coded) | found | kept

    return line


def _facts(coded: Coded) -> dict:
    return {"name": coded.name, "dimensions": coded.dimensions, "bytes_per_vector": coded.bytes_per_vector}
