"""How a text is cut before byte pairs are merged, by the name that llama.cpp's converter gives the tokenizer.

The patterns are the models' own, as llama.cpp has them (llama-vocab.cpp) and tokenizer.json writes them.
"""

from dataclasses import dataclass

from mlx_metaembed.errors import nearest
from mlx_metaembed.inputs.tokenizer_parts import SPLIT_QWEN

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = rf"{ENDS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{SPACES}"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
TEKKEN = rf"{CASED[0]}|{CASED[1]}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"
GPT4O = rf"{CASED[0]}{ENDS}?|{CASED[1]}{ENDS}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{SPACES}"


@dataclass(frozen=True)
class Split:
    """The patterns that cut a text one after another; whether a piece that is a word is taken as it is, whether a text
    gets the first token where the file does not say so, and whether it is composed (NFC) first."""

    patterns: tuple[str, ...]
    whole_words: bool = False
    begins: bool = False
    composed: bool = False


_LLAMA3 = Split((LLAMA3,), whole_words=True, begins=True)
_DIGITS = Split((r"\p{N}", GPT2))
_PLAIN = Split((GPT2,))
_QWEN = Split((SPLIT_QWEN,), composed=True)
SPLITS = {
    "default": Split((r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"), _LLAMA3
    ),
    **dict.fromkeys(("dbrx", "smaug-bpe"), Split((LLAMA3,))),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "megrez", "kormo"), _QWEN),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), _DIGITS),
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "olmo", "trillion", "granite-docling", "exaone4", "jina-v1-en"), _PLAIN),
    "tekken": Split((TEKKEN,), whole_words=True, begins=True),
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2"), Split((GPT4O,))),
}


def of(name: str) -> Split:
    """The split of a name. Raises ValueError for one that is not known."""
    if name not in SPLITS:
        raise ValueError(f"tokenizer.ggml.pre = {name!r:.40} is not known{nearest(name, SPLITS)}; {', '.join(SPLITS)}")
    return SPLITS[name]


def sections(split: Split) -> dict:
    """The normalizer and the pre-tokenizer of tokenizer.json."""
    cuts = [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        for pattern in split.patterns
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "normalizer": {"type": "NFC"} if split.composed else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cuts, level]},
    }
