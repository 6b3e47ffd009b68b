"""The words of a file as models of tokenizer.json: byte pairs, SentencePiece's pieces, WordPiece and Unigram.

llama.cpp keeps a list of words with a type each, and either merges or scores; what its converter changed in the words
is undone.
"""

import base64
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.convert.gguf import splits
from mlx_metaembed.convert.gguf.metadata import Metadata

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""The types of words."""
SPACE = "▁"
MOST_PIECE_CHARACTERS = 1000
"""A word is cut at every place to find its merges."""


@dataclass(frozen=True)
class Words:
    """What a file says of its words: texts, the type of each, and the special ones by role, as numbers."""

    said: Metadata
    texts: list[str]
    kinds: np.ndarray
    roles: dict[str, int]

    def role(self, name: str) -> str | None:
        """The text of a special token."""
        return self.texts[self.roles[name]] if name in self.roles else None

    def vocabulary(self) -> dict[str, int]:
        """Numbers by word, but for those that only fill the list."""
        return {text: at for at, text in enumerate(self.texts) if self.kinds[at] != UNUSED}


@dataclass(frozen=True)
class Made:
    """Sections of tokenizer.json; whether a text begins and ends with special tokens where the file does not say."""

    sections: dict
    begins: bool
    ends: bool = False


def _byte_pairs(**settings: object) -> dict:
    plain = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    return {"type": "BPE"} | plain | {"fuse_unk": False, "byte_fallback": False, "ignore_merges": False} | settings


def byte_level(words: Words) -> Made:
    """Byte pairs over bytes spelled as letters, as GPT-2's."""
    try:
        split = splits.of(words.said.text("tokenizer.ggml.pre", "default"))
    except ValueError as error:
        raise words.said.error(str(error)) from None
    merges = [merge.split(" ") for merge in words.said.texts("tokenizer.ggml.merges")]
    if wrong := next((merge for merge in merges if len(merge) != 2), None):
        words.said.wrong(f"tokenizer.ggml.merges: found {' '.join(wrong)!r:.60}, expected two words and a space")
    model = _byte_pairs(vocab=words.vocabulary(), merges=merges, ignore_merges=split.whole_words)
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return Made({"model": model, "decoder": decoder} | splits.sections(split), split.begins)


def pieces(words: Words) -> Made:
    """Byte pairs of SentencePiece, whose merges follow from the scores."""
    texts = words.texts
    gemma = words.said.architecture.startswith("gemma")
    if gemma:
        # llama.cpp spells runs of spaces as such, and gemma's scores do not order its merges.
        texts = [SPACE * len(text) if text and not text.strip(" ") else text for text in texts]
        scores = -np.arange(len(texts), dtype=np.float64)
    else:
        scores = words.said.numbers("tokenizer.ggml.scores", len(texts)).astype(np.float64)
    vocabulary = {text: at for at, text in enumerate(texts) if words.kinds[at] != UNUSED}
    whole = [at for text, at in vocabulary.items() if words.kinds[at] in (NORMAL, USER_DEFINED)]
    model = _byte_pairs(
        vocab=vocabulary,
        merges=merges(vocabulary, {texts[at]: scores[at] for at in whole}),
        unk_token=words.role("unk"),
        fuse_unk=True,
        byte_fallback=True,
    )
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    begins = words.said.flag("tokenizer.ggml.add_space_prefix", not gemma)
    first = [{"type": "Prepend", "prepend": SPACE}] if begins else []
    back = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    back += [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if begins else []
    return Made(
        {
            "model": model,
            "normalizer": {"type": "Sequence", "normalizers": [*first, spaces]},
            "pre_tokenizer": None,
            "decoder": {"type": "Sequence", "decoders": back},
        },
        begins=True,
    )


def merges(vocabulary: dict[str, int], scores: dict[str, float]) -> list[list[str]]:
    """The pairs of words that make each word of `scores`, the best word first (transformers, `generate_merges`)."""
    found = []
    for word, score in scores.items():
        if len(word) > MOST_PIECE_CHARACTERS:
            continue
        cuts = [(word[:at], word[at:]) for at in range(1, len(word))]
        pairs = [(left, right) for left, right in cuts if left in vocabulary and right in vocabulary]
        pairs.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
        found += [(-score, -len(left), left, right) for left, right in pairs]
    found.sort(key=lambda each: each[:2])
    return [[left, right] for _, _, left, right in found]


def word_pieces(words: Words) -> Made:
    """BERT's words. A vocabulary without capital letters is one that lowers a text first."""
    plain = {at: _word_piece(text, words.kinds[at]) for text, at in words.vocabulary().items()}
    if len(set(plain.values())) < len(plain):
        words.said.wrong("tokenizer.ggml.tokens: two words are the same without llama.cpp's marks")
    lowers = not any(
        word != word.lower() for at, word in plain.items() if words.kinds[at] == NORMAL and word[:1] != "["
    )
    model = {
        "type": "WordPiece",
        "unk_token": words.role("unk") or "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {word: at for at, word in plain.items()},
    }
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None}
    return Made(
        {
            "model": model,
            "normalizer": normalizer | {"lowercase": lowers},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        },
        begins=True,
        ends=True,
    )


def _word_piece(text: str, kind: int) -> str:
    """A word as BERT spells it: llama.cpp marks those that begin a word, BERT those that go on."""
    if text.startswith(SPACE):
        return text[1:]
    return text if kind in (CONTROL, UNKNOWN) or (text[:1] == "[" and text[-1:] == "]") else f"##{text}"


def unigram(words: Words) -> Made:
    """SentencePiece's pieces with the scores of Unigram, as XLM-R's."""
    scores = words.said.numbers("tokenizer.ggml.scores", len(words.texts))
    vocabulary = [[text, float(score)] for text, score in zip(words.texts, scores, strict=True)]
    model = {"type": "Unigram", "unk_id": words.roles.get("unk", 0), "vocab": vocabulary, "byte_fallback": False}
    scheme = "always" if words.said.flag("tokenizer.ggml.add_space_prefix", True) else "never"
    meta = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": True}
    return Made(
        {
            "model": model,
            "normalizer": _charsmap(words.said),
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, meta]},
            "decoder": meta,
        },
        begins=False,
        ends=True,
    )


def _charsmap(said: Metadata) -> dict | None:
    key = "tokenizer.ggml.precompiled_charsmap"
    if key not in said:
        return None
    data = base64.b64encode(said.bytes(key)).decode()
    return {"type": "Precompiled", "precompiled_charsmap": data}


MODELS = {"gpt2": byte_level, "llama": pieces, "bert": word_pieces, "t5": unigram}
"""By tokenizer.ggml.model."""
