"""Where new code heads begin: chosen on the vectors that the model gives for a sample of the run's texts."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from mlx_metaembed.engine import Engine
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import dense_weights
from mlx_metaembed.heads import Rvq, code_start, residual_start
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.layers.pooling import finish
from mlx_metaembed.training import pooled_vectors
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset

TEXTS, TEXTS_OF_CENTROIDS = 2_048, 8_192
"""Texts that a start is chosen on: where centroids are fitted, more, since few fit those that they were fitted to."""


def require(count: int, behind: PostTrunk) -> None:
    """Raise CallError where a run has fewer texts than a new head has centroids a stage."""
    for name in behind.starts:
        if isinstance(behind.heads[name], Rvq):
            residual_start.require_texts(name, behind.heads[name], count)


def sample(count: int, seed: int, behind: PostTrunk) -> np.ndarray:
    """The numbers of the texts, in order, that the new code heads' starts are chosen on."""
    fitted = any(isinstance(behind.heads[name], Rvq) for name in behind.starts)
    return np.sort(np.random.default_rng(seed).permutation(count)[: TEXTS_OF_CENTROIDS if fitted else TEXTS])


def embedded(
    engine: Engine, tokenizer: Tokenizer, numbered: TokenizedDataset, texts: Sequence[int], chunk_tokens: int
) -> np.ndarray:
    """The vectors float32 [texts, D] of the model that the engine holds, without dropout."""
    tasks = None if numbered.tasks is None else [numbered.tasks[at] for at in texts]
    store = token_store.tokenize(
        tokenizer, [numbered.texts[at] for at in texts], [numbered.prompts[at] for at in texts], tasks=tasks
    )
    settings = {"pad_id": tokenizer.pad_id, "chunk_tokens": chunk_tokens, "advance": lambda count: None}
    return np.concatenate(list(pooled_vectors.embedded(engine, store, **settings)))


def finished(pooled: np.ndarray, folder: ModelFolder, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pooled vectors [texts, D] as the folder's modules give them."""
    return finish(np.array(pooled), folder, dense_weights(folder, arrays))


def begun(
    arrays: Mapping[str, np.ndarray],
    behind: PostTrunk,
    vectors: np.ndarray,
    seed: int,
    note: Callable[[str], None],
    advance: Callable[[str, int, int], None],
) -> dict[str, np.ndarray]:
    """The arrays behind the trunk, in which new code heads begin where the vectors [texts, D] say."""
    found = dict(arrays)
    for name, start in behind.starts.items():
        head = behind.heads[name]
        if isinstance(head, Rvq):
            done = partial(advance, f"fitting {name}", 1, len(head.levels))
            own = residual_start.begun(head, vectors, seed, lambda share, done=done: done())
            note(f"Head {name}: begins at the residual code of {len(vectors):,} texts")
        else:
            chosen, own = code_start.best(vectors, head.levels, seed, start)
            if start == code_start.AUTO:
                note(f"Head {name}: begins at {chosen}, which keeps most neighbours of {len(vectors):,} texts")
        found |= {f"heads.{name}.{weight}": array for weight, array in own.items() if weight in head.shapes()}
    return found
