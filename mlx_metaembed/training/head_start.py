"""Where new heads begin: codes and probes by the vectors that the model gives for a sample of the run's texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mlx_metaembed.engine import Engine
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import dense_weights
from mlx_metaembed.heads import Classification, Head, Rvq, code_start, probe_start, residual_start
from mlx_metaembed.heads.probe_start import PROBE
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.layers.pooling import finish
from mlx_metaembed.training import pooled_vectors
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import TEXT, Objective
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset

TEXTS, TEXTS_OF_CENTROIDS, PROBED = 2_048, 8_192, 4_096
"""Texts that codes are chosen on (centroids of few texts would fit those alone), and rows that a probe learns from."""
TAUGHT = ("score", "label")
"""The targets that a probe can learn."""


def require(count: int, behind: PostTrunk) -> None:
    """Raise CallError where a run has fewer texts than a new head has centroids a stage."""
    for name in behind.starts:
        if isinstance(behind.heads[name], Rvq):
            residual_start.require_texts(name, behind.heads[name], count)


@dataclass(frozen=True)
class Sample:
    """Numbers of a run's texts, each once, in order: all that are embedded, those that codes are chosen on, and what a
    head's probe is of: text numbers and targets, both [n].
    """

    texts: np.ndarray
    coded: np.ndarray
    probed: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Where among `texts` some of them stand."""
        return np.searchsorted(self.texts, numbers)


def sample(behind: PostTrunk, objectives: Sequence[Objective], numbered: TokenizedDataset, seed: int) -> Sample:
    """The texts by whose vectors the new heads of a run begin."""
    random = np.random.default_rng(seed)
    coded = np.zeros(0, np.int64)
    if codes := [behind.heads[name] for name, start in behind.starts.items() if start != PROBE]:
        most = TEXTS_OF_CENTROIDS if any(isinstance(head, Rvq) for head in codes) else TEXTS
        coded = np.sort(random.permutation(len(numbered.texts))[:most])
    probed = {}
    for name in (name for name, start in behind.starts.items() if start == PROBE):
        if found := _targets(name, objectives, numbered):
            chosen = np.sort(random.permutation(len(found[1]))[:PROBED])
            probed[name] = tuple(each[chosen] for each in found)
    every = [coded, *(texts for texts, _ in probed.values())]
    return Sample(np.unique(np.concatenate(every)), coded, probed)


def _targets(
    name: str, objectives: Sequence[Objective], numbered: TokenizedDataset
) -> tuple[np.ndarray, np.ndarray] | None:
    """The texts and targets, both [n], of the first objective that teaches a head a number or a class of a text."""
    for each in objectives:
        rows, role = numbered.rows[each.data], each.texts if TEXT in each.loss.roles else TEXT
        target = next((name for name in each.loss.targets if name in TAUGHT), None)
        if each.head == name and target and role in rows.texts:
            texts, targets = rows.texts[role], np.asarray(rows.targets[target])
            known = targets >= 0 if target == "label" else np.isfinite(targets)
            return texts[known], targets[known]
    return None


def embedded(
    engine: Engine,
    tokenizer: Tokenizer,
    numbered: TokenizedDataset,
    texts: Sequence[int],
    chunk_tokens: int,
    advance: Callable[[int], None],
) -> np.ndarray:
    """The vectors float32 [texts, D] of the model that the engine holds, without dropout; `advance` hears how many."""
    tasks = None if numbered.tasks is None else [numbered.tasks[at] for at in texts]
    store = token_store.tokenize(
        tokenizer, [numbered.texts[at] for at in texts], [numbered.prompts[at] for at in texts], tasks=tasks
    )
    settings = {"pad_id": tokenizer.pad_id, "chunk_tokens": chunk_tokens, "advance": advance}
    return np.concatenate(list(pooled_vectors.embedded(engine, store, **settings)))


def finished(pooled: np.ndarray, folder: ModelFolder, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pooled vectors [texts, D] as the folder's modules give them."""
    return finish(np.array(pooled), folder, dense_weights(folder, arrays))


def begun(
    arrays: Mapping[str, np.ndarray],
    behind: PostTrunk,
    sample: Sample,
    vectors: np.ndarray,
    seed: int,
    note: Callable[[str], None],
    advance: Callable[[str, int, int], None],
) -> dict[str, np.ndarray]:
    """The arrays behind the trunk, in which new heads begin where the vectors [texts, D] of a sample say."""
    found = dict(arrays)
    coded = vectors[sample.rows(sample.coded)]
    for name, start in behind.starts.items():
        head = behind.heads[name]
        if start == PROBE:
            own = _probe(head, vectors, sample, name)
        elif isinstance(head, Rvq):
            done = partial(advance, f"fitting {name}", 1, len(head.levels))
            own = residual_start.begun(head, coded, seed, lambda share, done=done: done())
            note(f"Head {name}: begins at the residual code of {len(coded):,} texts")
        else:
            chosen, own = code_start.best(coded, head.levels, seed, start)
            if start == code_start.AUTO:
                note(f"Head {name}: begins at {chosen}, which keeps most neighbours of {len(coded):,} texts")
        found |= {f"heads.{name}.{weight}": array for weight, array in own.items() if weight in head.shapes()}
    return found


def _probe(head: Head, vectors: np.ndarray, sample: Sample, name: str) -> dict[str, np.ndarray]:
    """The weights of a head of scores at the probe of its targets; none where no objective has any."""
    if name not in sample.probed:
        return {}
    texts, targets = sample.probed[name]
    x = vectors[sample.rows(texts)]
    if isinstance(head, Classification):
        return probe_start.classification(x, targets, len(head.labels))
    return probe_start.regression(x, targets)
