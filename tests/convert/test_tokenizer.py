"""The tokenizer.json that convert writes says alone what transformers makes of all of a source's files."""

import json
import resource
from pathlib import Path

import pytest
from calls import refused, run
from golden_variants import altered
from tiny import TEXTS as WORDS
from tokenizer_folders import LENGTH, SAID, attempt, ours, theirs, write
from tokenizers import Tokenizer, processors
from tokenizers_of import KINDS, TEXTS, byte_level, word_pieces

from mlx_metaembed.convert import vocabulary
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk

FAMILIES = ("bert", "mpnet", "roberta", "camembert", "t5", "llama", "gemma3_text", "qwen2", "clip", "modernbert")
CASES = [case for case in SAID if case not in ("split_special_tokens", "without effect")]


def bring(source: Path, out: Path, model_type: str) -> list[str]:
    out.mkdir()
    heard: list[str] = []
    vocabulary.bring(source, out, {"model_type": model_type}, heard.append, max_seq_length=LENGTH)
    disk.write_json(out / "config.json", {"model_type": model_type})
    return heard


def alone(path: Path) -> list:
    """The ids of a tokenizer.json that nothing else is known of."""
    fast = Tokenizer.from_file(str(path / "tokenizer.json"))
    direction = (fast.truncation or {"direction": "right"})["direction"]
    fast.enable_truncation(LENGTH, direction=direction)
    return [attempt(lambda text=text: fast.encode(text).ids) for text in TEXTS]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_file_alone_says_what_all_of_them_said(tmp_path: Path, family: str, case: str):
    model_type, named, make = KINDS[family]
    said = SAID[case]
    source = write(
        tmp_path / "a", model_type, json.loads(make().to_str()), {"tokenizer_class": named} | said[0], *said[1:]
    )
    bring(source, tmp_path / "b", model_type)
    expected = theirs(source)
    assert alone(tmp_path / "b") == ours(tmp_path / "b", model_type) == theirs(tmp_path / "b") == expected
    assert bring(tmp_path / "b", tmp_path / "c", model_type) == []
    assert (tmp_path / "c/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()


def test_a_file_that_says_it_all_stays_as_it_is(tmp_path: Path):
    raw = json.loads(word_pieces().to_str())
    source = write(tmp_path / "a", "bert", raw, {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    assert bring(source, tmp_path / "b", "bert") == []
    assert (tmp_path / "b/tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()


def test_what_changed_and_what_nothing_applies_is_said(tmp_path: Path):
    said = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "whatever": 1, "add_eos_token": True}
    source = write(tmp_path / "a", "bert", json.loads(word_pieces().to_str()), said)
    assert bring(source, tmp_path / "b", "bert") == [
        "tokenizer_config.json says add_eos_token, which transformers 5 does not heed where there is a tokenizer.json; "
        "what that adds is added",
        "tokenizer_config.json says what no tokenizer applies: whatever",
        "tokenizer.json now says what the tokenizer's other files change in it",
    ]
    written = disk.read_json(tmp_path / "b/tokenizer.json")
    assert written["normalizer"]["lowercase"] is False


def test_the_side_that_is_cut_is_said(tmp_path: Path):
    said = {"tokenizer_class": "BertTokenizer", "truncation_side": "left"}
    source = write(tmp_path / "a", "bert", json.loads(word_pieces().to_str()), said)
    bring(source, tmp_path / "b", "bert")
    assert disk.read_json(tmp_path / "b/tokenizer.json")["truncation"] == {
        "direction": "Left",
        "max_length": LENGTH,
        "strategy": "LongestFirst",
        "stride": 0,
    }


def test_a_class_that_is_not_followed_is_made_by_transformers(tmp_path: Path):
    raw = json.loads(byte_level(("<|endoftext|>",)).to_str())
    said = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}
    source = write(tmp_path / "a", "roberta", raw, said, {"pad_token": "<|endoftext|>"})
    with pytest.raises(CallError, match="tokenizer_class = 'GPT2Tokenizer', which is not known here"):
        ours(source, "roberta")
    heard = bring(source, tmp_path / "b", "roberta")
    assert heard == ["Made tokenizer.json with transformers, as the tokenizer's files say together"]
    assert ours(tmp_path / "b", "roberta") == alone(tmp_path / "b") == theirs(tmp_path / "b") == theirs(source)


@pytest.mark.parametrize("named", ["CanineTokenizer", "BertJapaneseTokenizer"])
def test_a_class_that_no_file_can_say_is_refused(tmp_path: Path, named: str):
    source = write(tmp_path / "a", "bert", json.loads(word_pieces().to_str()), {"tokenizer_class": named})
    with pytest.raises(CallError, match=f"tokenizer_class = '{named}', which is not known here") as found:
        bring(source, tmp_path / "b", "bert")
    assert "transformers does not make one either" in str(found.value)


@pytest.mark.parametrize("flags", [{"add_eos_token": True}, {"add_bos_token": True, "add_eos_token": True}], ids=str)
def test_nothing_is_added_that_transformers_does_not_add(tmp_path: Path, flags: dict):
    source = altered(tmp_path / "source", "mistral")
    made = Tokenizer.from_file(str(source / "tokenizer.json"))
    made.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    made.save(str(source / "tokenizer.json"))
    disk.write_json(source / "tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>"} | flags)
    run("convert", source, tmp_path / "out")
    found = Tokenizer.from_file(str(tmp_path / "out/tokenizer.json"))
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(source), local_files_only=True)
    for text in WORDS:
        assert found.encode(text).ids == theirs(text)["input_ids"] == made.encode(text).ids


def test_a_tokenizer_that_can_not_be_followed_leaves_nothing(tmp_path: Path):
    source = altered(tmp_path / "source", "bert")
    disk.write_json(source / "tokenizer_config.json", {"tokenizer_class": "CanineTokenizer"})
    assert "tokenizer_class = 'CanineTokenizer', which is not known here" in refused(
        "convert", source, tmp_path / "out"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_full_disk_is_no_broken_tokenizer(tmp_path: Path):
    source = altered(tmp_path / "source", "bert")
    (source / "tokenizer.json").unlink()
    disk.write_json(source / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})
    (source / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(2000))]))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            bring(source, tmp_path / "out", "bert")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
