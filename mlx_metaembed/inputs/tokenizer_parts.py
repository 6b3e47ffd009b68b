"""The sections of a `tokenizer.json` that a tokenizer class writes anew: model, normalizer, pre-tokenizer.

Each function takes the file's model, the class's settings and its special tokens' texts, as transformers 5 does.
"""

from collections.abc import Callable

SPLIT_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLIT_CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def _words(model: dict) -> dict:
    """The vocabulary by token, of whatever kind of model."""
    found = model["vocab"]
    if isinstance(found, dict):
        return found
    return {token[0] if isinstance(token, list) else token: at for at, token in enumerate(found)}


def _bpe(model: dict, **settings: object) -> dict:
    plain = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    flags = {"fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    return {"type": "BPE"} | plain | flags | settings | {"vocab": _words(model), "merges": model.get("merges") or []}


def word_pieces(model: dict, settings: dict, tokens: dict) -> dict:
    pieces = {
        "unk_token": str(tokens.get("unk_token")),
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    }
    return {
        "model": {"type": "WordPiece"} | pieces | {"vocab": _words(model)},
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": settings["tokenize_chinese_chars"],
            "strip_accents": settings["strip_accents"],
            "lowercase": settings["do_lower_case"],
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
    }


def unigram(unknown: Callable[[list, dict], int]) -> Callable[[dict, dict, dict], dict]:
    def parts(model: dict, settings: dict, tokens: dict) -> dict:
        scores = model["vocab"]
        scheme = "always" if settings.get("add_prefix_space", True) else "never"
        words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}
        return {
            "model": {
                "type": "Unigram",
                "unk_id": unknown(scores, tokens),
                "vocab": scores,
                "byte_fallback": False,
            },
            "normalizer": settings["charsmap"],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, words]},
        }

    return parts


def _byte_level(space: bool, *, regex: bool) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": regex}


def _isolated(pattern: str, behavior: str, *, invert: bool) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def roberta(model: dict, settings: dict, tokens: dict) -> dict:
    return {
        "model": _bpe(model, continuing_subword_prefix="", end_of_word_suffix=""),
        "normalizer": None,
        "pre_tokenizer": _byte_level(settings["add_prefix_space"], regex=True),
    }


def llama(model: dict, settings: dict, tokens: dict) -> dict:
    space = settings["add_prefix_space"] is not False
    scheme = ("always" if settings["legacy"] else "first") if space else "never"
    return {
        "model": _bpe(model, fuse_unk=True, byte_fallback=True),
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False},
    }


def gemma(model: dict, settings: dict, tokens: dict) -> dict:
    return {
        "model": _bpe(model, fuse_unk=True, byte_fallback=True, unk_token=str(tokens.get("unk_token"))),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
    }


def qwen(model: dict, settings: dict, tokens: dict) -> dict:
    steps = [
        _isolated(SPLIT_QWEN, "Isolated", invert=False),
        _byte_level(settings["add_prefix_space"] is True, regex=False),
    ]
    return {
        "model": _bpe(model, continuing_subword_prefix="", end_of_word_suffix=""),
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
    }


def clip(model: dict, settings: dict, tokens: dict) -> dict:
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    return {
        "model": _bpe(
            model, continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=str(tokens.get("unk_token"))
        ),
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}]},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [_isolated(SPLIT_CLIP, "Removed", invert=True), _byte_level(False, regex=True)],
        },
    }
