"""Texts to token ids, once, in a memory-mapped store.

A store is two files: all ids in a row (int32), and where each text starts (int64). It is complete or absent.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import architecture, disk, post_processor, towers
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder

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


class Tokenizer:
    """A folder's `tokenizer.json`, cutting at a length; padding is the batches' business."""

    def __init__(self, folder: ModelFolder, max_seq_length: int | None = None):
        """Raises CallError where tokenizer.json is missing or broken, or gives ids past the embedding."""
        from tokenizers import Tokenizer as Fast

        path = folder.tokenizer()
        disk.require_file(path, disk.MOST_TOKENIZER_BYTES)
        try:
            self._fast = Fast.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise CallError(f"{path} is no tokenizer file: {error}") from None
        post_processor.require_text_once(path, self._fast)
        config = folder.architecture
        rows = config.get("vocab_size")
        largest = max(self._fast.get_vocab(with_added_tokens=True).values(), default=0)
        if rows is not None and largest >= rows:
            raise CallError(
                f"{path} gives ids up to {largest}, but the word embedding has {rows} rows; "
                "the tokenizer belongs to another model"
            )
        self.max_seq_length = max_seq_length or folder.max_seq_length
        if self.max_seq_length > folder.max_seq_length and max_seq_length:
            longest = architecture.positions(folder.config)
            if self.max_seq_length > longest:
                raise CallError(f"max_seq_length = {max_seq_length}, but the model has {longest} positions")
        self._fast.no_padding()
        self._fast.enable_truncation(self.max_seq_length)
        self._lower = folder.do_lower_case
        # Older configurations say -1 where there is no such token; what stands at padding is masked.
        self.pad_id = max(config.get("pad_token_id") or 0, 0)
        self._end = towers.ends(folder.config) if folder.is_tower else None
        if folder.is_tower and towers.always_padded(folder.config):
            self.pad_id = self._padding(folder, self.pad_id)
            self._fast.enable_padding(length=architecture.positions(folder.config), pad_id=self.pad_id)
        self.include_prompt = folder.include_prompt
        self.special_tokens = self._fast.num_special_tokens_to_add(is_pair=False)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut at `max_seq_length`.

        CLIP pools where a text first ends, and no token sees what follows it: there it is cut. SigLIP attends to
        padding: it is part of a text.
        """
        texts = [text.lower() for text in texts] if self._lower else list(texts)
        found = [encoding.ids for encoding in self._fast.encode_batch_fast(texts)]
        return found if self._end is None else [self._ended(ids) for ids in found]

    def _ended(self, ids: list[int]) -> list[int]:
        """The ids up to the first that ends a text."""
        end = max(ids, default=0) if self._end == towers.LEGACY_END else self._end
        return ids[: ids.index(end) + 1] if end in ids else ids

    def _padding(self, folder: ModelFolder, otherwise: int) -> int:
        """The id of the padding token that the tokenizer's own files name."""
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            path = folder.trunk_path / name
            named = disk.optional_json(path).get("pad_token")
            token = named.get("content") if isinstance(named, dict) else named
            if isinstance(token, str) and (found := self._fast.token_to_id(token)) is not None:
                return found
        return otherwise

    @property
    def vocabulary(self) -> dict[int, str]:
        """The tokens by id."""
        return {id: token for token, id in self._fast.get_vocab(with_added_tokens=True).items()}

    def id_of(self, token: str) -> int | None:
        """The id of one token as the vocabulary spells it; None where it has none."""
        return self._fast.token_to_id(token)

    def prompt_tokens(self, prompt: str) -> int:
        """How many leading tokens the pooling leaves out for a prompt; 0 where prompts are pooled."""
        if self.include_prompt or not prompt:
            return 0
        return len(self([prompt])[0]) - (1 if self.special_tokens else 0)


SPECIAL = {
    "cls": ("<s>", "[CLS]"),
    "eos": ("</s>",),
    "pad": ("<pad>", "[PAD]"),
    "unk": ("<unk>", "[UNK]"),
    "mask": ("<mask>", "[MASK]"),
}
"""The usual spellings of special tokens, for folders that do not say theirs."""


def special_token(folder: Path, role: str, known: Callable[[str], int | None]) -> str | None:
    """A special token (`mask`, `cls`, ...) as the tokenizer's files name it; else its usual spelling, if it is `known`.

    None where there is none.
    """
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        said = disk.read_json(folder / name) if (folder / name).is_file() else {}
        found = said.get(f"{role}_token") if isinstance(said, dict) else None
        found = found.get("content") if isinstance(found, dict) else found
        if isinstance(found, str):
            return found
    return next((token for token in SPECIAL[role] if known(token) is not None), None)


def tokenize(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    prompts: Sequence[str] | str = "",
    advance: Callable[[int], None] = lambda count: None,
    *,
    tasks: Sequence[int] | int | None = None,
) -> Store:
    """A store in memory. `prompts`: one for all texts or one a text, put before it; `tasks` likewise (see `Store`)."""
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
) -> Store:
    """The memory-mapped store in the folder `path`, tokenised and written first where it is not there yet."""
    if not path.is_dir():
        store = tokenize(tokenizer, texts, prompts, advance, tasks=tasks)
        with disk.replacing(path) as partial:
            np.save(partial / "ids.npy", store.ids)
            np.save(partial / "starts.npy", store.starts)
            np.save(partial / "prompts.npy", store.prompts)
            if store.tasks is not None:
                np.save(partial / "tasks.npy", store.tasks)
    names = ("ids", "starts", "prompts") if tasks is None else ("ids", "starts", "prompts", "tasks")
    return Store(*(np.load(path / f"{name}.npy", mmap_mode="r") for name in names))


def fingerprint(
    tokenizer_file: Path,
    max_seq_length: int,
    texts: Sequence[str],
    prompts: Sequence[str],
    tasks: Sequence[int] | None = None,
) -> str:
    """A key of 16 hex digits for what a store holds: the tokenizer, the length, every text, its prompt and task."""
    digest = hashlib.sha256(tokenizer_file.read_bytes())
    digest.update(str(max_seq_length).encode())
    if tasks is not None:
        digest.update(str(list(tasks)).encode())
    for prompt, text in zip(prompts, texts, strict=True):
        digest.update(f"{len(prompt)}:{prompt}{len(text)}:{text}".encode())
    return digest.hexdigest()[:16]
