"""A configuration that can't be meant is one clear error on both engines: no traceback, no endless loop, no crash."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN

from mlx_metaembed.config import checks
from mlx_metaembed.config.spellings import positions
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk

NAN, HUGE = float("nan"), 10**30


@pytest.mark.parametrize(
    ("family", "entry", "value", "message"),
    [
        ("bert", "vocab_size", "x", r"vocab_size = 'x', expected a whole number from 1 to 2,147,483,647"),
        ("bert", "num_hidden_layers", HUGE, "num_hidden_layers = 1000.*expected a whole number from 1 to 1,000"),
        ("distilbert", "n_layers", HUGE, "n_layers = 1000"),
        ("bert", "layer_norm_eps", 0, "layer_norm_eps = 0, expected a number above 0"),
        ("bert", "max_position_embeddings", 1.5, "max_position_embeddings = 1.5, expected a whole number"),
        ("roberta", "max_position_embeddings", 2, "max_position_embeddings = 2 leaves no position"),
        ("bert", "num_attention_heads", 5, r"multiple of .*attention.heads|attention heads \(5\)"),
        # An id past the table was read from whatever lies behind it.
        ("bert", "pad_token_id", HUGE, "pad_token_id = 1000.*expected a token's id"),
        ("bert", "pad_token_id", 120, "pad_token_id = 120, but vocab_size = 120"),
        ("roberta", "pad_token_id", None, "pad_token_id = None, expected a token's id: positions are counted from it"),
        ("modernbert", "local_attention", "x", "local_attention = 'x', expected"),
        ("modernbert", "rope_parameters", {"rope_theta": NAN}, "rope_theta = nan, expected a finite number"),
        ("jina_embeddings_v3", "lora_alpha", "x", "lora_alpha = 'x', expected a number above 0"),
        ("jina_embeddings_v3", "lora_adaptations", 3, "lora_adaptations = 3, expected a list of tasks"),
        ("jina_embeddings_v3", "task_instructions", [1], r"prompts = \[1\], expected texts by name"),
        ("nomic_moe", "moe_top_k", "x", "moe_top_k = 'x', expected a whole number"),
        ("nomic_moe", "n_inner", 10**9, "The weights in .* do not fit|5000000000 is outside"),
        ("nomic_moe", "rotary_emb_base", NAN, "rotary_emb_base = nan, expected a number above 0"),
        ("bert", "max_position_embeddings", 2**31, "expected a whole number from 1 to 16,777,216"),
        ("bert", "quantization", {"bits": 4}, "quantization: group_size = None, expected a whole number"),
        (
            *("bert", "quantization", {"bits": 4, "group_size": 64, "a.b": {"bits": 0}}),
            "quantization of a.b: bits = 0, expected a whole number",
        ),
        (
            *("bert", "quantization", {"bits": 4, "group_size": 64, "a": {"mode": 3}}),
            "quantization of a: mode = 3, expected its name",
        ),
        ("bert", "quantization", "x", "quantization = 'x', expected group_size and bits by name"),
        ("bert", "quantization_config", 5, "quantization_config = 5, expected its settings by name"),
        (
            "modernbert",
            "rope_scaling",
            {"factor": 1e308, "rope_type": "yarn"},
            "factor = 1e.308, expected .* at most 4",
        ),
        ("t5", "relative_attention_num_buckets", 0, "relative_attention_num_buckets = 0, expected a whole number"),
        ("qwen3", "num_key_value_heads", 3, "is no multiple of num_key_value_heads = 3|do not fit"),
        ("longformer", "attention_window", [4, HUGE], "attention_window = 1000.*expected even numbers"),
        ("clip", "text_config", {"num_attention_heads": NAN}, "text_config: num_attention_heads = nan"),
        ("clip", "text_config", {"hidden_size": 10**7}, "The weights in .* do not fit"),
    ],
)
def test_nonsense_is_refused(engine_name: str, tmp_path: Path, family: str, entry: str, value: object, message: str):
    if isinstance(value, dict) and entry == "text_config":
        value = disk.read_json(GOLDEN / family / "config.json")[entry] | value
    path = altered(tmp_path / "m", family, {entry: value})
    with pytest.raises(CallError, match=message):
        load(path, engine=engine_name).encode(["sort a list"])


@pytest.mark.parametrize("family", ["bert", "clip"])
def test_what_transformers_refuses_is_told_in_its_words(torch_engine: str, tmp_path: Path, family: str):
    config = disk.read_json(GOLDEN / family / "config.json")
    for part in (config, config.get("text_config", {})):
        part["eos_token_id"] = {"a": 1}
    with pytest.raises(CallError, match=r"config.json: transformers refuses it: .*eos_token_id"):
        load(altered(tmp_path / "m", family, config), engine=torch_engine)


def test_no_padding_token_is_not_the_last_word(engine_name: str, tmp_path: Path):
    texts = ["sort a list of numbers", "open"]
    path = altered(tmp_path / "m", "bert", {"pad_token_id": -1})
    expected = load(GOLDEN / "bert", engine=engine_name).encode(texts)
    np.testing.assert_allclose(load(path, engine=engine_name).encode(texts), expected, rtol=0, atol=1e-6)


def test_positions_are_counted_from_the_padding_index():
    config = {"model_type": "roberta", "max_position_embeddings": 20}
    assert positions(config) == 20 - 2
    assert positions(config | {"pad_token_id": 0}) == 20 - 1
    assert positions(config | {"pad_token_id": 3}) == 20 - 4
    assert positions(config | {"model_type": "mpnet", "pad_token_id": 3}) == 20 - 2


@dataclass
class Config:
    attention_window: int | list[int] = 512
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    vocab_size: int = 1


def test_values_by_their_annotations():
    assert not checks.type_errors(Config, {"layer_norm_eps": 1, "attention_window": [4, 8], "unknown": object()})
    assert checks.type_errors(Config, {"attention_window": [4, 0.5], "hidden_act": None, "vocab_size": True}) == [
        "attention_window = [4, 0.5], expected a whole number or a list, each a whole number",
        "hidden_act = None, expected a word",
        "vocab_size = True, expected a whole number",
    ]
    assert not checks.fits(NAN, float)
    assert checks.fits(10**400, float)
    assert checks.fits(None, float | None)
    assert checks.fits(None, bool)


@pytest.mark.parametrize("words", ["[" * 100_000, "1" * 5_000, "{'a': 1}"])
def test_json_that_python_does_not_read_is_a_fault_of_the_file(tmp_path: Path, words: str):
    path = tmp_path / "config.json"
    path.write_text(words)
    with pytest.raises(CallError, match=r"config\.json.*(not JSON|can't be read)"):
        disk.read_json(path)
    with pytest.raises(CallError, match="can't be read: it is a folder; expected a file"):
        disk.read_json(tmp_path)
