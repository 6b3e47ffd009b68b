"""Tokenising: lengths, prompts, stores on disk, and tokenizers that do not fit."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS, tiny_folder, tokenizer

from mlx_metaembed import folder as folders
from mlx_metaembed import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.special_tokens import special_ids
from mlx_metaembed.inputs.tokenizer import Tokenizer


def test_special_tokens_and_the_cut(tiny: Path):
    tokenizer = Tokenizer(folders.read(tiny), 6)
    short, long = tokenizer(["open a", TEXTS[4]])
    assert short[0] == 2 and short[-1] == 3 and len(short) == 4
    assert len(long) == 6 and long[-1] == 3


@pytest.mark.parametrize("within", [False, True])
def test_a_template_with_the_text_twice_is_refused(tiny: Path, tmp_path: Path, within: bool):
    source = Path(shutil.copytree(tiny, tmp_path / "source"))
    content = disk.read_json(source / "tokenizer.json")
    content["post_processor"]["single"] *= 30
    if within:
        content["post_processor"] = {"type": "Sequence", "processors": [content["post_processor"]]}
    disk.write_json(source / "tokenizer.json", content)
    with pytest.raises(CallError, match="puts every text 30 times between its special tokens; expected once"):
        Tokenizer(folders.read(source))


def test_a_template_whose_token_has_no_number_is_refused(tiny: Path, tmp_path: Path):
    source = Path(shutil.copytree(tiny, tmp_path / "source"))
    content = disk.read_json(source / "tokenizer.json")
    name = next(iter(content["post_processor"]["special_tokens"]))
    content["post_processor"]["special_tokens"] = {}
    disk.write_json(source / "tokenizer.json", content)
    with pytest.raises(CallError) as error:
        Tokenizer(folders.read(source))
    assert f"the special token {name!r} around a text, of which its post_processor has no number" in str(error.value)


def test_a_tokenizer_larger_than_any_is_not_read(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disk, "MOST_TOKENIZER_BYTES", 10)
    with pytest.raises(CallError, match="bytes, expected at most 10"):
        Tokenizer(folders.read(tiny))


def test_the_side_that_is_cut_is_the_declared_one(tmp_path: Path, engine_name: str):
    path = tiny_folder(tmp_path / "m")
    said = disk.read_json(path / "tokenizer_config.json")
    disk.write_json(path / "tokenizer_config.json", said | {"truncation_side": "left"})
    tokenizer = Tokenizer(folders.read(path), 6)
    whole = Tokenizer(folders.read(path))([TEXTS[4]])[0]
    assert tokenizer([TEXTS[4]]) == [[2, *whole[-5:]]]
    # What a run keeps is cut so too, and so is what is encoded and indexed.
    store = token_store.stored(tmp_path / "store", tokenizer, [TEXTS[4]], [""])
    assert store[0].tolist() == [2, *whole[-5:]]
    last = " ".join(TEXTS[4].replace(",", " ,").split()[-4:])
    found = load(path, engine=engine_name, max_seq_length=6).encode([TEXTS[4], last])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-6)


def test_lower_case_where_declared(tmp_path: Path):
    tokenizer = Tokenizer(folders.read(tiny_folder(tmp_path / "m", do_lower_case=True)))
    assert tokenizer(["OPEN A"]) == tokenizer(["open a"])


def test_a_stored_text_is_the_tokenised_one(tiny: Path, tmp_path: Path):
    tokenizer = Tokenizer(folders.read(tiny))
    texts = TEXTS * 300
    counted: list[int] = []
    store = token_store.stored(tmp_path / "store", tokenizer, texts, [""] * len(texts), counted.append)
    assert len(store) == len(texts) and sum(counted) == len(texts)
    assert [store[at].tolist() for at in (0, 4, 1799)] == tokenizer([TEXTS[0], TEXTS[4], TEXTS[5]])
    assert isinstance(store.ids, np.memmap)
    again = token_store.stored(tmp_path / "store", tokenizer, ["something else"], [""], counted.append)
    assert len(again) == len(texts)


def test_a_killed_write_leaves_no_store(tiny: Path, tmp_path: Path):
    def killed(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        token_store.stored(tmp_path / "store", Tokenizer(folders.read(tiny)), TEXTS, [""] * 6, killed)
    assert list(tmp_path.iterdir()) == []


def test_prompts_go_before_the_text_and_out_of_the_pooling_where_declared(tmp_path: Path):
    tokenizer = Tokenizer(folders.read(tiny_folder(tmp_path / "m", include_prompt=False)))
    store = token_store.tokenize(tokenizer, ["a socket", "a socket"], ["", "open "])
    assert store[1].tolist() == tokenizer(["open a socket"])[0]
    # [CLS] and "open" are left out.
    assert store.prompts.tolist() == [0, 2]
    included = Tokenizer(folders.read(tiny_folder(tmp_path / "n")))
    assert token_store.tokenize(included, ["a"], "open ").prompts.tolist() == [0]


@pytest.mark.parametrize(
    ("template", "prompt", "left_out"),
    [
        ("[CLS] $A", "open ", 2),
        ("$A [SEP]", "open ", 1),
        ("$A", "open ", 1),
        ("[CLS] $A [SEP]", "open a ", 3),
        # Two end the text, of which one counts; and a prompt's own last word may be special.
        ("[CLS] $A [SEP] [SEP]", "open ", 3),
        ("$A", "open zzz ", 1),
    ],
)
def test_a_prompts_last_token_is_left_out_where_it_is_special(
    tmp_path: Path, template: str, prompt: str, left_out: int
):
    path = tiny_folder(tmp_path / "m", include_prompt=False)
    tokenizer(template=template).save(str(path / "tokenizer.json"))
    assert Tokenizer(folders.read(path)).prompt_tokens(prompt) == left_out


def test_special_tokens_are_those_that_the_files_name(tmp_path: Path):
    ids = {"[SEP]": 3, "[UNK]": 1, "dog": 7, "cat": 8, "cow": 9, "[PAD]": 0}
    plain = {"tokenizer_class": "PreTrainedTokenizerFast"}
    assert special_ids(tmp_path, ids.get) == {0, 1, 3}
    disk.write_json(tmp_path / "tokenizer_config.json", plain)
    assert special_ids(tmp_path, ids.get) == set()
    disk.write_json(tmp_path / "special_tokens_map.json", {"sep_token": {"content": "[SEP]"}, "foo_token": "dog"})
    disk.write_json(tmp_path / "tokenizer.json", {"padding": {"pad_token": "[PAD]"}})
    assert special_ids(tmp_path, ids.get) == {0, 3, 7}
    lists = {"additional_special_tokens": ["cat", "none"], "extra_special_tokens": {"x": "cow"}, "foo_token": None}
    disk.write_json(tmp_path / "tokenizer_config.json", plain | lists)
    assert special_ids(tmp_path, ids.get) == {0, 3, 8, 9}
    disk.write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "unk_token": None})
    assert 1 not in special_ids(tmp_path, ids.get)


def test_lower_case_leaves_special_tokens_and_goes_letter_by_letter(tmp_path: Path):
    made = Tokenizer(folders.read(tiny_folder(tmp_path / "m", do_lower_case=True)))
    assert [step.__class__.__name__ for step in made._fast.normalizer] == ["Lowercase"]
    assert made._fast.normalizer.normalize_str("ΟΔΟΣ") == "οδοσ"


def test_the_key_changes_with_anything_that_changes_the_ids(tiny: Path):
    file = folders.read(tiny).tokenizer()
    keys = {
        token_store.fingerprint(file, 32, ["a", "b"], ["", ""]),
        token_store.fingerprint(file, 31, ["a", "b"], ["", ""]),
        token_store.fingerprint(file, 32, ["ab", ""], ["", ""]),
        token_store.fingerprint(file, 32, ["a", "b"], ["p", ""]),
        token_store.fingerprint(file, 32, ["b", "a"], ["", ""]),
    }
    assert len(keys) == 5


def test_tokenizers_that_do_not_fit(tiny: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(CallError, match="is no tokenizer file"):
        Tokenizer(folders.read(broken))
    (broken / "tokenizer.json").unlink()
    with pytest.raises(CallError, match=r"no tokenizer\.json"):
        Tokenizer(folders.read(broken))
    small = tiny_folder(tmp_path / "small", config={"vocab_size": 20})
    with pytest.raises(CallError, match=r"gives ids up to \d+, but the word embedding has 20 rows"):
        Tokenizer(folders.read(small))
    with pytest.raises(CallError, match="the model has 48 positions"):
        Tokenizer(folders.read(tiny), 49)
    assert Tokenizer(folders.read(tiny), 48).max_seq_length == 48
