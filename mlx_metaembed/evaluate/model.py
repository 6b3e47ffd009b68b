"""A model measured on rows of data: each text encoded once at full width, then a line per width and per code."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.codes import files as stored_codes
from mlx_metaembed.codes.packing import bytes_per_vector
from mlx_metaembed.data.rows import Kinds
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import code_fit, similarity_kept
from mlx_metaembed.evaluate.coded import CODES, Coded, as_code, at_width, check_codes, of_codec, of_head
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.measured import Measured
from mlx_metaembed.evaluate.task import Task
from mlx_metaembed.evaluate.tasks import of
from mlx_metaembed.search import fingerprint

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

Progress = Callable[[int], object]
Sides = tuple[np.ndarray, np.ndarray]
"""Vectors of what asks and of what is stored; of scored pairs the two sentences; of labelled texts twice the same."""


def _silent(count: int) -> None:
    """No progress."""


def measure_model(
    embedder: "Embedder",
    rows: Kinds | Task,
    dims: Sequence[int] | None = None,
    codes: Sequence[str] = (),
    progress: Progress = _silent,
    sides: Sides | None = None,
    *,
    figures: Sequence[str] = (),
    draws: int = 0,
) -> list[dict]:
    """One dict per width (`"384"`), code and width (`"int8@384"`), code head and fitted code (its name).

    The arguments are those of `measured`. Raises CallError as it does.
    """
    found = measured(embedder, rows, dims, codes, progress, sides, figures=figures)
    return [each.line(draws, of(rows).seed) for each in found]


def measured(
    embedder: "Embedder",
    rows: Kinds | Task,
    dims: Sequence[int] | None = None,
    codes: Sequence[str] = (),
    progress: Progress = _silent,
    sides: Sides | None = None,
    *,
    figures: Sequence[str] = (),
) -> list[Measured]:
    """What a model does with rows at each width, as each code of each width, and by each code head.

    Judged are the task's figures, at least those in `figures` where some are named; of retrieval also what is kept of
    the full-width float32 vectors. `dims` None is the full width; `progress` hears of each step how many of the
    `texts_to_encode` are done; `sides` are what `encode` gave before. Raises CallError before anything is encoded where
    a width or code is not there.
    """
    widths = tuple(dims or (embedder.dimensions,))
    check_request(embedder, widths, codes)
    task = of(rows)
    sides = encode(embedder, task, progress=progress) if sides is None else sides
    wanted = figures or task.figures
    full = full_width(embedder, sides)
    whole = task.judge(full, wanted)
    found = []
    asks = task.sides[0][1] == "query"
    for coded in (*_each(embedder, sides, widths, codes, asks), *_fitted(embedder, full, codes)):
        judged = whole if coded.name == full.name else task.judge(coded, wanted)
        kept = _kept(task, (full, whole), (coded, judged))
        found.append(Measured(coded.name, coded.dimensions, coded.bytes_per_vector, judged, kept))
    return found


def full_width(embedder: "Embedder", sides: Sides) -> Coded:
    """The float vectors of both sides as the model compares them."""
    return at_width(*sides, embedder.dimensions, **_compared(embedder))


def check_request(embedder: "Embedder", widths: Sequence[int], codes: Sequence[str]) -> None:
    """Raise CallError for a width past the model's, or a code that neither the kit nor the model knows."""
    most = embedder.folder.dimensions
    if wrong := [str(width) for width in widths if not 1 <= width <= most]:
        raise CallError(f"Width {', '.join(wrong)}: the model gives {most} dimensions; expected at most that")
    heads = [name for name, head in embedder.heads.items() if head.gives == "code"]
    if set(codes) - {*CODES, *heads}:
        heads += stored_codes.names(code_fit.room(embedder.folder))
    check_codes(codes, heads)


def task(rows: Kinds | Task) -> str:
    """The name of what rows are for: `"retrieval"`, `"sts"`, ..."""
    return of(rows).name


def counts(rows: Kinds | Task) -> dict[str, int]:
    """How much the rows hold, in the task's own words."""
    return of(rows).counts


def texts_to_encode(rows: Kinds | Task) -> int:
    """How many texts `measure_model` encodes: each distinct one once."""
    return sum(map(len, texts_by_prompt(rows).values()))


def texts_by_prompt(rows: Kinds | Task) -> dict[str | None, list[str]]:
    """The distinct texts of rows in the order in which they are encoded, by the name of their prompt."""
    found: dict[str | None, dict[str, None]] = {}
    for texts, prompt in of(rows).sides:
        found.setdefault(prompt, {}).update(dict.fromkeys(texts))
    return {prompt: list(texts) for prompt, texts in found.items()}


def encode(embedder: "Embedder", rows: Kinds | Task, *, progress: Progress = _silent) -> Sides:
    """Both sides of the rows as the model's vectors at their own length, each distinct text encoded once."""
    found, places = {}, {}
    for prompt, texts in texts_by_prompt(rows).items():
        settings = {"prompt_name": prompt, "truncate_dim": embedder.folder.dimensions}
        found[prompt] = embedder.encode(texts, **settings, progress=progress)
        places[prompt] = {text: at for at, text in enumerate(texts)}
    first, second = (found[prompt][[places[prompt][text] for text in texts]] for texts, prompt in of(rows).sides)
    return first, second


def _each(
    embedder: "Embedder", sides: Sides, widths: Sequence[int], codes: Sequence[str], asks: bool
) -> Iterator[Coded]:
    """The sides at each width, each width as each code, and what each code head makes of them.

    `asks` says that the first side are queries.
    """
    for width in widths:
        plain = at_width(*sides, width, **_compared(embedder))
        yield plain
        yield from (as_code(name, plain) for name in codes if name in CODES)
    for name in codes:
        if name in embedder.heads and name not in CODES:
            coded = [embedder.apply(name, sides[0], query=asks), embedder.apply(name, sides[1])]
            yield of_head(name, *coded, bytes_per_vector(embedder.heads[name].levels))


def _fitted(embedder: "Embedder", full: Coded, codes: Sequence[str]) -> Iterator[Coded]:
    """The full width as each code that was fitted to the model."""
    names = [name for name in codes if name not in CODES and name not in embedder.heads]
    model = fingerprint.of(embedder.folder) if names else {}
    for name in names:
        yield of_codec(name, full, code_fit.load(embedder.folder, name, model).codec)


def _compared(embedder: "Embedder") -> dict:
    """How vectors are compared. Those that the folder leaves at their own length keep it: it is part of the score."""
    return {"similarity": embedder.folder.similarity_fn_name, "renormalize": embedder.compares_by_cosine}


def _kept(task: Task, full: tuple[Coded, Judgement], coded: tuple[Coded, Judgement]) -> dict:
    """What is left of the full-width vectors, where a task ranks a corpus."""
    (before, whole), (after, found) = full, coded
    if whole.ranked is None:
        return {}
    sides = ((before.queries, before.stored), (after.queries, after.stored))
    ndcg = (each.figures(None)[task.main] for each in (whole, found))
    return {
        "kept_spearman": similarity_kept.cosine_spearman(*sides),
        "kept_r10": similarity_kept.neighbours_kept(whole.ranked, found.ranked),
        "kept_ndcg": similarity_kept.ndcg_ratio(*ndcg),
    }
