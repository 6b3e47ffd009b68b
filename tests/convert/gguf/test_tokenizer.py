"""The words of a GGUF file as tokenizer.json: the ids of the tokenizer that the file was made of."""

import base64
import json
from pathlib import Path

import gguf_files
import numpy as np
import pytest
from tiny import TEXTS
from tokenizers import Tokenizer

from mlx_metaembed.convert.gguf import splits, tokenizer, words
from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.errors import CallError

CUTS = {
    "default": ["It", "'", "S", "Ġ", "123", "45", "ĠHTMLParser", "ĊĊĠ", "Ġok", "/+"],
    "gpt-2": ["It", "'", "S", "Ġ12345", "ĠHTMLParser", "ĊĊĠ", "Ġok", "/+"],
    "smollm": ["It", "'", "S", "Ġ", "1", "2", "3", "4", "5", "ĠHTMLParser", "ĊĊĠ", "Ġok", "/+"],
    "llama-bpe": ["It", "'S", "Ġ", "123", "45", "ĠHTMLParser", "ĊĊ", "Ġ", "Ġok", "/+"],
    "qwen2": ["It", "'S", "Ġ", "1", "2", "3", "4", "5", "ĠHTMLParser", "ĊĊ", "Ġ", "Ġok", "/+"],
    "tekken": ["It", "'S", "Ġ", "1", "2", "3", "4", "5", "ĠHTMLParser", "ĊĊ", "Ġ", "Ġok", "/+"],
    "gpt-4o": ["It'S", "Ġ", "123", "45", "ĠHTMLParser", "ĊĊ", "Ġ", "Ġok", "/+"],
}


def written(said: dict, out: Path, architecture: str = "llama", rows: int = 100_000) -> Tokenizer:
    out.mkdir(exist_ok=True)
    found = {"general.architecture": architecture} | {key: given for key, given in said.items() if given is not None}
    tokenizer.write(tokenizer.words(Metadata("a.gguf", found), rows), out, longest=64)
    return Tokenizer.from_file(str(out / "tokenizer.json"))


@pytest.mark.parametrize("name", CUTS)
def test_a_text_is_cut_as_the_name_says(name: str, tmp_path: Path):
    made = written(gguf_files.byte_pairs(name), tmp_path)
    pieces = made.pre_tokenizer.pre_tokenize_str("It'S 12345 HTMLParser\n\n  ok/+")
    assert [piece for piece, _ in pieces] == CUTS[name]


def test_every_name_makes_a_tokenizer(tmp_path: Path):
    for name in splits.SPLITS:
        made = written(gguf_files.byte_pairs(name), tmp_path)
        assert made.decode(made.encode("sort the and, né 12").ids) == "sort the and, né 12"


def test_byte_pairs_of_a_trained_tokenizer(tmp_path: Path):
    from tokenizers import decoders, models, pre_tokenizers, trainers

    own = Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)])
    own.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    own.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=330, special_tokens=["<end>"], initial_alphabet=alphabet)
    )
    content = json.loads(own.to_str())["model"]
    listed = sorted(content["vocab"], key=content["vocab"].__getitem__)
    said = gguf_files.byte_pairs("smollm") | {
        "tokenizer.ggml.tokens": listed,
        "tokenizer.ggml.token_type": np.array([3] + [1] * (len(listed) - 1), np.int32),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in content["merges"]],
    }
    made = written(said, tmp_path)
    for text in [*TEXTS, "a  sorted list, 2024<end>\n of näive 日本 files", ""]:
        assert made.encode(text).ids == own.encode(text).ids, text


def test_what_begins_and_ends_a_text(tmp_path: Path):
    def ids(pre: str = "gpt-2", **flags: bool) -> list[int]:
        said = gguf_files.byte_pairs(pre) | {f"tokenizer.ggml.{name}": flag for name, flag in flags.items()}
        return written(said, tmp_path).encode("the").ids

    the = gguf_files.byte_pairs()["tokenizer.ggml.tokens"].index("the")
    assert ids() == [the]
    assert ids(add_bos_token=True) == [0, the]
    assert ids(add_eos_token=True) == [the, 1]
    # Llama 3's begins a text where the file says nothing.
    assert ids("llama-bpe") == [0, the]
    assert ids("llama-bpe", add_bos_token=False) == [the]


def test_a_word_whole_before_its_merges(tmp_path: Path):
    said = gguf_files.byte_pairs("llama-bpe")
    said["tokenizer.ggml.tokens"][-1] = "xyz"
    said["tokenizer.ggml.merges"] = said["tokenizer.ggml.merges"][:-1]
    last = len(said["tokenizer.ggml.tokens"]) - 1
    assert written(said, tmp_path).encode("xyz", add_special_tokens=False).ids == [last]
    assert len(written(said | {"tokenizer.ggml.pre": "dbrx"}, tmp_path).encode("xyz").ids) == 3


def test_control_and_own_tokens_are_never_cut(tmp_path: Path):
    said = gguf_files.byte_pairs()
    said["tokenizer.ggml.tokens"] += ["<think>", "[PAD270]"]
    said["tokenizer.ggml.token_type"] = np.append(said["tokenizer.ggml.token_type"], np.array([4, 5], np.int32))
    made = written(said, tmp_path)
    first = len(said["tokenizer.ggml.tokens"]) - 2
    assert made.encode("<think><|end|>").ids == [first, 0]
    assert made.decode([first, 0]) == "<think>"
    assert made.token_to_id("[PAD270]") is None


def test_transformers_takes_it_as_it_is(tmp_path: Path, torch_engine: str):
    from transformers import AutoTokenizer

    made = written(gguf_files.byte_pairs("smollm"), tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "sort<|turn|>the 12"
    assert loaded(text)["input_ids"] == made.encode(text).ids
    assert (loaded.eos_token_id, loaded.pad_token_id, loaded.model_max_length) == (1, 0, 64)


def sentencepiece(tmp_path: Path, **settings: object):
    """A small SentencePiece model of byte pairs, and the metadata that llama.cpp's converter makes of it."""
    library = pytest.importorskip("sentencepiece")
    (tmp_path / "text").write_text("\n".join(TEXTS * 5))
    library.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "model"),
        model_type="bpe",
        vocab_size=340,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
        **settings,
    )
    own = library.SentencePieceProcessor(model_file=str(tmp_path / "model.model"))
    ids = range(own.get_piece_size())
    kinds = [2 if own.is_unknown(at) else 3 if own.is_control(at) else 6 if own.is_byte(at) else 1 for at in ids]
    said = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [own.id_to_piece(at) for at in ids],
        "tokenizer.ggml.scores": np.array([own.get_score(at) for at in ids], np.float32),
        "tokenizer.ggml.token_type": np.array(kinds, np.int32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    return own, said


ODD = ["a  sorted list", " leading", "näive 日本 \n files", "sort", "", "a▁b"]


def test_pieces_as_sentencepiece_has_them(tmp_path: Path):
    own, said = sentencepiece(tmp_path)
    made = written(said, tmp_path)
    for text in [*TEXTS, *ODD]:
        expected = own.encode(text) if text else made.encode("", add_special_tokens=False).ids
        assert made.encode(text).ids == [1, *expected], text
        assert made.decode(made.encode(text).ids) == text.replace("▁", " ")


def test_pieces_without_a_space_before_a_text(tmp_path: Path):
    own, said = sentencepiece(tmp_path, add_dummy_prefix=False)
    made = written(said | {"tokenizer.ggml.add_space_prefix": False}, tmp_path)
    for text in [*TEXTS, *ODD]:
        assert made.encode(text).ids == [1, *own.encode(text)], text


def test_gemmas_pieces(tmp_path: Path):
    """Its runs of spaces are words of the user's, which llama.cpp spells as spaces, and it has no prefix."""
    own, said = sentencepiece(tmp_path, add_dummy_prefix=False)
    tokens = [*said["tokenizer.ggml.tokens"], "  ", "   "]
    said |= {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": np.full(len(tokens), -1000, np.float32),
        "tokenizer.ggml.token_type": np.append(said["tokenizer.ggml.token_type"], np.array([4, 4], np.int32)),
    }
    made = written(said, tmp_path, "gemma3")
    for text in TEXTS:
        assert made.encode(text).ids == [1, *own.encode(text)], text
    assert made.encode("  ").ids == [1, len(tokens) - 2]
    assert made.encode("   ").ids == [1, len(tokens) - 1]


def test_merges_follow_from_scores():
    vocabulary = {"a": 0, "b": 1, "ab": 2, "ba": 3, "aba": 4}
    found = words.merges(vocabulary, {"a": 0.0, "b": 0.0, "ab": -1.0, "ba": -3.0, "aba": -2.0})
    assert found == [["a", "b"], ["ab", "a"], ["a", "ba"], ["b", "a"]]


def test_unigram_keeps_its_map_of_characters(tmp_path: Path):
    said = {
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": ["<s>", "</s>", "▁", "a"],
        "tokenizer.ggml.scores": np.array([0, 0, -1, -2], np.float32),
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.precompiled_charsmap": np.frombuffer(bytes(8), np.uint8),
    }
    content = words.unigram(tokenizer.words(Metadata("a.gguf", said), 4)).sections
    assert base64.b64decode(content["normalizer"]["precompiled_charsmap"]) == bytes(8)


def without(key: str) -> dict:
    return gguf_files.byte_pairs() | {f"tokenizer.ggml.{key}": None}


BAD = {
    "tokenizer.ggml.model: missing; expected a string": without("model"),
    "tokenizer.ggml.tokens: missing; expected an array of strings": without("tokens"),
    "tokenizer.ggml.merges: missing; expected an array of strings": without("merges"),
    "tokenizer.ggml.model = 'rwkv' is not known; gpt2, llama, bert, t5": gguf_files.byte_pairs()
    | {"tokenizer.ggml.model": "rwkv"},
    "tokenizer.ggml.pre = 'smolm' is not known; did you mean 'smollm'?": gguf_files.byte_pairs("smolm"),
    "tokenizer.ggml.tokens: 'a' is word 1 and word 2": gguf_files.byte_pairs()
    | {"tokenizer.ggml.tokens": ["<|end|>", "a", "a"], "tokenizer.ggml.token_type": None},
    "tokenizer.ggml.token_type: found 2 values, expected 270 numbers": gguf_files.byte_pairs()
    | {"tokenizer.ggml.token_type": np.array([1, 1], np.int32)},
    "tokenizer.ggml.eos_token_id: found 270, expected a whole number from 0 to 269": gguf_files.byte_pairs()
    | {"tokenizer.ggml.eos_token_id": 270},
    "tokenizer.ggml.merges: found 'abc', expected two words": gguf_files.byte_pairs()
    | {"tokenizer.ggml.merges": ["abc"]},
    "The tokenizer of a.gguf can't be used": gguf_files.byte_pairs() | {"tokenizer.ggml.merges": ["zz qq"]},
    "tokenizer.ggml.add_bos_token: found 1, expected true or false": gguf_files.byte_pairs()
    | {"tokenizer.ggml.add_bos_token": 1},
    "tokenizer.ggml.bos_token_id: missing, though texts get that token": without("bos_token_id")
    | {"tokenizer.ggml.add_bos_token": True},
    "tokenizer.ggml.scores: missing; expected 270 numbers": gguf_files.byte_pairs() | {"tokenizer.ggml.model": "llama"},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said(message: str, tmp_path: Path):
    with pytest.raises(CallError) as raised:
        written(BAD[message], tmp_path)
    assert message in str(raised.value)


def test_more_words_than_rows(tmp_path: Path):
    with pytest.raises(CallError, match=r"tokens: 270 words, but token_embd\.weight has 269 rows"):
        written(gguf_files.byte_pairs(), tmp_path, rows=269)
