"""Tokenizers and texts that would end badly: ids without a row, panics, halves of characters."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import refused
from states import GOLDEN
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.inputs.token_store import fingerprint, tokenize
from mlx_metaembed.inputs.tokenizer import Tokenizer, require_texts
from mlx_metaembed.inputs.tokenizer_files import guarded


def edited(tiny: Path, out: Path, edit: Callable[[dict], object], name: str = "tokenizer.json") -> Path:
    """A copy of the tiny model, one of whose JSON files was edited in place."""
    shutil.copytree(tiny, out)
    content = disk.optional_json(out / name)
    edit(content)
    disk.write_json(out / name, content)
    return out


def put(id: int, role: str = "[CLS]") -> Callable[[dict], object]:
    return lambda raw: raw["post_processor"]["special_tokens"][role].update(ids=[id])


@pytest.mark.parametrize("id", [120, 5000, 2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("general", [True, False])
def test_an_id_past_the_word_embedding_is_named(tiny: Path, tmp_path: Path, id: int, general: bool):
    path = edited(tiny, tmp_path / "m", put(id))
    if not general:
        (path / "tokenizer_config.json").unlink()
    named = rf"gives ids up to {id}, but the word embedding has 120 rows \('\[CLS\]' has the id {id}\)"
    with pytest.raises(CallError, match=named):
        Tokenizer(folders.read(path))
    # The rows are those of the weights.
    assert f"gives ids up to {id}, but embeddings.word_embeddings.weight has 120 rows" in refused(
        "convert", path, tmp_path / "out"
    )


def test_ids_of_other_post_processors(tiny: Path, tmp_path: Path):
    around = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 777]}
    path = edited(tiny, tmp_path / "m", lambda raw: raw.update(post_processor=around))
    with pytest.raises(CallError, match=r"'\[CLS\]' has the id 777"):
        Tokenizer(folders.read(path))
    steps = {"type": "Sequence", "processors": [around]}
    path = edited(tiny, tmp_path / "n", lambda raw: raw.update(post_processor=steps))
    with pytest.raises(CallError, match=r"'\[CLS\]' has the id 777"):
        Tokenizer(folders.read(path))


def test_a_token_around_every_text_that_another_file_adds_past_the_rows(tmp_path: Path):
    path = edited(GOLDEN / "bert", tmp_path / "m", lambda said: said.clear(), "tokenizer_config.json")
    disk.write_json(path / "special_tokens_map.json", {"cls_token": "<new>"})
    rows = folders.read(path).config["vocab_size"]
    words = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    config = disk.read_json(path / "config.json") | {"vocab_size": len(words)}
    disk.write_json(path / "config.json", config)
    assert len(words) < rows
    with pytest.raises(CallError, match=rf"put the token '<new>' with the id {len(words)} around every text, but"):
        Tokenizer(folders.read(path))


def test_an_added_token_without_a_row_is_refused_where_a_text_has_it(tiny: Path, tmp_path: Path):
    path = edited(
        tiny, tmp_path / "m", lambda said: said.update(extra_special_tokens=["<new>"]), "tokenizer_config.json"
    )
    words = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    disk.write_json(path / "config.json", disk.read_json(path / "config.json") | {"vocab_size": len(words)})
    tokenizer = Tokenizer(folders.read(path))
    assert tokenizer(TEXTS) == Tokenizer(folders.read(tiny))(TEXTS)
    with pytest.raises(CallError, match=rf"the token '<new>' with the id {len(words)}, but .* has {len(words)} rows"):
        tokenizer(["open <new>"])


def test_more_special_tokens_than_a_text_may_have(tiny: Path, tmp_path: Path):
    token = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    path = edited(tiny, tmp_path / "m", lambda raw: raw["post_processor"].update(single=[token] * 33))
    with pytest.raises(CallError, match="puts 33 special tokens around a text, which is to have at most 32 tokens"):
        Tokenizer(folders.read(path))


def test_types_other_than_the_first(tiny: Path, tmp_path: Path):
    text = {"Sequence": {"id": "A", "type_id": 0}}
    token = {"SpecialToken": {"id": "[CLS]", "type_id": 1}}
    path = edited(tiny, tmp_path / "m", lambda raw: raw["post_processor"].update(single=[token, text]))
    with pytest.raises(CallError, match="gives a text's tokens the type 1; expected 0 alone"):
        Tokenizer(folders.read(path))


def test_a_padding_without_a_row(tmp_path: Path):
    said = {"pad_token": "<new>"}
    path = edited(GOLDEN / "siglip", tmp_path / "m", lambda content: content.update(said), "tokenizer_config.json")
    rows = len(json.loads((path / "tokenizer.json").read_text())["model"]["vocab"])
    config = disk.read_json(path / "config.json")
    config["text_config"]["vocab_size"] = rows
    disk.write_json(path / "config.json", config)
    with pytest.raises(CallError, match=f"pad a text with the id {rows}, but the word embedding has {rows} rows"):
        Tokenizer(folders.read(path))


@pytest.mark.parametrize(
    "edit",
    [
        {"model": {"type": "WordLevel", "vocab": {"a": -1}, "unk_token": "[UNK]"}},
        {"model": {"type": "WordLevel", "vocab": {"a": "x"}, "unk_token": "[UNK]"}},
        {"model": {"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 9}},
        {"model": {"type": "Unigram", "vocab": [], "unk_id": 0}},
        {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}},
        {"model": []},
        {"post_processor": {"type": "Nothing"}},
        {"post_processor": 3},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}},
        {"added_tokens": [{"id": "x"}]},
        {"added_tokens": 5},
        {"truncation": 5},
        {"padding": {"pad_token": 5}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("general", [True, False])
def test_sections_of_another_form(tiny: Path, tmp_path: Path, edit: dict, general: bool):
    path = edited(tiny, tmp_path / "m", lambda raw: raw.update(edit))
    if not general:
        (path / "tokenizer_config.json").unlink()
    try:
        Tokenizer(folders.read(path))(TEXTS)
    except CallError as error:
        assert str(path) in str(error)


def test_a_panic_is_a_message():
    class Panic(BaseException):
        """As pyo3's PanicException, which is no Exception."""

    with pytest.raises(CallError, match="it fails: index out of bounds"), guarded("it fails"):
        raise Panic("index out of bounds")
    with pytest.raises(KeyboardInterrupt), guarded("it fails"):
        raise KeyboardInterrupt


HALF = "caf\ud83d is open"


def test_half_a_character_is_named_with_its_text(tiny: Path, engine_name: str):
    named = r"text 2, character 3, is half of a surrogate pair: 'caf\\ud83d is open'"
    with pytest.raises(CallError, match=named) as found:
        load(tiny, engine=engine_name).encode(["open", "caf\U0001f642", HALF])
    # It can be printed.
    str(found.value).encode("ascii")
    with pytest.raises(CallError, match=r"text 300, character 3"):
        tokenize(Tokenizer(folders.read(tiny)), [*["open"] * 300, HALF])
    with pytest.raises(CallError, match=r"text 0 is NoneType: None"):
        require_texts([None])


def test_half_a_character_on_the_command_line_and_in_a_run(tiny: Path, tmp_path: Path):
    lines = [{"anchor": f"open {row}", "positive": HALF if row == 3 else f"a socket {row}"} for row in range(8)]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    message = refused("train", "--model", tiny, "--data", data, "--out", tmp_path / "run", "--iters", 1)
    assert "half of a surrogate pair" in message
    assert "half of a surrogate pair" in refused("embed", tiny, "caf\udce9")


def test_every_file_of_the_tokenizer_makes_the_key_of_a_store(tiny: Path, tmp_path: Path):
    path = edited(tiny, tmp_path / "m", lambda said: None, "tokenizer_config.json")
    keys = {fingerprint(path / "tokenizer.json", 32, TEXTS, [""] * len(TEXTS))}
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"):
        content = disk.optional_json(path / name)
        disk.write_json(path / name, content | {"x": 1})
        keys.add(fingerprint(path / "tokenizer.json", 32, TEXTS, [""] * len(TEXTS)))
    assert len(keys) == 5
