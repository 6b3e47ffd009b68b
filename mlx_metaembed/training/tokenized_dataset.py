"""A run's rows as numbers: every distinct text once, each row pointing at its texts; tokenised into a store."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.data.rows import Rows
from mlx_metaembed.data.same_text import plain
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training.batches import TokenizedRows

Prompt = tuple[str, int | None]
"""The text before a text, and the number of its task's adapter (see folder/task_adapters.py)."""
ROWS_AT_ONCE = 1 << 12
SIDES = {"anchor": "query", "positive": "document", "negative": "document"}
"""The prompt of the folder's that a role has; others have the default one."""


@dataclass(frozen=True)
class TokenizedDataset:
    """Distinct texts of all data sets with prompts and adapters, each set's rows by number, and keys of the texts and
    of the whole."""

    texts: list[str]
    prompts: list[str]
    tasks: list[int] | None
    rows: dict[str, TokenizedRows]
    texts_key: str
    key: str

    @property
    def stores(self) -> list[str]:
        """The folders that a run keeps its texts' tokens in, and their vectors: where the trunk is frozen its own, and
        the base's where that teaches.
        """
        return [f"tokens-{self.texts_key}", f"pooled-{self.texts_key}", self.base_store]

    @property
    def base_store(self) -> str:
        """The folder of the base's vectors."""
        return f"base-{self.texts_key}"

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


def number(
    sources: Mapping[str, Rows],
    folder: ModelFolder,
    tokenizer: Tokenizer,
    prompts: Mapping[str, Mapping[str, str]] | None = None,
) -> TokenizedDataset:
    """Number the texts of a run's data sets. Anchors carry the folder's prompt "query", positives and negatives
    "document", or what `prompts` has for the set and the role.

    The prompts choose the adapters too, where the trunk has them.
    """
    numbers: dict[tuple[Prompt, str], int] = {}
    found = {
        name: {
            role: _numbered(texts, _prompt(folder, role, (prompts or {}).get(name)), numbers)
            for role, texts in rows.texts.items()
        }
        for name, rows in sources.items()
    }
    texts, spelled = [text for _, text in numbers], [prompt for (prompt, _), _ in numbers]
    # A text is the same on either side, and with other spaces: as a negative it would be a false one.
    known: dict[str, int] = {}
    same = np.array([known.setdefault(plain(text), len(known)) for text in texts], np.int64)
    adapters = [task for (_, task), _ in numbers] if task_adapters.names(folder.config) else None
    key = token_store.fingerprint(folder.tokenizer(), tokenizer.max_seq_length, texts, spelled, adapters)
    rows = {name: TokenizedRows(by_role, sources[name].targets, same) for name, by_role in found.items()}
    return TokenizedDataset(texts, spelled, adapters, rows, key, _key(key, sources, found))


def _key(texts_key: str, sources: Mapping[str, Rows], numbered: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """16 hex digits for the texts and for every set's rows: which texts, which targets, and what labels are called."""
    digest = hashlib.sha256(texts_key.encode())
    for name, by_role in numbered.items():
        digest.update(repr((name, sources[name].labels)).encode())
        for role, array in (*by_role.items(), *sources[name].targets.items()):
            digest.update(f"{role} {array.dtype.str} {array.shape}".encode())
            # Teachers' vectors may be larger than memory.
            for first in range(0, len(array), ROWS_AT_ONCE):
                digest.update(array[first : first + ROWS_AT_ONCE].tobytes())
    return digest.hexdigest()[:16]


def _prompt(folder: ModelFolder, role: str, own: Mapping[str, str] | None) -> Prompt:
    text, task = task_adapters.chosen(folder, SIDES.get(role))
    return (text if own is None else own.get(role, "")), task


def _numbered(
    texts: Sequence[str | tuple[str, ...]], prompt: Prompt, numbers: dict[tuple[Prompt, str], int]
) -> np.ndarray:
    """The numbers of texts int64 [R], or of some a row [R, N], -1 where a row has fewer; new texts get the next."""
    if not texts or isinstance(texts[0], str):
        return np.array([numbers.setdefault((prompt, text), len(numbers)) for text in texts], np.int64)
    found = np.full((len(texts), max(map(len, texts))), -1, np.int64)
    for row, several in enumerate(texts):
        found[row, : len(several)] = [numbers.setdefault((prompt, text), len(numbers)) for text in several]
    return found
