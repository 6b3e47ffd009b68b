"""A run's rows as numbers: every distinct text once, each row pointing at its texts; tokenised into a store."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training.batches import Columns


@dataclass(frozen=True)
class TokenizedDataset:
    """Distinct texts with prompts and adapters, each row's texts by number, and keys of the texts and of the whole."""

    texts: list[str]
    prompts: list[str]
    tasks: list[int] | None
    columns: Columns
    texts_key: str
    key: str

    @property
    def stores(self) -> list[str]:
        """The folders that a run keeps its texts' tokens in, and their vectors where the trunk is frozen."""
        return [f"tokens-{self.texts_key}", f"pooled-{self.texts_key}"]

    def store(
        self,
        tokenizer: Tokenizer,
        out: Path,
        advance: Callable[[int], None],
        note: Callable[[str], None] = lambda text: None,
    ) -> Store:
        """The texts' tokens, memory-mapped, written into the run's folder where they are not there whole."""
        path = out / self.stores[0]
        return token_store.stored(path, tokenizer, self.texts, self.prompts, advance, tasks=self.tasks, note=note)


def number(pairs: Pairs, folder: ModelFolder, tokenizer: Tokenizer) -> TokenizedDataset:
    """Number a run's texts. Anchors carry the prompt "query", the others "document", where the folder has them.

    The prompts choose the adapters too, where the trunk has them.
    """
    query, document = task_adapters.chosen(folder, "query"), task_adapters.chosen(folder, "document")
    numbers: dict[tuple[tuple[str, int | None], str], int] = {}

    def column(texts: list[str], prompt: tuple[str, int | None]) -> np.ndarray:
        return np.array([numbers.setdefault((prompt, text), len(numbers)) for text in texts], np.int64)

    anchors, positives = column(pairs.anchors, query), column(pairs.positives, document)
    negatives = np.full((len(anchors), pairs.most_negatives), -1, np.int64)
    for row, texts in enumerate(pairs.negatives):
        negatives[row, : len(texts)] = column(list(texts), document)
    texts, prompts = [text for _, text in numbers], [prompt for (prompt, _), _ in numbers]
    # A text is the same on either side, and with other spaces: as a negative it would be a false one.
    plain: dict[str, int] = {}
    same = np.array([plain.setdefault(" ".join(text.split()), len(plain)) for text in texts], np.int64)
    adapters = None if query[1] is None else [task for (_, task), _ in numbers]
    key = token_store.fingerprint(folder.tokenizer(), tokenizer.max_seq_length, texts, prompts, adapters)
    rows = hashlib.sha256(key.encode() + anchors.tobytes() + positives.tobytes() + negatives.tobytes())
    return TokenizedDataset(
        texts, prompts, adapters, Columns(anchors, positives, negatives, same), key, rows.hexdigest()[:16]
    )
