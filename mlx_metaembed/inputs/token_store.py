"""Texts as token ids in a memory-mapped store, tokenised once.

A store is two files: all ids in a row (int32), and where each text starts (int64). It is complete or absent.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.files import checksums, npy
from mlx_metaembed.inputs import tokenizer_files
from mlx_metaembed.inputs.tokenizer import Tokenizer, require_texts

TEXTS_AT_ONCE = 256
"""A tokenizer's answers take some two hundred bytes a token until their ids are taken."""


@dataclass(frozen=True)
class Store:
    """Token ids of texts: `ids` int32 [total], `starts` int64 [texts + 1], prompt tokens not to pool.

    `tasks` int32 [texts] is the number of each text's adapter, -1 for none; None where the trunk has no adapters.
    """

    ids: np.ndarray
    starts: np.ndarray
    prompts: np.ndarray
    tasks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> np.ndarray:
        return self.ids[self.starts[text] : self.starts[text + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64."""
        return np.diff(self.starts)


def tokenize(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    prompts: Sequence[str] | str = "",
    advance: Callable[[int], None] = lambda count: None,
    *,
    tasks: Sequence[int] | int | None = None,
) -> Store:
    """A store in memory. `prompts`: one for all texts or one a text, put before it; `tasks` likewise (see `Store`)."""
    require_texts(texts)
    each = [prompts] * len(texts) if isinstance(prompts, str) else prompts
    leading = {prompt: tokenizer.prompt_tokens(prompt) for prompt in set(each)}
    rows: list[np.ndarray] = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        part = slice(first, first + TEXTS_AT_ONCE)
        joined = [prompt + text for prompt, text in zip(each[part], texts[part], strict=True)]
        rows += [np.array(ids, np.int32) for ids in tokenizer(joined)]
        advance(len(joined))
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    ids = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    adapters = None if tasks is None else np.array(np.broadcast_to(tasks, len(texts)), np.int32)
    return Store(ids, starts, np.array([leading[prompt] for prompt in each], np.int32), adapters)


def stored(
    path: Path,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    prompts: Sequence[str],
    advance: Callable[[int], None] = lambda count: None,
    *,
    tasks: Sequence[int] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Store:
    """The memory-mapped store in the folder `path`, tokenised and written first where it is not there whole.

    `note` hears of a damaged one.
    """
    names = ("ids", "starts", "prompts") if tasks is None else ("ids", "starts", "prompts", "tasks")

    def make(partial: Path) -> None:
        store = tokenize(tokenizer, texts, prompts, advance, tasks=tasks)
        for name in names:
            npy.save(partial / f"{name}.npy", getattr(store, name))

    checksums.kept(path, make, note)
    return Store(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in names))


def fingerprint(
    tokenizer_file: Path,
    max_seq_length: int,
    texts: Sequence[str],
    prompts: Sequence[str],
    tasks: Sequence[int] | None = None,
) -> str:
    """A key of 16 hex digits for what a store holds: the tokenizer's files, the length, each text, prompt and task."""
    digest = hashlib.sha256()
    for path in (tokenizer_file.with_name(name) for name in tokenizer_files.FILES):
        digest.update(path.read_bytes() if path.is_file() else b"")
    digest.update(str(max_seq_length).encode())
    if tasks is not None:
        digest.update(str(list(tasks)).encode())
    for prompt, text in zip(prompts, texts, strict=True):
        digest.update(f"{len(prompt)}:{prompt}{len(text)}:{text}".encode())
    return digest.hexdigest()[:16]
