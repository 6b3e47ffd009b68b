"""What is special about the MLX engine: BLAS, GELU on a processor, quantized trunks, whole passes compiled."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.mlx import export
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.on_mlx import blas
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train


def test_the_first_blas_that_loads_is_taken(mlx_engine: str, tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libmkl_rt.so.2").touch()
    names = blas.candidates(tmp_path)
    assert names[0] == str(tmp_path / "lib" / "libmkl_rt.so.2")
    asked: list[str] = []

    def load(name: str) -> None:
        asked.append(name)
        if "openblas" not in name:
            raise OSError(name)

    assert blas.first(names, load) == "libopenblas.so.0"
    assert asked == names[: names.index("libopenblas.so.0") + 1]
    assert blas.first(["libmkl_rt.so"], load) is None


def test_gelu_on_a_processor_is_gelu(mlx_engine: str):
    import mlx.core as mx
    import mlx.nn as nn

    from mlx_metaembed.on_mlx.activations import gelu_on_processor

    x = mx.array(np.concatenate([np.linspace(-8, 8, 4001), [-1e4, 1e4, 0.0]]).astype(np.float32))
    np.testing.assert_allclose(np.array(gelu_on_processor(x)), np.array(nn.gelu(x)), atol=2e-6)
    slopes = [np.array(mx.grad(lambda x, f=f: mx.sum(f(x) * 3.0))(x)) for f in (gelu_on_processor, nn.gelu)]
    np.testing.assert_allclose(*slopes, atol=3e-6)
    half = gelu_on_processor(x.astype(mx.float16))
    assert half.dtype == mx.float16 and np.isfinite(np.array(half)).all()


def test_a_quantized_trunk_computes_what_its_expansion_does(mlx_engine: str, tiny: Path, tmp_path: Path):
    import mlx.core as mx

    from mlx_metaembed.on_mlx import trunk

    export(folders.read(tiny), tmp_path / "q", bits=8, group_size=32)
    folder = folders.read(tmp_path / "q")
    ids, mask = mx.array(np.arange(4, 16).reshape(2, 6)), mx.array(np.ones((2, 6), bool))
    packed, plain = trunk.load(folder), trunk.load(folder, expand=True)
    assert "scales" in packed.encoder.layer[0].output.dense and "scales" not in plain.encoder.layer[0].output.dense
    states = [np.array(each(ids, mask).astype(mx.float32)) for each in (packed, plain)]
    np.testing.assert_allclose(*states, atol=0.02)


def test_a_quantized_folder_encodes_but_does_not_train(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    export(folders.read(tiny), tmp_path / "q", bits=8, group_size=32)
    vectors = [load(path, engine=engine_name).encode(TEXTS) for path in (tiny, tmp_path / "q")]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.999
    with pytest.raises(CallError, match="quantized to 8 bits, and such weights take no gradient"):
        train(Recipe(model=str(tmp_path / "q"), data=str(pairs), out=str(tmp_path / "out"), engine=engine_name))


PROGRAM = """
import json, sys
import numpy as np
from mlx_metaembed import engine, folder
from mlx_metaembed.inputs.token_store import tokenize
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.on_mlx.engine import compiles
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import batches
from mlx_metaembed.training.optimizers.rates import Optimizer
from steps import descend
path, texts = sys.argv[1], json.loads(sys.argv[2])
found = folder.read(path)
mlx = engine.choose("mlx")
mlx.load(found, dtype="float32", heads={}, arrays={}, dropout=0.2, train=True)
rows = np.arange(3)
pairs = batches.TokenizedRows({"anchor": rows, "positive": rows + 3})
batch = batches.batch(tokenize(Tokenizer(found), texts), pairs, rows, pad_id=0, chunk_tokens=64)
loss = descend(Recipe(), {}, mlx, batch, seed=3, cached=True)
norm = mlx.update(Optimizer(Recipe(learning_rate=2e-5), step=1, steps=2), divide=1, max_norm=0)
print(json.dumps([compiles(mlx.device), loss, norm]))
"""


def test_compiled_passes_give_the_same_gradient(mlx_engine: str, tiny: Path):
    found = []
    for disabled in ({"MLX_DISABLE_COMPILE": "1"}, {}):
        common = {name: value for name, value in os.environ.items() if name != "MLX_DISABLE_COMPILE"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tiny), json.dumps(TEXTS)],
            env=common | disabled | {"PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0][1:] == pytest.approx(found[1][1:], rel=1e-4)


def test_checkpointing_holds_less_than_half(mlx_engine: str, tmp_path: Path):
    import mlx.core as mx

    deep = {"num_hidden_layers": 8, "hidden_size": 64, "intermediate_size": 256, "max_position_embeddings": 256}
    path = tiny_folder(tmp_path / "deep", config=deep)
    ids, mask = np.ones((16, 128), np.int32), np.ones((16, 128), bool)
    held = []
    for checkpointing in (False, True):
        engine = engines.choose(mlx_engine)
        engine.load(folders.read(path), dtype="float32", heads={}, arrays={}, train=True, checkpointing=checkpointing)
        engine.memory(reset=True)
        before = mx.get_active_memory()
        engine.backward(Chunk(ids, mask, mask, 16), {"dense": mx.ones((16, 64))}, seed=0)
        held.append(engine.memory() - before)
    assert held[1] < 0.5 * held[0]
