"""A folder's tokenizer: texts to token ids, special tokens included, cut at a length."""

import re
from collections.abc import Sequence
from functools import cached_property

from mlx_metaembed.config import clip, spellings
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import disk
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.inputs import tokenizer_files
from mlx_metaembed.inputs.special_tokens import named, special_ids

SURROGATE = re.compile("[\ud800-\udfff]")


class Tokenizer:
    """A folder's tokenizer, cutting at a length; padding is the batches' business."""

    def __init__(self, folder: ModelFolder, max_seq_length: int | None = None):
        """Raises CallError where the tokenizer's files are missing, broken or not followed, or give ids past the word
        embedding."""
        self._path = folder.tokenizer()
        disk.require_file(self._path, disk.MOST_TOKENIZER_BYTES)
        read = tokenizer_files.read(folder.trunk_path, folder.config, lower=folder.do_lower_case)
        self._fast = read.fast
        config = folder.architecture
        self._rows = config.get("vocab_size")
        token, largest = read.largest
        if self._rows is not None and largest >= self._rows:
            raise CallError(
                f"{self._path} gives ids up to {largest}, but the word embedding has {self._rows} rows "
                f"({token!r} has the id {largest}); the tokenizer belongs to another model"
            )
        self.max_seq_length = max_seq_length or folder.max_seq_length
        if self.max_seq_length > folder.max_seq_length and max_seq_length:
            longest = spellings.positions(folder.config)
            if self.max_seq_length > longest:
                raise CallError(f"max_seq_length = {max_seq_length}, but the model has {longest} positions")
        self.special_tokens = self._fast.num_special_tokens_to_add(is_pair=False)
        if self.special_tokens > self.max_seq_length:
            raise CallError(
                f"{self._path} puts {self.special_tokens} special tokens around a text, which is to have at most "
                f"{self.max_seq_length} tokens; the tokenizer belongs to another model"
            )
        self._fast.no_padding()
        self._folder = folder
        self._fast.enable_truncation(self.max_seq_length, direction=read.truncation_side)
        self._require_around(config.get("type_vocab_size") or 0)
        # Older configurations say -1 where there is no such token; what stands at padding is masked.
        self.pad_id = max(config.get("pad_token_id") or 0, 0)
        self._end = clip.ends(folder.config) if folder.is_tower else None
        if folder.is_tower and clip.always_padded(folder.config):
            self.pad_id = self._padding(folder, self.pad_id)
            self._fast.enable_padding(length=spellings.positions(folder.config), pad_id=self.pad_id)
        self.include_prompt = folder.include_prompt
        rows = float("inf") if self._rows is None else self._rows
        self._beyond = {id: token for id, token in self.vocabulary.items() if id >= rows}
        if self.pad_id >= rows:
            raise CallError(
                f"The files of {self._path.parent} pad a text with the id {self.pad_id}, but the word embedding has "
                f"{self._rows} rows; the tokenizer belongs to another model"
            )

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut at `max_seq_length`.

        CLIP pools where a text first ends, and no token sees what follows it: there it is cut. SigLIP attends to
        padding: it is part of a text. Raises CallError for a text that is no Unicode, or has a token without a row.
        """
        require_texts(texts)
        with tokenizer_files.guarded(f"The tokenizer {self._path} fails"):
            found = [encoding.ids for encoding in self._fast.encode_batch_fast(list(texts))]
        if self._beyond and (past := {id for ids in found for id in ids} & self._beyond.keys()):
            raise CallError(
                f"{self._path.parent} adds the token {self._beyond[min(past)]!r} with the id {min(past)}, but the word "
                f"embedding has {self._rows} rows: the model has no vector for it. Leave it out of the texts"
            )
        return [self.ended(ids) for ids in found]

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text before it is cut, special tokens included, padding left out. Raises as a call does."""
        require_texts(texts)
        cut = self._fast.truncation
        self._fast.no_truncation()
        try:
            with tokenizer_files.guarded(f"The tokenizer {self._path} fails"):
                return [sum(encoding.attention_mask) for encoding in self._fast.encode_batch_fast(list(texts))]
        finally:
            self._fast.enable_truncation(**cut)

    def ended(self, ids: list[int]) -> list[int]:
        """The ids up to the first that ends a text, in a model that pools there; else all."""
        if self._end is None:
            return ids
        end = max(ids, default=0) if self._end == clip.LEGACY_END else self._end
        return ids[: ids.index(end) + 1] if end in ids else ids

    def _require_around(self, types: int) -> None:
        """Raise CallError where what is put around a text has no row, or another type than 0."""
        with tokenizer_files.guarded(f"The tokenizer {self._path} fails"):
            found = self._fast.encode("")
        past = [at for at, id in enumerate(found.ids) if self._rows is not None and id >= self._rows]
        if past:
            raise CallError(
                f"The files of {self._path.parent} put the token {found.tokens[past[0]]!r} with the id "
                f"{found.ids[past[0]]} around every text, but the word embedding has {self._rows} rows; "
                "the tokenizer belongs to another model"
            )
        if types > 1 and any(found.type_ids):
            raise CallError(
                f"The post-processor of {self._path} gives a text's tokens the type {max(found.type_ids)}; expected 0 "
                "alone, as encoders of single texts are trained"
            )

    def _padding(self, folder: ModelFolder, otherwise: int) -> int:
        """The id of the padding token that the tokenizer's own files name."""
        ids = (self._fast.token_to_id(token) for token in named(folder.trunk_path, "pad"))
        return next((found for found in ids if found is not None), otherwise)

    @property
    def vocabulary(self) -> dict[int, str]:
        """The tokens by id."""
        return {id: token for token, id in self._fast.get_vocab(with_added_tokens=True).items()}

    def id_of(self, token: str) -> int | None:
        """The id of one token as the vocabulary spells it; None where it has none."""
        return self._fast.token_to_id(token)

    def prompt_tokens(self, prompt: str) -> int:
        """How many leading tokens the pooling leaves out for a prompt; 0 where prompts are pooled.

        A special token at the end does not count, be it the tokenizer's own or the prompt's last word.
        """
        if self.include_prompt or not prompt:
            return 0
        ids = self([prompt])[0]
        return len(ids) - sum(id in self._special for id in ids[-1:])

    @cached_property
    def _special(self) -> set[int]:
        return special_ids(self._folder.trunk_path, self.id_of)


def require_texts(texts: Sequence[str]) -> None:
    """Raise CallError where a text is none, or holds half of a surrogate pair, which is no character."""
    wrong = []
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            wrong.append(f"text {at} is {type(text).__name__}: {text!r:.60}")
        elif not text.isascii() and (half := SURROGATE.search(text)):
            near = ascii(text[max(half.start() - 20, 0) : half.start() + 20])
            wrong.append(f"text {at}, character {half.start()}, is half of a surrogate pair: {near}")
    if wrong:
        raise faults("Some texts can't be tokenised:", wrong, "Expected text in Unicode; mend or leave them out.")
