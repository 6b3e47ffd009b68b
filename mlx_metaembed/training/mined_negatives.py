"""Hard negatives that are mined again while a run goes, by the model as it is then (ANCE, arXiv:2007.00808).

A data set's queries are searched in its own positives and negatives, and what `mine` would choose there takes the place
of its rows' negatives. Which rows share a batch does not hang on it. R rows, N negatives a row.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Pairs, Rows
from mlx_metaembed.engine import DENSE
from mlx_metaembed.engine.world import World
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder import SIDE
from mlx_metaembed.heads import Head
from mlx_metaembed.mining import tasks
from mlx_metaembed.mining.nearest import nearest
from mlx_metaembed.mining.part import Part
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.mining.tasks import Task
from mlx_metaembed.progress.duration import duration
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.batches import NEGATIVE, SCORES, TokenizedRows
from mlx_metaembed.training.objective import Objective

FILE, PREFIX = f"{SIDE}/negatives.safetensors", "mined/"
"""In a checkpoint those that its run went on with; what the names of measures begin with in metrics.jsonl."""
QUERIES, BLOCK = 1_024, 4_096
"""Queries and rows of the corpus that are compared together: 16 MB of scores."""
LOW = 2**16
"""Numbers are exchanged as float32, which has all whole numbers up to 2 ** 24."""

Encode = Callable[[np.ndarray], np.ndarray]
"""Vectors float32 [n, D] of texts by number, by the model as it is."""


@dataclass(frozen=True)
class MinedSet:
    """A data set that negatives are mined for: its task, the numbers of its queries' and its corpus's texts, and the
    query of each row, int64 [R]."""

    task: Task
    queries: np.ndarray
    corpus: np.ndarray
    of_row: np.ndarray

    @classmethod
    def of(cls, name: str, rows: Rows, numbers: TokenizedRows, settings: Settings) -> "MinedSet":
        """Raises CallError where the set has fewer texts than are asked for."""
        anchors, positives, negatives = (rows.texts.get(role, ()) for role in ("anchor", "positive", NEGATIVE))
        called = "data" if name == "data" else f"data {name}"
        task = tasks.of(Pairs(anchors, positives, list(negatives)), f"The {called}", None, None)
        tasks.require_enough(task, settings, f"mine_every: the {called}")
        query_of = {text: at for at, text in enumerate(task.queries)}
        number_of = dict(zip(positives, numbers.texts["positive"].tolist(), strict=True))
        for texts, own in zip(negatives, numbers.texts.get(NEGATIVE, ()), strict=True):
            number_of |= dict(zip(texts, own.tolist(), strict=False))
        of_row = np.array([query_of[anchor] for anchor in anchors], np.int64)
        queries = np.zeros(len(task.queries), np.int64)
        queries[of_row] = numbers.texts["anchor"]
        corpus = np.array([number_of[text] for text in task.corpus], np.int64)
        return cls(task, queries, corpus, of_row)


class Vectors:
    """A set's vectors as its task is searched by them: cosines, in blocks."""

    def __init__(self, queries: np.ndarray, corpus: np.ndarray):
        self.queries, self.corpus = queries, corpus

    def nearest(self, queries: range, k: int) -> tuple[np.ndarray, np.ndarray]:
        blocks = (self.corpus[first : first + BLOCK] for first in range(0, len(self.corpus), BLOCK))
        return nearest(self.queries[queries.start : queries.stop], blocks, k, "dot")

    def scores(self, queries: Sequence[int], rows: Sequence[int]) -> np.ndarray:
        return np.einsum("nd,nd->n", self.queries[list(queries)], self.corpus[list(rows)])


class MinedNegatives:
    """The negatives of a run's data sets as they are now, int64 [R, N] of text numbers by set, -1 for none.

    Those of a set that is not among `sets` are its rows' own.
    """

    def __init__(self, sets: Mapping[str, MinedSet], settings: Settings, every: int | None):
        self.sets, self.settings, self._every = sets, settings, every
        self.now: dict[str, np.ndarray] = {}

    def due(self, done: int) -> bool:
        """Whether they are mined once so many steps are done."""
        return bool(self.sets) and done % self._every == 0

    @property
    def texts(self) -> int:
        """How many texts are embedded each time."""
        return sum(len(each.queries) + len(each.corpus) for each in self.sets.values())

    def rows(self, name: str, own: TokenizedRows) -> TokenizedRows:
        """A set's rows with the negatives that they have now."""
        return replace(own, texts={**own.texts, NEGATIVE: self.now[name]}) if name in self.now else own

    def mine(self, encode: Encode, *, seed: tuple[int, int]) -> dict[str, float]:
        """What was mined, once it is in the rows' place: `{"mined/rows", "mined/margin", ...}`.

        The share of the rows that have any; of the scores of rows and negatives the means, and their distance; the
        share that was not there before (not of the first time), and seconds. `seed` are the run's and the steps done.
        """
        began, near, far, fresh = time.perf_counter(), [], [], []
        settings = replace(self.settings, seed=seed[0] << 32 | seed[1])
        for name, each in self.sets.items():
            found, scores = _mined(each, settings, encode)
            if (before := self.now.get(name)) is not None:
                fresh.append(((found[:, :, None] != before[:, None]).all(axis=2))[found >= 0])
            near.append(np.repeat(scores[0], (found >= 0).sum(axis=1)))
            far.append(scores[1][found >= 0])
            self.now[name] = found
        positive, negative = (np.concatenate(each).astype(np.float64) for each in (near, far))
        have = np.concatenate([(each >= 0).any(axis=1) for each in self.now.values()])
        said = {"rows": have.mean(), "changed": np.concatenate(fresh).mean() if fresh and len(negative) else None}
        if len(negative):
            said |= {"positive_score": positive.mean(), "negative_score": negative.mean()}
            said["margin"] = (positive - negative).mean()
        said["seconds"] = time.perf_counter() - began
        return {PREFIX + key: float(value) for key, value in said.items() if value is not None}

    def shared(self, world: World, engine: object) -> None:
        """Have on all ranks what rank 0 has mined."""
        if world.size == 1:
            return
        for name, each in self.sets.items():
            shape = (len(each.of_row), self.settings.num_negatives)
            own = self.now[name] + 1 if world.rank == 0 else np.zeros(shape, np.int64)
            high, low = (world.sum(engine.array(part.astype(np.float32))) for part in np.divmod(own, LOW))
            whole = engine.numpy(high).astype(np.int64) * LOW + engine.numpy(low).astype(np.int64)
            self.now[name] = whole.reshape(shape) - 1

    def write(self, folder: Path) -> None:
        """Keep them in a checkpoint that is being written; nothing where none are mined."""
        if self.now:
            safetensors.write(folder / FILE, self.now)

    def restore(self, checkpoint: Path, texts: int) -> None:
        """Go on with those of a checkpoint. Raises CallError where they are not of these rows."""
        for name in self.sets:
            found = safetensors.read(checkpoint / FILE).get(name)
            shape = (len(self.sets[name].of_row), self.settings.num_negatives)
            if found is None or found.shape != shape or found.dtype != np.int64 or not _within(found, texts):
                raise CallError(f"{checkpoint / FILE} has no negatives of the rows of {name}; it is damaged")
            self.now[name] = np.array(found)


def _within(numbers: np.ndarray, texts: int) -> bool:
    return not numbers.size or (numbers.min() >= -1 and numbers.max() < texts)


def names(recipe: Recipe, objectives: Sequence[Objective], heads: Mapping[str, Head]) -> list[str]:
    """The data sets that negatives are mined for: those whose losses take some; none where the recipe does not ask.

    Raises CallError where no loss takes negatives, one compares their scores, or none trains the vectors.
    """
    if not recipe.mine_every:
        return []
    found = {}
    for each in objectives:
        if SCORES in each.loss.targets:
            raise CallError(
                f"mine_every: {each.loss.kind} compares with scores of the negatives, which mined ones do not have; "
                "leave it out, or take info_nce"
            )
        if NEGATIVE in (*each.loss.roles, *each.loss.optional) and "anchor" in each.loss.roles:
            found.setdefault(each.data, []).extend(each.names)
    if not found:
        losses = ", ".join(dict.fromkeys(each.loss.kind for each in objectives))
        raise CallError(
            f"mine_every: no loss takes hard negatives ({losses}); it is for pairs with info_nce or triplet"
        )
    for name, scored in found.items():
        if all(head != DENSE and heads[head].on_tokens for head in scored):
            raise CallError(
                f"mine_every goes by the model's vectors, which no objective on the data {name} trains: "
                f"found {', '.join(scored)}"
            )
    return list(found)


def planned(rows: Mapping[str, Rows], mined: Sequence[str], recipe: Recipe) -> dict[str, Rows]:
    """The data sets as they will be trained on, where some have negatives that are mined."""
    return {name: _with_places(each, recipe.mine_negatives) if name in mined else each for name, each in rows.items()}


def _with_places(rows: Rows, count: int) -> Rows:
    """Rows with other rows' positives as their negatives: as many, and about as long, as those that will be mined."""
    positives = rows.texts["positive"]
    size = len(positives)
    places = [tuple(positives[(at + 1 + each) % size] for each in range(count)) for at in range(size)]
    return replace(rows, texts=rows.texts | {NEGATIVE: places})


def texts_of(rows: Rows) -> int:
    """How many texts of a data set are embedded at most."""
    return sum(1 for _ in rows.every_text())


def words(found: Mapping[str, float], done: int) -> str:
    """What was mined after so many steps, in words."""
    said = [f"negatives mined after step {done}, in {duration(found[f'{PREFIX}seconds'])}"]
    said.append(f"{found[f'{PREFIX}rows']:.1%} of the rows have some")
    if f"{PREFIX}changed" in found:
        said.append(f"{found[f'{PREFIX}changed']:.1%} are new")
    if f"{PREFIX}margin" in found:
        said.append(f"their scores {found[f'{PREFIX}margin']:.3f} under the positives'")
    return ", ".join(said)


def settings_of(recipe: Recipe) -> Settings:
    """What a recipe's `mine_` settings say, in the words of `mine`."""
    return Settings(
        num_negatives=recipe.mine_negatives,
        relative_margin=None if recipe.mine_margin == -1 else recipe.mine_margin,
        range_min=recipe.mine_range_min,
        range_max=recipe.mine_range_max,
        sampling_strategy=recipe.mine_sampling,
        output_format="list",
    )


def _mined(each: MinedSet, settings: Settings, encode: Encode) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The negatives of a set's rows, and the scores: of each row's query and the least of its positives, float32 [R],
    and of its negatives [R, N]."""
    vectors = Vectors(*(unit(encode(numbers)) for numbers in (each.queries, each.corpus)))
    last_rank = settings.last_rank(each.task.most_positives, judged=False)
    count = len(each.queries)
    found = np.full((count, settings.num_negatives), -1, np.int64)
    near, far = np.zeros(count, np.float32), np.zeros(found.shape, np.float32)
    for first in range(0, count, QUERIES):
        part = Part(each.task, settings, vectors, None, range(first, min(first + QUERIES, count)), last_rank)
        for query, positives, chosen in zip(part.queries, part.positives, part.chosen, strict=True):
            near[query] = min(positives)
            found[query, : len(chosen.rows)] = each.corpus[chosen.rows]
            far[query, : len(chosen.rows)] = chosen.scores
    return found[each.of_row], (near[each.of_row], far[each.of_row])
