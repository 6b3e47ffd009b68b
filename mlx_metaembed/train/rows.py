"""A run's rows as numbers: every distinct text tokenised once, each row pointing at its texts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import tokens
from mlx_metaembed.batches import Columns
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.tokens import Store, Tokenizer


@dataclass(frozen=True)
class Rows:
    """The store, each row's texts in it, and a key that changes with any text or the tokenizer."""

    store: Store
    columns: Columns
    key: str


def number(
    pairs: Pairs,
    folder: ModelFolder,
    tokenizer: Tokenizer,
    out: Path,
    advance: Callable[[int], None] = lambda count: None,
) -> Rows:
    """Tokenise a run's texts into its folder. Anchors carry the prompt "query", others "document", where declared."""
    query, document = folder.prompts.get("query", ""), folder.prompts.get("document", "")
    numbers: dict[tuple[str, str], int] = {}

    def column(texts: list[str], prompt: str) -> np.ndarray:
        return np.array([numbers.setdefault((prompt, text), len(numbers)) for text in texts], np.int64)

    anchors, positives = column(pairs.anchors, query), column(pairs.positives, document)
    most = max((len(row) for row in pairs.negatives), default=0)
    negatives = np.full((len(anchors), most), -1, np.int64)
    for row, texts in enumerate(pairs.negatives):
        negatives[row, : len(texts)] = column(list(texts), document)
    texts, prompts = [text for _, text in numbers], [prompt for prompt, _ in numbers]
    key = tokens.fingerprint(folder.tokenizer(), tokenizer.max_seq_length, texts, prompts)
    store = tokens.stored(out / f"tokens-{key}", tokenizer, texts, prompts, advance)
    return Rows(store, Columns(anchors, positives, negatives), key)
