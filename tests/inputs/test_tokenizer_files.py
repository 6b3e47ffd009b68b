"""The tokenizer's files together, held against what transformers' AutoTokenizer makes of them."""

import json
from pathlib import Path

import pytest
from tokenizer_folders import NAMES, SAID, ours, theirs, write
from tokenizers_of import KINDS

from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs import tokenizer_files
from mlx_metaembed.inputs.tokenizer_files import CLASS_SETTINGS, REFUSED, SETTINGS, WITHOUT_EFFECT

EDITED = {
    "no post-processor": {"post_processor": None},
    "cut on the left": {"truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}},
    "another normalizer": {"normalizer": {"type": "Lowercase"}},
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[str, dict, dict]:
    """A family's model_type, what tokenizer_config.json says of the class, and a tokenizer.json."""
    model_type, named, make = KINDS[request.param]
    return model_type, {"tokenizer_class": named} if named else {}, json.loads(make().to_str())


@pytest.mark.parametrize("case", SAID)
def test_the_ids_are_those_of_transformers(tmp_path: Path, kind: tuple[str, dict, dict], case: str):
    model_type, named, raw = kind
    said = SAID[case]
    path = write(tmp_path / "m", model_type, raw, named | said[0], *said[1:])
    assert ours(path, model_type) == theirs(path)


@pytest.mark.parametrize("case", EDITED)
def test_what_tokenizer_json_keeps_of_itself(tmp_path: Path, kind: tuple[str, dict, dict], case: str):
    model_type, named, raw = kind
    path = write(tmp_path / "m", model_type, raw | EDITED[case], named)
    assert ours(path, model_type) == theirs(path)


def test_every_key_of_the_table_is_tried():
    tried = {key for said in SAID.values() for file in said[:2] for key in file}
    assert tried >= {
        *CLASS_SETTINGS,
        *SETTINGS,
        "added_tokens_decoder",
        "extra_special_tokens",
        "unk_token",
        "cls_token",
    }
    assert not WITHOUT_EFFECT & {*CLASS_SETTINGS, *SETTINGS, *REFUSED}


@pytest.mark.parametrize("name", ["bert", "llama", "roberta", "t5", "modernbert"])
def test_keys_without_effect_have_none(tmp_path: Path, name: str):
    model_type, named, make = KINDS[name]
    raw = json.loads(make().to_str())
    values = dict.fromkeys(WITHOUT_EFFECT, 7) | {
        "model_input_names": ["input_ids"],
        "padding_side": "left",
        "trim_offsets": False,
    }
    values |= {
        "trim_offsets": False,
        "chat_template": "x",
        "name_or_path": "x",
        "backend": "x",
        "files_loaded": [],
        "processor_class": "x",
    }
    plain = write(tmp_path / "plain", model_type, raw, {"tokenizer_class": named})
    path = write(tmp_path / "m", model_type, raw, values | {"tokenizer_class": named})
    assert ours(path, model_type) == theirs(path) == ours(plain, model_type)
    assert tokenizer_files.read(path, {"model_type": model_type}).unknown == ()


def test_a_key_that_nobody_knows_is_named(tmp_path: Path):
    model_type, named, make = KINDS["bert"]
    said = {"tokenizer_class": named, "whatever": 1, "padding_side": "left", "image_token": "a", "add_eos_token": True}
    path = write(tmp_path / "m", model_type, json.loads(make().to_str()), said)
    assert tokenizer_files.read(path, {"model_type": model_type}).unknown == ("whatever",)


WRONG = {
    "do_lower_case": "yes",
    "strip_accents": 1,
    "tokenize_chinese_chars": None,
    "add_prefix_space": [],
    "extra_ids": True,
    "truncation_side": "middle",
    "split_special_tokens": 0,
    "added_tokens_decoder": [],
    "extra_special_tokens": 5,
    "mask_token": {"content": "[MASK]"},
    "cls_token": 4,
    "tokenizer_class": {},
    "fix_mistral_regex": True,
    "vocab": {"a": 1},
    "fast_tokenizer_files": ["tokenizer.4.0.json"],
}


def test_what_is_not_followed_is_refused_all_at_once(tmp_path: Path):
    model_type, _, make = KINDS["bert"]
    path = write(tmp_path / "m", model_type, json.loads(make().to_str()), WRONG)
    with pytest.raises(CallError, match="says what is not followed") as found:
        tokenizer_files.read(path, {"model_type": model_type})
    for key in WRONG:
        assert f"  - {key} = " in str(found.value)
    assert "  - truncation_side = 'middle': expected left or right" in str(found.value)
    assert "  - do_lower_case = 'yes': expected true or false" in str(found.value)
    assert f"metaembed convert {path} OUT" in str(found.value)


@pytest.mark.parametrize("content", [[], 3, {"[MASK]": "x"}, {"x": [1]}])
@pytest.mark.parametrize("name", NAMES[1:])
def test_older_files_of_another_form(tmp_path: Path, name: str, content: object):
    model_type, _, make = KINDS["bert"]
    path = write(tmp_path / "m", model_type, json.loads(make().to_str()), {})
    (path / name).write_text(json.dumps(content))
    try:
        tokenizer_files.read(path, {"model_type": model_type})
    except CallError as error:
        assert str(path) in str(error)
