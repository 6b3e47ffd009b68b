"""Engines: right vectors, strict loading, one gradient three ways, and the two engines against each other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from steps import Descent, descend, loaded, objectives, one_step
from tiny import TEXTS, tiny_folder

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.engine import DENSE, automatic_dtype, preferred
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.heads import Fsq
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.objective import total
from mlx_metaembed.training.optimizers.rates import Optimizer


def test_padding_changes_nothing(engine_name: str, tiny: Path):
    engine, _, _ = loaded(engine_name, tiny, train=False)
    store = token_store.tokenize(Tokenizer(folders.read(tiny)), TEXTS)
    together, places = chunks.chunks(store, range(6), pad_id=0, chunk_tokens=4096)
    vectors = np.concatenate([engine.numpy(engine.embed(chunk)[DENSE]) for chunk in together])[places]
    for text in range(6):
        ids = store[text][None, :]
        whole = np.ones_like(ids, dtype=bool)
        alone = engine.numpy(engine.embed(chunks.Chunk(ids, whole, whole, 1))[DENSE])[0]
        np.testing.assert_allclose(vectors[text], alone, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("fsq", [False, True])
def test_gradcache_gives_the_plain_gradient(engine_name: str, tiny: Path, fsq: bool):
    plain, cached = (one_step(engine_name, tiny, cached=cached, fsq=fsq) for cached in (False, True))
    assert cached[0] == pytest.approx(plain[0], rel=1e-6)
    assert cached[1] == pytest.approx(plain[1], rel=1e-4)


def test_gradcache_draws_the_same_dropout_both_times(engine_name: str, tiny: Path):
    plain, cached = (one_step(engine_name, tiny, cached=cached, dropout=0.3) for cached in (False, True))
    assert cached[0] == pytest.approx(plain[0], rel=1e-6)
    assert cached[1] == pytest.approx(plain[1], rel=1e-4)
    other = one_step(engine_name, tiny, cached=True, dropout=0.3, seed=6)
    assert abs(other[0] - cached[0]) > 1e-3


def test_the_gradient_is_the_slope_of_the_loss(engine_name: str, tiny: Path):
    engine, head, batch = loaded(engine_name, tiny)
    recipe = Recipe()
    before = descend(recipe, head, engine, batch, cached=True)
    descent = Descent(engine, 1e-3)
    norm = engine.update(descent, divide=1, max_norm=0)
    after = descend(recipe, head, engine, batch, cached=True)
    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in descent.taken.values())), rel=1e-5)
    assert before - after == pytest.approx(1e-3 * norm**2, rel=0.1)
    assert set(descent.taken) == {f"trunk.{name}" for name in folders.read(tiny).trunk()}


@pytest.mark.parametrize("cached", [False, True])
def test_what_is_frozen_behind_the_trunk_stays(engine_name: str, tiny: Path, tmp_path: Path, cached: bool):
    path = tiny_folder(tmp_path / "m", dense=(DenseModule("2_Dense", 32, 16),))
    frozen = ("heads.codes.projection.weight", "dense.2_Dense.linear.weight", "trunk.embeddings.LayerNorm.bias")
    engine, head, batch = loaded(engine_name, path, fsq=True, frozen=frozen)
    descend(Recipe(), head, engine, batch, seed=0, cached=cached)
    descent = Descent(engine, 1e-3)
    engine.update(descent, divide=1, max_norm=0)
    assert not set(frozen) & set(descent.taken)
    assert {"heads.codes.projection.bias", "dense.2_Dense.linear.bias"} < set(descent.taken)
    assert set(engine.save()[0]) == set(descent.taken)


def test_frozen_heads_without_a_trunk_stay(engine_name: str, tiny: Path):
    engine, head, batch = loaded(engine_name, tiny, fsq=True, trunk=False, frozen=("heads.codes.projection.bias",))
    vectors = engine.array(np.random.default_rng(0).standard_normal((18, 32)).astype(np.float32))
    summed = total(objectives(Recipe(), head), head, engine, replace(batch, chunks=()))
    engine.grads(summed, [{DENSE: vectors}])
    descent = Descent(engine, 1e-3)
    engine.update(descent, divide=1, max_norm=0)
    assert set(descent.taken) == {"heads.codes.projection.weight"}


def test_the_process_has_its_own_limits_and_random_state_back(mlx_engine: str):
    import mlx.core as mx

    def limits() -> tuple[int, int]:
        found = mx.set_memory_limit(10**9), mx.set_cache_limit(10**8)
        mx.set_memory_limit(found[0])
        mx.set_cache_limit(found[1])
        return found

    engine = engines.choose(mlx_engine)
    before, drawn = limits(), mx.random.state[0].tolist()
    with pytest.raises(ValueError, match="stop"), engine.limited(3 * 10**9, planned=10**9):
        assert limits() == (3 * 10**9, 25 * 10**7)
        mx.random.seed(7)
        raise ValueError("stop")
    assert limits() == before and mx.random.state[0].tolist() == drawn


def test_a_run_on_torch_leaves_the_random_state(torch_engine: str):
    import torch

    engine, before = engines.choose(torch_engine), torch.get_rng_state()
    with engine.limited(10**9, planned=10**8):
        torch.manual_seed(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_clipping_scales_to_the_norm(engine_name: str, tiny: Path):
    engine, head, batch = loaded(engine_name, tiny)
    descend(Recipe(), head, engine, batch, seed=0, cached=True)
    descent = Descent(engine)
    engine.update(descent, divide=1, max_norm=0.5)
    assert np.sqrt(sum((g**2).sum() for g in descent.taken.values())) == pytest.approx(0.5, rel=1e-4)


def test_a_gradient_that_is_not_finite_changes_nothing(engine_name: str, tiny: Path):
    engine, head, batch = loaded(engine_name, tiny)
    before = {name: array.copy() for name, array in engine.save()[0].items()}
    descend(Recipe(), head, engine, batch, scale=float("inf"), cached=True)
    assert not np.isfinite(
        engine.update(Optimizer(Recipe(learning_rate=2e-5), step=1, steps=1), divide=1, max_norm=1.0)
    )
    for name, array in engine.save()[0].items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_keeps_float32_masters(engine_name: str, tiny: Path, dtype: str):
    wide = one_step(engine_name, tiny, cached=True)
    half = one_step(engine_name, tiny, cached=True, dtype=dtype)
    assert half[0] == pytest.approx(wide[0], rel=0.05)
    for name, array in half[2].items():
        assert array.dtype == np.float32, name
    # A step smaller than half precision resolves still moves the masters.
    engine, head, batch = loaded(engine_name, tiny, dtype=dtype)
    recipe = Recipe(learning_rate=1e-7, warmup_ratio=0.0, weight_decay=0.0)
    before = engine.save()[0]["trunk.embeddings.LayerNorm.weight"].copy()
    descend(recipe, head, engine, batch, seed=0, cached=True)
    engine.update(Optimizer(recipe, step=1, steps=1), divide=1, max_norm=0)
    moved = np.abs(engine.save()[0]["trunk.embeddings.LayerNorm.weight"] - before)
    assert 0 < moved.max() < 3e-7


@pytest.mark.parametrize("fsq", [False, True])
def test_both_engines_have_the_same_gradient(two_engines: tuple[str, str], tiny: Path, fsq: bool):
    found = []
    for name in two_engines:
        engine, head, batch = loaded(name, tiny, fsq=fsq)
        descent = Descent(engine)
        loss = descend(Recipe(matryoshka=(32, 8)), head, engine, batch, seed=0, cached=True)
        found.append((loss, engine.update(descent, divide=1, max_norm=0), descent.taken))
    (loss, norm, gradients), (other_loss, other_norm, others) = found
    assert loss == pytest.approx(other_loss, rel=1e-6)
    assert norm == pytest.approx(other_norm, rel=1e-5)
    assert set(gradients) == set(others)
    for name in gradients:
        np.testing.assert_allclose(gradients[name], others[name], atol=2e-6 * norm, err_msg=name)


def test_dense_modules_are_trained_and_kept(engine_name: str, tmp_path: Path):
    module = DenseModule("2_Dense", 32, 16, True, "torch.nn.modules.activation.Tanh")
    path = tiny_folder(tmp_path / "m", dense=(module,), pooling="cls", normalize=False)
    engine, head, batch = loaded(engine_name, path)
    assert engine.embed(batch.chunks[0])[DENSE].shape[-1] == 16
    before = engine.save()[0]["dense.2_Dense.linear.weight"].copy()
    descend(Recipe(), head, engine, batch, seed=0, cached=False)
    engine.update(Optimizer(Recipe(learning_rate=2e-5, warmup_ratio=0.0), step=1, steps=1), divide=1, max_norm=1.0)
    assert not np.array_equal(engine.save()[0]["dense.2_Dense.linear.weight"], before)
    (path / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(CallError, match=r"2_Dense/model\.safetensors is missing"):
        loaded(engine_name, path)


def test_every_tensor_that_does_not_fit_is_named(engine_name: str, tiny: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    arrays = safetensors.read(broken / "model.safetensors")
    del arrays["embeddings.LayerNorm.bias"]
    arrays["encoder.layer.0.output.dense.weight"] = np.zeros((32, 65), np.float32)
    arrays["encoder.layer.7.output.dense.bias"] = np.zeros(32, np.float32)
    safetensors.write(broken / "model.safetensors", arrays)
    with pytest.raises(CallError) as caught:
        loaded(engine_name, broken)
    for part in ("embeddings.LayerNorm.bias (32,): missing", "shape (32, 65)", "encoder.layer.7.output.dense.bias"):
        assert part in str(caught.value)


@pytest.mark.parametrize("part", ["", "pooler."], ids=["all", "pooler"])
def test_float64_weights_are_refused_on_mlx(mlx_engine: str, tiny: Path, tmp_path: Path, part: str):
    wide = tmp_path / "wide"
    shutil.copytree(tiny, wide)
    arrays = safetensors.read(wide / "model.safetensors")
    arrays |= {name: array.astype(np.float64) for name, array in arrays.items() if name.startswith(part)}
    safetensors.write(wide / "model.safetensors", arrays)
    with pytest.raises(CallError, match=r"float64 weights.*--dtype float32"):
        loaded(mlx_engine, wide)


def test_an_unknown_model_type_lists_the_known(engine_name: str, tmp_path: Path):
    path = tiny_folder(tmp_path / "m", config={"model_type": "bret"})
    with pytest.raises(CallError, match=r"model_type 'bret' is not supported; did you mean 'bert'.*Supported: bert, "):
        loaded(engine_name, path)


def test_optimizer_state_moves_between_engines(two_engines: tuple[str, str], tiny: Path, tmp_path: Path):
    recipe = Recipe(learning_rate=1e-2, warmup_ratio=0.0)
    results = []
    for second in two_engines:
        engine, head, batch = loaded(two_engines[0], tiny)
        descend(recipe, head, engine, batch, seed=0, cached=True)
        engine.update(Optimizer(recipe, step=1, steps=2), divide=1, max_norm=1.0)
        masters, state = engine.save()
        moved = tmp_path / second
        shutil.copytree(tiny, moved)
        trunk = {name.removeprefix("trunk."): array for name, array in masters.items()}
        safetensors.write(moved / "model.safetensors", trunk)
        other, head, batch = loaded(second, moved)
        other.restore(state)
        descend(recipe, head, other, batch, seed=0, cached=True)
        other.update(Optimizer(recipe, step=2, steps=2), divide=1, max_norm=1.0)
        results.append(other.save())
    for name, array in results[0][1].items():
        np.testing.assert_allclose(array, results[1][1][name], atol=1e-5, rtol=1e-2)


def test_choices_and_their_reasons():
    def never() -> bool:
        raise AssertionError("CUDA was asked for without need")

    mac = preferred(system="Darwin", machine="arm64", torch=True, cuda=never, mlx=True)
    assert mac == ("mlx", "auto: Apple silicon")
    common = {"system": "Linux", "machine": "x86_64"}
    assert preferred(**common, torch=True, cuda=lambda: True, mlx=True)[0] == "torch"
    assert preferred(**common, torch=True, cuda=lambda: False, mlx=True)[0] == "torch"
    assert preferred(**common, torch=False, cuda=never, mlx=True) == ("mlx", "auto: torch is not installed")
    assert preferred(**common, torch=False, cuda=never, mlx=False)[0] == "torch"


@pytest.mark.parametrize(
    ("device", "native", "dtype"),
    [
        ("Apple M1", False, "float16"),
        ("Apple M4 Max", True, "bfloat16"),
        ("NVIDIA H200", True, "bfloat16"),
        ("NVIDIA GeForce RTX 2080 Ti", False, "float16"),
        ("cpu", False, "float32"),
    ],
)
def test_the_arithmetic_of_a_device(device: str, native: bool, dtype: str):
    assert automatic_dtype(SimpleNamespace(device=device, bfloat16=native))[0] == dtype


def test_heads_are_read_with_the_folder(engine_name: str, tiny: Path, tmp_path: Path):
    path = tmp_path / "m"
    shutil.copytree(tiny, path)
    head = Fsq(32, (4, 8))
    heads.write({"codes": head}, {f"codes.{name}": array for name, array in head.initial(0).items()}, path)
    folder = replace(folders.read(path))
    found, arrays = heads.read(folder)
    engine = engines.choose(engine_name)
    engine.load(folder, dtype="float32", heads=found, arrays=behind_trunk(folder, arrays))
    vectors = engine.array(np.eye(32, dtype=np.float32)[:3])
    got = engine.numpy(engine.head("codes", vectors))
    np.testing.assert_allclose(got, head(head.initial(0), np.eye(32, dtype=np.float32)[:3]), atol=1e-6)
    assert json.loads((path / "metaembed" / "heads.json").read_text())["codes"]["levels"] == [4, 8]
