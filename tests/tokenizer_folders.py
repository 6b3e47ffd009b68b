"""Tokenizer folders by what their files say, read by the kit and by transformers."""

import json
from pathlib import Path

from tokenizers_of import TEXTS

from mlx_metaembed.inputs import tokenizer_files

LENGTH = 12
NAMES = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def token(content: str, **form: bool) -> dict:
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
    return {"content": content} | plain | form


SAID: dict[str, tuple[dict, ...]] = {
    "nothing": ({},),
    "do_lower_case, false": ({"do_lower_case": False},),
    "do_lower_case, true": ({"do_lower_case": True},),
    "strip_accents, true": ({"strip_accents": True, "do_lower_case": False},),
    "strip_accents, false": ({"strip_accents": False},),
    "tokenize_chinese_chars": ({"tokenize_chinese_chars": False},),
    "add_prefix_space, true": ({"add_prefix_space": True},),
    "add_prefix_space, false": ({"add_prefix_space": False},),
    "legacy": ({"legacy": True},),
    "extra_ids": ({"extra_ids": 3},),
    "truncation_side": ({"truncation_side": "left"},),
    "split_special_tokens": ({"split_special_tokens": True},),
    "added_tokens_decoder": (
        {"added_tokens_decoder": {"0": token("newtok"), "7": token("EXTRA", special=False, normalized=True)}},
    ),
    "added_tokens_decoder past the words": (
        {"added_tokens_decoder": {"900": token("newtok", special=False, single_word=True), "901": token("<ent>")}},
    ),
    "added_tokens.json": ({}, {}, {"newtok": 990, "quick": 991}),
    "special_tokens_map.json": (
        {},
        {"cls_token": "x", "sep_token": "y", "bos_token": "x", "eos_token": "y", "mask_token": {"content": "newtok"}},
    ),
    "special_tokens_map.json and added_tokens.json": (
        {},
        {"unk_token": "x", "additional_special_tokens": ["newtok"]},
        {"newtok": 5, "EXTRA": 6},
    ),
    "special_tokens_map.json, other keys": (
        {},
        {"extra_special_tokens": ["newtok", {"content": "EXTRA", "lstrip": True}], "do_lower_case": False},
    ),
    "special_tokens_map.json beside a decoder": ({"added_tokens_decoder": {}}, {"cls_token": "x", "eos_token": "y"}),
    "special tokens": (
        {"cls_token": "x", "sep_token": "y", "bos_token": "x", "eos_token": "newtok", "unk_token": "x"},
    ),
    "special tokens, null": ({"unk_token": None, "pad_token": None},),
    "mask_token": ({"mask_token": {"__type": "AddedToken"} | token("<ent>", lstrip=True)},),
    "additional_special_tokens": ({"additional_special_tokens": ["newtok", "EXTRA"]},),
    "extra_special_tokens": ({"extra_special_tokens": ["newtok"]},),
    "extra_special_tokens by name": ({"extra_special_tokens": {"my_token": "newtok"}},),
    "image_token": ({"image_token": "newtok", "video_token": {"__type": "AddedToken"} | token("EXTRA")},),
    "without effect": (
        {"add_bos_token": True, "add_eos_token": True, "do_basic_tokenize": False, "never_split": ["x"]}
        | {"trim_offsets": False, "errors": "strict", "clean_up_tokenization_spaces": True, "padding_side": "left"}
        | {"sp_model_kwargs": {}, "backend": "tokenizers", "whatever": 3, "model_max_length": 7},
    ),
}
"""What tokenizer_config.json, special_tokens_map.json and added_tokens.json say."""


def write(path: Path, model_type: str, raw: dict, *said: dict) -> Path:
    path.mkdir()
    contents = ({"model_type": model_type}, raw, *said)
    for name, content in zip(("config.json", "tokenizer.json", *NAMES), contents, strict=False):
        if content:
            (path / name).write_text(json.dumps(content), encoding="utf-8")
    return path


def ours(path: Path, model_type: str) -> list:
    read = tokenizer_files.read(path, {"model_type": model_type})
    read.fast.enable_truncation(LENGTH, direction=read.truncation_side)
    return [attempt(lambda text=text: read.fast.encode(text).ids) for text in TEXTS]


def theirs(path: Path) -> list:
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    return [attempt(lambda text=text: found(text, truncation=True, max_length=LENGTH)["input_ids"]) for text in TEXTS]


def attempt(call) -> list[int] | None:
    """What a call gives; None where `tokenizers` has no token for a text, in a vocabulary without its unknown one."""
    try:
        return call()
    except Exception:
        return None
