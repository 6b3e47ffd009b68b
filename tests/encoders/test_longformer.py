"""Longformer: windows in blocks and as a band, memory at its full length, what is kept for other tools."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected
from steps import loaded

from benchmarks.memory.counted import counted
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

LONGFORMER = GOLDEN / "longformer"


def longformer():
    engines.choose("mlx")
    from mlx_metaembed.on_mlx.encoders import longformer

    return longformer


def attention(window: int, width: int = 8, heads: int = 2):
    """A layer's attention with weights of chance."""
    module = longformer()
    import mlx.core as mx

    mx.random.seed(0)
    sizes = {"vocab_size": 9, "hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": heads}
    return module.SelfAttention(module.Config(**sizes, intermediate_size=8, attention_window=window), window)


def test_a_token_sees_a_window_of_real_tokens(mlx_engine: str):
    module = longformer()
    import mlx.core as mx

    seen = module.in_blocks(mx.array([[True, True, True, True, False]]), 2)[:, 0].astype(mx.int32).tolist()
    # Columns: the two tokens of the block before, the block's own, the two of the block behind.
    assert seen == [
        [[0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1]],
        [[1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0]],
        [[1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
    ]


@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 17, 31])
def test_blocks_give_what_the_band_gives(mlx_engine: str, length: int):
    layer = attention(window=4)
    import mlx.core as mx

    from mlx_metaembed.on_mlx.decoder import visible

    random = np.random.default_rng(length)
    x = mx.array(random.standard_normal((3, length, 8)).astype(np.float32))
    mask = mx.array(np.arange(length) < np.array([[length], [length // 2], [1]]))
    q, k, v = (each(x).reshape(3, length, 2, 4).swapaxes(1, 2) for each in (layer.query, layer.key, layer.value))
    seen = visible(mask, causal=False, window=3)
    band = mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5, mask=seen).swapaxes(1, 2).reshape(3, length, 8)
    np.testing.assert_allclose(np.array(layer(x, mask)), np.array(band), rtol=0, atol=1e-6)


def test_memory_grows_with_the_window_not_with_the_square(mlx_engine: str):
    """4,096 tokens, two heads: scores of every pair would be 134 MB, in float32; blocks hold a fiftieth."""
    layer = attention(window=32)
    import mlx.core as mx

    x, mask = mx.ones((1, 4096, 8)), mx.ones((1, 4096), dtype=mx.bool_)
    mx.eval(x, mask, layer.parameters())
    assert counted(mlx_engine, lambda: mx.eval(layer(x, mask))) < 16e6


def test_a_long_text_is_the_references(two_engines: tuple[str, str], tmp_path: Path):
    """300 tokens and windows of 64, where the golden texts have 40 and 8; padding crosses blocks."""

    def longer(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        places = np.random.default_rng(0).standard_normal((400, 32)).astype(np.float32)
        return arrays | {"embeddings.position_embeddings.weight": places}

    config = {"max_position_embeddings": 400, "attention_window": [32, 64]}
    path = altered(tmp_path / "long", "longformer", config, longer)
    random = np.random.default_rng(0)
    mask = np.arange(300) < np.array([[300], [257], [97], [3]])
    ids = np.where(mask, random.integers(4, 70, mask.shape), 1).astype(np.int32)
    one, other = (encoder(engine, path)(ids, mask) for engine in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)


def test_the_window_is_what_counts(engine_name: str, tmp_path: Path):
    ids, mask, states = expected("longformer")
    wide = encoder(engine_name, altered(tmp_path / "wide", "longformer", {"attention_window": 64}))(ids, mask)
    lengths = mask.sum(axis=1)
    for row, length in enumerate(lengths):
        change = np.abs(wide[row, :length] - states[row, :length]).max()
        # Up to the smaller side, two tokens, every token sees all in either case.
        assert (change < 1e-5) == (length <= 3), length


def test_projections_for_global_attention_stay_as_they_are(engine_name: str, pairs: Path, tmp_path: Path):
    engine, _, _ = loaded(engine_name, LONGFORMER)
    assert not [name for name in engine.save()[0] if "_global" in name]
    settings = {"batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.1, "engine": engine_name, "iters": 2}
    train(Recipe(model=str(LONGFORMER), data=str(pairs), out=str(tmp_path / "out"), **settings))
    convert(tmp_path / "out", tmp_path / "converted")
    before, after = (safetensors.read(path / "model.safetensors") for path in (LONGFORMER, tmp_path / "converted"))
    assert before.keys() == after.keys()
    kept = {name for name in before if np.array_equal(before[name], after[name])}
    assert {name for name in before if "_global" in name or name.startswith("pooler.")} <= kept
    assert "encoder.layer.0.attention.self.query.weight" not in kept


def test_transformers_loads_all_of_it(torch_engine: str, tmp_path: Path):
    from transformers import AutoModel

    convert(LONGFORMER, tmp_path / "out")
    _, loading = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(loading.values())


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ([4, 5], "attention_window = 5: expected even numbers from 2 to 1,048,576"),
        ([4], "attention_window lists 1 layers, num_hidden_layers = 2"),
        (0, "attention_window = 0: expected even numbers"),
        ([4, 6], r"attention_window = \[4, 6\]: the widest must be a multiple of the others"),
    ],
)
def test_windows_that_cannot_be_are_refused(engine_name: str, tmp_path: Path, window: object, message: str):
    with pytest.raises(CallError, match=message):
        load(altered(tmp_path / "m", "longformer", {"attention_window": window}), engine=engine_name)


def test_the_longest_text_is_two_shorter_than_the_table(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(LONGFORMER, tmp_path / "m"))
    disk.write_json(path / "sentence_bert_config.json", {"max_seq_length": 4098})
    assert folders.read(path).max_seq_length == 40
    ids = np.full((1, 40), 9, np.int32)
    assert np.isfinite(encoder(engine_name, path)(ids, ids > 0)).all()
