"""The tokenizer's files as transformers' AutoTokenizer reads them together: `tokenizer.json` is not the last word.

`tokenizer_config.json` names the class, which may rebuild the tokenizer (`tokenizer_classes`), its settings and its
tokens; `special_tokens_map.json` and `added_tokens.json` count where it has no `added_tokens_decoder`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files.disk import read_json
from mlx_metaembed.inputs import tokenizer_classes as classes
from mlx_metaembed.inputs.post_processor import require_text_once
from mlx_metaembed.inputs.tokenizer_classes import CLASSES, SENTENCEPIECE, TokenizerClass
from mlx_metaembed.inputs.tokenizer_tokens import ROLES, Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
SPECIAL, ADDED = "special_tokens_map.json", "added_tokens.json"
FILES = (TOKENIZER, CONFIG, SPECIAL, ADDED)
SIDES = ("left", "right")

_FLAG, _FLAG_OR_NONE, _TOKEN, _TOKENS = (bool,), (bool, type(None)), (str, dict, type(None)), (list, dict, type(None))
CLASS_SETTINGS = {
    "do_lower_case": _FLAG,
    "strip_accents": _FLAG_OR_NONE,
    "tokenize_chinese_chars": _FLAG,
    "add_prefix_space": _FLAG_OR_NONE,
    "legacy": _FLAG_OR_NONE,
    "extra_ids": (int,),
}
"""Keys that some classes apply to ids (`TokenizerClass.settings`), and their types."""
SETTINGS = {"truncation_side": (str,), "split_special_tokens": _FLAG}
"""Keys that every class applies."""
TOKENS = {
    **dict.fromkeys(ROLES, _TOKEN),
    "added_tokens_decoder": (dict,),
    "additional_special_tokens": _TOKENS,
    "extra_special_tokens": _TOKENS,
}
"""Keys that add tokens, for every class; other keys that end in `_token` do so too."""
NAMES = {"tokenizer_class": (str, type(None)), "auto_map": (dict, list, type(None))}
"""Keys that choose the class."""
REFUSED = {
    "fast_tokenizer_files": "another file than tokenizer.json may be meant",
    "fix_mistral_regex": "another pre-tokenizer than tokenizer.json's is meant",
    "init_inputs": "arguments of the class are meant",
    "model_specific_special_tokens": "no tool writes tokens so",
    **dict.fromkeys(
        ("merges", "post_processor", "tokenizer_object", "tokenizer_padding", "tokenizer_truncation", "vocab"),
        "a part of the tokenizer belongs in tokenizer.json",
    ),
}
"""Keys that would change ids and are not followed, with the reason; harmless where they are false or empty."""
_WITHOUT_EFFECT = """
    add_bos_token add_eos_token backend chat_template clean_up_tokenization_spaces device do_basic_tokenize errors
    files_loaded from_slow is_local keep_accents local_files_only mask_token_id max_len max_length model_input_names
    model_max_length name_or_path never_split pad_to_multiple_of pad_token_id pad_token_type_id padding padding_side
    processor_class remove_space return_token_type_ids sp_model_kwargs spaces_between_special_tokens
    special_tokens_map_file stride tokenizer_file trim_offsets truncation truncation_strategy
    use_default_system_prompt use_fast verbose vocab_file vocab_size merges_file
"""
WITHOUT_EFFECT = frozenset(_WITHOUT_EFFECT.split())
"""Keys that transformers 5 does not apply to the ids of a text where there is a tokenizer.json."""


class NotFollowedError(CallError):
    """The files say what is not followed here, and transformers may follow."""


@dataclass(frozen=True)
class Read:
    """The tokenizer that the files give together, and what `tokenizers` has no place for."""

    fast: "Tokenizer"
    class_name: str
    truncation_side: str
    largest: tuple[str, int]
    """The token of the largest id among the words of tokenizer.json and what its post-processor puts in, and the id.

    Added tokens may lie past a model's words; texts without them are right.
    """
    unknown: tuple[str, ...]
    """Keys of tokenizer_config.json that nothing applies."""


def read(folder: Path, model: dict, *, lower: bool = False) -> Read:
    """The tokenizer of a folder whose config.json says `model`; `lower` is sentence-transformers' do_lower_case.

    Raises CallError, all faults of tokenizer_config.json at once, where a file is missing or broken, or says what is
    not followed here.
    """
    path = folder / TOKENIZER
    try:
        raw = read_json(path)
    except CallError as error:
        raise CallError(f"{path} is no tokenizer file: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("model"), dict) or "vocab" not in raw["model"]:
        raise CallError(f"{path} is no tokenizer file: it has no model with a vocabulary")
    said, special, added = (_object(folder / name) for name in (CONFIG, SPECIAL, ADDED))
    if wrong := _wrong(said):
        raise NotFollowedError(str(faults(f"{folder / CONFIG} says what is not followed:", wrong, advice(folder))))
    with guarded(f"{path} is no tokenizer file"):
        outline = json.dumps([value for key, value in raw.items() if key not in ("model", "added_tokens")])
    try:
        name = classes.class_name(model, said, byte_level='"ByteLevel"' in outline)
    except CallError as error:
        raise NotFollowedError(f"{folder / CONFIG}: {error}. {advice(folder)}") from None
    kind = CLASSES.get(name)
    # transformers makes no tokenizer of such a file either.
    if kind and kind.scored and not isinstance(raw["model"]["vocab"], list):
        kind = None
    with guarded(f"{path} is no tokenizer file"):
        tokens = Tokens(raw, said, special, added, kind)
        fast = _built(raw, kind, tokens, lower=lower, adds=name != SENTENCEPIECE)
        require_text_once(path, fast)
        largest = _largest(raw)
        side = tokens.settings.get("truncation_side") or direction(raw)
    fast.encode_special_tokens = tokens.settings.get("split_special_tokens", False)
    unknown = tuple(sorted(key for key in said if not _known(key, said[key])))
    return Read(fast, name, side, largest, unknown)


def direction(raw: dict) -> str:
    """The side on which a tokenizer.json itself cuts a text, `left` or `right`."""
    return "left" if (raw.get("truncation") or {}).get("direction") == "Left" else "right"


def advice(folder: Path) -> str:
    """What to do where a tokenizer is not followed."""
    return (
        "Where transformers loads the tokenizer, a tokenizer.json that says the same is written by: "
        f"metaembed convert {folder} OUT"
    )


@contextmanager
def guarded(said: str) -> Iterator[None]:
    """Turn whatever `tokenizers` raises into one CallError that begins with `said`; its panics are no Exception."""
    try:
        yield
    except (CallError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        raise CallError(f"{said}: {error or type(error).__name__}") from None


def _built(raw: dict, kind: TokenizerClass | None, tokens: Tokens, *, lower: bool, adds: bool) -> "Tokenizer":
    from tokenizers import Tokenizer

    sections: dict = {"padding": None, "truncation": None}
    if kind:
        settings = {key: tokens.settings.get(key, value) for key, value in kind.settings.items()}
        settings["charsmap"] = _charsmap(raw.get("normalizer"))
        sections |= kind.parts(raw["model"], settings, tokens.texts) | {"added_tokens": []}
    if lower:
        sections["normalizer"] = _lowered(sections.get("normalizer", raw.get("normalizer")))
    fast = Tokenizer.from_str(json.dumps(raw | sections, ensure_ascii=False))
    if adds:
        tokens.add(fast)
    if kind and kind.around:
        fast.post_processor = _post_processor(fast, kind, tokens.texts)
    return fast


def _post_processor(fast: "Tokenizer", kind: TokenizerClass, texts: dict[str, str]) -> object:
    from tokenizers import processors

    if lacking := [role for role in kind.around[1:] if role and role not in texts]:
        raise CallError(f"{CONFIG} names no {' and no '.join(lacking)}, which the class puts around a text")
    first, last = ((texts[role], fast.token_to_id(texts[role])) if role else None for role in kind.around[1:])
    if kind.around.kind == "roberta":
        return processors.RobertaProcessing(last, first)
    around = [each for each in (first, last) if each]
    single = [*([first[0]] if first else []), "$A", last[0]]
    pair = [*single, "$B:1", f"{last[0]}:1"]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=around)


def _largest(raw: dict) -> tuple[str, int]:
    """The token of the largest id that a tokenizer.json gives without added tokens, and the id."""
    words = raw["model"]["vocab"]
    found = {-1: ""} | ({len(words) - 1: str(words[-1][0])} if isinstance(words, list) and words else {})
    if isinstance(words, dict):
        found |= {id: token for token, id in words.items()}
    steps = [raw.get("post_processor")]
    while steps:
        step = steps.pop() or {}
        steps += step.get("processors", [])
        found |= {step[role][1]: step[role][0] for role in ("cls", "sep") if role in step}
        for name, put in step.get("special_tokens", {}).items():
            found |= dict.fromkeys(put["ids"], name)
    largest = max(found)
    return found[largest], largest


def _charsmap(normalizer: dict | None) -> dict | None:
    """The sentencepiece table among the normalizers of a tokenizer.json."""
    steps = normalizer["normalizers"] if normalizer and normalizer.get("type") == "Sequence" else [normalizer]
    return next((step for step in steps if step and "precompiled_charsmap" in step), None)


def _lowered(normalizer: dict | None) -> dict:
    """A normalizer that lowers case first; as sentence-transformers has it, one that says so already stays."""
    steps = normalizer["normalizers"] if normalizer and normalizer["type"] == "Sequence" else [normalizer]
    steps = [step for step in steps if step]
    if any(step["type"] == "Lowercase" for step in steps):
        return normalizer
    return {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, *steps]}


def _object(path: Path) -> dict:
    """The object in a JSON file that may be missing. Raises CallError where it holds something else."""
    found = read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise CallError(f"{path} holds {type(found).__name__}, expected an object")
    return found


def _known(key: str, value: object) -> bool:
    known = key in WITHOUT_EFFECT or any(key in keys for keys in (CLASS_SETTINGS, SETTINGS, TOKENS, NAMES, REFUSED))
    return known or (key.endswith("_token") and isinstance(value, str | dict | None))


def _wrong(said: dict) -> list[str]:
    """Entries of tokenizer_config.json that are not followed, one line each."""
    wrong = [
        f"{key} = {said[key]!r:.80}: expected {' or '.join(_WORDS[kind] for kind in kinds)}"
        for key, kinds in (CLASS_SETTINGS | SETTINGS | TOKENS | NAMES).items()
        if key in said and (not isinstance(said[key], kinds) or (isinstance(said[key], bool) and bool not in kinds))
    ]
    side = said.get("truncation_side")
    if isinstance(side, str) and side not in SIDES:
        wrong.append(f"truncation_side = {side!r}: expected left or right")
    wrong += [
        f"{role} = {said[role]!r:.80}: expected a text, or an AddedToken as transformers writes it"
        for role in ROLES
        if isinstance(said.get(role), dict) and said[role].get("__type") != "AddedToken"
    ]
    return wrong + [f"{key} = {said[key]!r:.80}: {reason}" for key, reason in REFUSED.items() if said.get(key)]


_WORDS = {
    bool: "true or false",
    type(None): "null",
    str: "a text",
    int: "a number",
    dict: "an object",
    list: "a list",
}
