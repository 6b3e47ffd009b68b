"""The model in a run's engine, as it stands, with the words of an Embedder that measuring uses.

No weights are copied: what trains is what is measured. Texts are tokenised once, into the run's folder.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.engine import Engine
from mlx_metaembed.engine.head_outputs import head_outputs
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.heads import Head
from mlx_metaembed.heads.encoding import CHUNK_TOKENS
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training import pooled_vectors

Advance = Callable[[int], None]


def _silent(count: int) -> None:
    """No progress."""


@dataclass
class Side:
    """The texts of one prompt, how they are tokenised, and what they are once that is done.

    `vectors` are pooled ones, where the trunk is frozen whole.
    """

    texts: list[str]
    prompt: str
    task: int | None
    tokenizer: Tokenizer
    key: str
    store: Store | None = None
    vectors: np.ndarray | None = None


@dataclass
class EngineModel:
    """`encode` gives vectors of texts that were named before; `folder` and `heads` are the run's."""

    folder: ModelFolder
    heads: Mapping[str, Head]
    sides: dict[str | None, Side]
    engine: Engine | None = None
    chunk_tokens: int = CHUNK_TOKENS

    @classmethod
    def of(
        cls,
        folder: ModelFolder,
        heads: Mapping[str, Head],
        tokenizer: Tokenizer,
        texts: Mapping[str | None, Sequence[str]],
    ) -> "EngineModel":
        """The model before it has an engine; `texts` are all that it will encode, by prompt."""
        lengths = {"query": folder.query_length, "document": folder.document_length}
        sides = {}
        for name, each in texts.items():
            prompt, task = task_adapters.chosen(folder, name)
            own = Tokenizer(folder, lengths[name]) if lengths.get(name) else tokenizer
            tasks = None if task is None else [task] * len(each)
            key = token_store.fingerprint(folder.tokenizer(), own.max_seq_length, each, [prompt] * len(each), tasks)
            sides[name] = Side(list(each), prompt, task, own, key)
        return cls(folder, heads, sides)

    @property
    def dimensions(self) -> int:
        return self.folder.output_dimensions

    @property
    def compares_by_cosine(self) -> bool:
        return self.folder.compares_by_cosine

    @property
    def stores(self) -> list[str]:
        """The folders that a run keeps the texts' tokens in, and their vectors where the trunk is frozen."""
        return [f"{what}-{side.key}" for side in self.sides.values() for what in ("tokens", "pooled")]

    def tokenize(self, out: Path, advance: Advance, note: Callable[[str], None]) -> None:
        """Tokenise the texts into the run's folder where their tokens are not there whole."""
        for side in self.sides.values():
            prompts = [side.prompt] * len(side.texts)
            tasks = None if side.task is None else [side.task] * len(side.texts)
            path = out / f"tokens-{side.key}"
            side.store = token_store.stored(path, side.tokenizer, side.texts, prompts, advance, tasks=tasks, note=note)

    def pool(self, out: Path, engine: Engine, chunk_tokens: int, advance: Advance, note: Callable[[str], None]) -> None:
        """Keep what the trunk gives for every text: an engine without its Dense modules, which loses it after this."""
        for side in self.sides.values():
            side.vectors = pooled_vectors.stored(
                out / f"pooled-{side.key}",
                engine,
                side.store,
                pad_id=side.tokenizer.pad_id,
                chunk_tokens=min(chunk_tokens, CHUNK_TOKENS),
                advance=advance,
                note=note,
            )

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
        progress: Advance = _silent,
    ) -> np.ndarray:
        """Vectors float32 [texts, D] of one prompt's texts, without dropout.

        Raises FloatingPointError where they are not finite.
        """
        side = self.sides[prompt_name]
        if side.vectors is None:
            settings = {"pad_id": side.tokenizer.pad_id, "chunk_tokens": min(self.chunk_tokens, CHUNK_TOKENS)}
            windows = list(pooled_vectors.embedded(self.engine, side.store, **settings, advance=progress))
        else:
            every = np.arange(len(side.vectors))
            windows = list(pooled_vectors.finished(self.engine, self.folder, side.vectors, every, advance=progress))
        found = np.concatenate(windows)
        if not np.isfinite(found).all():
            raise FloatingPointError("the vectors of eval_data are not finite")
        return found[:, :truncate_dim]

    def apply(self, head: str, vectors: np.ndarray, *, query: bool = False) -> np.ndarray:
        """A head's output for vectors [n, D]; with `query`, of a code head, what queries are compared as."""
        return head_outputs(self.engine, head, vectors, query=query)
