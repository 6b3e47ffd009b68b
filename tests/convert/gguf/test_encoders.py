"""Encoders out of GGUF, made as llama.cpp's converter makes them: the vectors of the model that the file is of."""

import json
import re
import shutil
from pathlib import Path

import gguf_files
import numpy as np
import pytest
from tokenizers import Tokenizer

from mlx_metaembed import embedder
from mlx_metaembed.convert.checkpoint import convert
from mlx_metaembed.files import safetensors
from mlx_metaembed.files.disk import write_json

GOLDEN = Path(__file__).parents[2] / "golden"
TEXTS = ["Sort the words, and sort them!", "a théory", "the the sort"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BERT_WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    "the",
    "sort",
    "##ort",
]
BERT_WORDS += [",", "!", "and", "word", "##s"]
BERT_WORDS = list(dict.fromkeys(BERT_WORDS))
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, "▁the", "▁sort", "▁and", ",", "!", "▁a", "or", "S"]
NAMES = {
    r"embeddings\.word_embeddings": "token_embd",
    r"embeddings\.position_embeddings": "position_embd",
    r"embeddings\.token_type_embeddings": "token_types",
    r"(embeddings\.LayerNorm|emb_ln)": "token_embd_norm",
    r"encoder\.layers?\.(\d+)\.": r"blk.\1.",
    r"attention\.self\.query": "attn_q",
    r"attention\.self\.key": "attn_k",
    r"attention\.self\.value": "attn_v",
    r"attn\.Wqkv": "attn_qkv",
    r"(attention\.output\.dense|attn\.out_proj)": "attn_output",
    r"(attention\.output\.LayerNorm|norm1)": "attn_output_norm",
    r"(intermediate\.dense|mlp\.fc11)": "ffn_up",
    r"mlp\.fc12": "ffn_gate",
    r"((?<=\d\.)output\.dense|mlp\.fc2)": "ffn_down",
    r"((?<=\d\.)output\.LayerNorm|norm2)": "layer_output_norm",
}


def named(name: str) -> str:
    for own, theirs in NAMES.items():
        name = re.sub(own, theirs, name)
    return name


def bert_words() -> tuple[dict, dict]:
    """A tokenizer.json of BERT's, and the metadata that llama.cpp has of it."""
    steps = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": at, "content": word, "special": True}
            | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            for at, word in enumerate(BERT_WORDS[:4])
        ],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
        | {"strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
        | {"max_input_chars_per_word": 100, "vocab": {word: at for at, word in enumerate(BERT_WORDS)}},
    }
    marked = [word if at < 4 else word[2:] if word[:2] == "##" else f"▁{word}" for at, word in enumerate(BERT_WORDS)]
    said = {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.pre": "jina-v2-en",
        "tokenizer.ggml.tokens": marked,
        "tokenizer.ggml.token_type": np.array([3] * 4 + [1] * (len(marked) - 4), np.int32),
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.cls_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,
    }
    return steps, said


def unigram_words() -> tuple[dict, dict]:
    """The same of XLM-R's."""
    scores = [0.0] * 4 + [-float(at) for at in range(1, len(PIECES) - 3)]
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    ends = [{"SpecialToken": {"id": token, "type_id": 0}} for token in ("<s>", "</s>")]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    steps = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]},
        "post_processor": {"type": "TemplateProcessing", "single": [ends[0], text, ends[1]], "pair": [ends[0], text]}
        | {
            "special_tokens": {
                token: {"id": token, "ids": [at], "tokens": [token]} for at, token in ((0, "<s>"), (2, "</s>"))
            }
        },
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": [list(pair) for pair in zip(PIECES, scores, strict=True)]},
    }
    said = {
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.scores": np.array(scores, np.float32),
        "tokenizer.ggml.token_type": np.array([3, 3, 3, 2] + [1] * (len(PIECES) - 4), np.int32),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": True,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.padding_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 3,
    }
    return steps, said


CASES = {
    "bert": ("bert", bert_words, 2, "cls"),
    "xlm-roberta": ("bert", unigram_words, 1, "mean"),
    "nomic_bert": ("nomic-bert", bert_words, 1, "mean"),
}


def pair(tmp_path: Path, family: str) -> tuple[Path, Path]:
    """A golden model with a tokenizer of its family, and the GGUF file of it."""
    arch, words, pooling, mode = CASES[family]
    steps, said = words()
    source = Path(shutil.copytree(GOLDEN / family, tmp_path / "source"))
    (source / "tokenizer.json").write_text(json.dumps(steps))
    write_json(source / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    declared = json.loads((source / "1_Pooling" / "config.json").read_text())
    flags = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
    declared |= dict.fromkeys((key for key in declared if key.startswith("pooling_mode_")), False) | {flags[mode]: True}
    write_json(source / "1_Pooling" / "config.json", declared)
    config = json.loads((source / "config.json").read_text())
    positions = config.get("max_position_embeddings") or config["n_positions"]
    tensors = {}
    for name, array in safetensors.read(source / "model.safetensors").items():
        if "pooler" in name or "position_ids" in name:
            continue
        if family == "xlm-roberta" and "position_embeddings" in name:
            array = array[2:]
        tensors[named(name)] = array.astype(np.float32)
    said |= {
        "general.architecture": arch,
        f"{arch}.block_count": 2,
        f"{arch}.context_length": positions - (2 if family == "xlm-roberta" else 0),
        f"{arch}.embedding_length": 32,
        f"{arch}.feed_forward_length": config.get("intermediate_size") or config["n_inner"],
        f"{arch}.attention.head_count": 4,
        f"{arch}.attention.layer_norm_epsilon": float(config.get("layer_norm_eps") or config["layer_norm_epsilon"]),
        f"{arch}.attention.causal": False,
        f"{arch}.pooling_type": pooling,
    }
    if arch == "nomic-bert":
        said[f"{arch}.rope.freq_base"] = float(config["rotary_emb_base"])
    return source, gguf_files.write(tmp_path / "a.gguf", said, tensors)


@pytest.mark.parametrize("family", CASES)
def test_vectors_are_the_models_own(family: str, tmp_path: Path, engine_name: str):
    source, file = pair(tmp_path, family)
    made = convert(file, tmp_path / "out", engine=engine_name)
    assert (made.pooling, made.normalize, made.config["dtype"]) == (CASES[family][3], True, "float32")
    ids = [
        [Tokenizer.from_file(str(at / "tokenizer.json")).encode(text).ids for text in TEXTS]
        for at in (source, made.path)
    ]
    assert ids[0] == ids[1]
    expected = embedder.load(source, engine=engine_name).encode(TEXTS)
    found = embedder.load(made.path, engine=engine_name).encode(TEXTS)
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("capitals", [False, True])
def test_a_vocabulary_with_capitals_keeps_them(capitals: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = [*BERT_WORDS[:-1], "Sort" if capitals else "zz"]
    monkeypatch.setitem(globals(), "BERT_WORDS", words)
    _, file = pair(tmp_path, "bert")
    made = convert(file, tmp_path / "out")
    content = json.loads((made.path / "tokenizer.json").read_text())
    assert content["normalizer"]["lowercase"] is not capitals
    assert list(content["model"]["vocab"]) == words


def test_the_card_says_where_it_comes_from(tmp_path: Path):
    _, file = pair(tmp_path, "bert")
    made = convert(file, tmp_path / "out")
    assert "converted from GGUF" in (made.path / "README.md").read_text()


def test_sentence_transformers_gives_the_same(tmp_path: Path, sentence_transformers: str):
    from sentence_transformers import SentenceTransformer

    _, file = pair(tmp_path, "bert")
    made = convert(file, tmp_path / "out")
    theirs = SentenceTransformer(str(made.path)).encode(TEXTS)
    np.testing.assert_allclose(embedder.load(made.path).encode(TEXTS), theirs, atol=2e-6)
