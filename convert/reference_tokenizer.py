"""A converted model's ids against the reference: what transformers' AutoTokenizer makes of the source's own files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mlx_metaembed.config import clip
from mlx_metaembed.config.spellings import positions
from mlx_metaembed.errors import JobError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.inputs.tokenizer import Tokenizer

TEXTS = (
    "",
    " ",
    "How do I sort a List of NUMBERS?",
    "  two leading spaces,  two  within, a tab\tand a line\nmore \n",
    "Ünïcödé Straße naïve Ærøskøbing Ångström İstanbul ΣΊΣΥΦΟΣ",
    "e\u0301 \u00e9 \ufb01 \u212b \u1e9b\u0323 ①²",
    "東京 is big, 中文字符 and 한국어, ภาษาไทย",
    "emoji 🙂 👩‍💻 🇩🇪\u200b zero width\u00a0and\u2003spaces",
    "it's he'll we'd 1,234.56 x=f(a[i])->b; snake_case CamelCase don't",
    "[CLS] [SEP] [MASK] [PAD] [UNK] a[MASK]b",
    "<s> </s> <mask> <pad> <unk> <bos> <eos> <extra_id_0> a</s>b",
    "<|endoftext|> <|startoftext|> <|im_start|>user<|im_end|>",
    "supercalifragilisticexpialidocious" * 4,
    "The beginning is about cats. " + "And on and on it goes, word after word. " * 2000 + "The end is about compilers.",
)
"""Texts that tell tokenizers apart: case, accents, scripts, spaces, special tokens written out, which end is cut."""


class ReferenceTokenizer:
    """From a text to its ids by transformers, special tokens included; `said` names what gives them."""

    def __init__(self, folder: ModelFolder, source: Path):
        """`source` is the folder whose files transformers reads. Raises JobError where it can't."""
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        try:
            self._theirs = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
        # transformers raises what it likes for files that it cannot read, and tokenizers panics.
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:
            raise JobError(
                f"transformers' AutoTokenizer does not read the tokenizer of {source} ({type(error).__name__}: "
                f"{error}), so that nothing says which ids are right. Mend its files, and convert it again"
            ) from None
        if folder.do_lower_case:
            self._lower()
        self._length = folder.max_seq_length
        self.said = f"AutoTokenizer's ids ({type(self._theirs).__name__})"

    def __call__(self, text: str) -> list[int]:
        return self._theirs(text, truncation="longest_first", max_length=self._length)["input_ids"]

    def _lower(self) -> None:
        """Lower case first, as sentence-transformers does, where nothing does yet."""
        from tokenizers.normalizers import Lowercase, Sequence

        if not self._theirs.is_fast:
            self._theirs.do_lower_case = True
            return
        fast = self._theirs.backend_tokenizer
        steps = list(fast.normalizer) if isinstance(fast.normalizer, Sequence) else [fast.normalizer]
        steps = [step for step in steps if step is not None]
        if not any(isinstance(step, Lowercase) for step in steps):
            fast.normalizer = Sequence([Lowercase(), *steps])


def require_same(folder: ModelFolder, reference: ReferenceTokenizer, texts: Sequence[str] = TEXTS) -> None:
    """Raise JobError that names the first text whose ids in `folder` are not the reference's."""
    tokenizer = Tokenizer(folder)
    ended = _ended(folder, tokenizer)
    for text in texts:
        expected, (found,) = ended(reference(text)), tokenizer([text])
        if found != expected:
            at = next((at for at, pair in enumerate(zip(found, expected, strict=False)) if len(set(pair)) > 1), None)
            at = min(len(found), len(expected)) if at is None else at
            raise JobError(
                f"{folder.path} does not give the reference's ids. Of the text {text[:60]!r}"
                f"{' ...' if len(text) > 60 else ''} token {at} is {_shown(tokenizer, found, at)}, expected "
                f"{_shown(tokenizer, expected, at)} ({reference.said}). Do not use it; report it"
            )


def _ended(folder: ModelFolder, tokenizer: Tokenizer) -> Callable[[list[int]], list[int]]:
    """What the kit makes of a tokenizer's ids: CLIP's end where a text first ends, SigLIP's are filled up."""
    if not folder.is_tower:
        return lambda ids: ids
    length = positions(folder.config) if clip.always_padded(folder.config) else 0
    return lambda ids: tokenizer.ended(ids + [tokenizer.pad_id] * (length - len(ids)))


def _shown(tokenizer: Tokenizer, ids: list[int], at: int) -> str:
    return f"{ids[at]} ({tokenizer.vocabulary.get(ids[at])!r})" if at < len(ids) else "none"
