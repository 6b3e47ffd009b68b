"""Adapters: nothing changed at first, one step alike on both engines, PEFT's files, quantized bases, and fusing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pickled
import pytest
from click.testing import CliRunner

from mlx_metaembed import adapters, embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.cli.convert import command
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.export.mlx import export as export_mlx
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, model_parts, train

TEXTS = ["open a socket", "read a file and count its lines", "x"]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [{"anchor": f"read file {n}", "positive": f"def read{n}(path): return {n}"} for n in range(24)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def recipe(model: Path, data: Path, out: Path, **settings) -> Recipe:
    given = {"batch_size": 8, "iters": 4, "learning_rate": 1e-2, "dtype": "float32", "warmup_ratio": 0.0}
    return Recipe(model=str(model), data=str(data), out=str(out), **(given | settings))


def vectors(path: Path, engine_name: str) -> np.ndarray:
    return embedder.load(path, engine=engine_name, dtype="float32").encode(TEXTS)


def test_the_change_is_scale_times_b_a():
    weight, low, high = np.eye(2), np.array([[1.0, 2.0]]), np.array([[3.0], [0.0]])
    changed = adapters.changed(weight, low, high, None, 0.5)
    assert changed.tolist() == [[1 + 0.5 * 3 * 1, 0.5 * 3 * 2], [0, 1]]
    # DoRA: the same rows at the given lengths.
    changed = adapters.changed(weight, low, high, np.array([2.0, 5.0]), 0.5)
    assert np.linalg.norm(changed, axis=1).tolist() == pytest.approx([2, 5])
    assert changed[0, 1] / changed[0, 0] == pytest.approx(3 / 2.5)


def test_scale_is_alpha_over_rank():
    assert Adapter(8, 16.0, (), {}).scale == 2.0


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_only_the_adapter_trains_and_it_is_kept_beside_the_base(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, kind: str
):
    out = tmp_path / "out"
    train(recipe(tiny, pairs, out, train=kind, engine=engine_name, lora_rank=4, lora_alpha=8.0))
    assert not (out / "model.safetensors").exists()
    settings = json.loads((out / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["use_dora"]) == (4, 8.0, kind == "dora")
    assert (out / settings["base_model_name_or_path"]).resolve() == tiny.resolve()
    assert settings["base_model_name_or_path"].startswith("../")
    before, after = vectors(tiny, engine_name), vectors(out, engine_name)
    assert np.abs(before - after).max() > 1e-3
    fused = tmp_path / "fused"
    convert(out, fused)
    assert not (fused / "adapter_config.json").exists()
    np.testing.assert_allclose(vectors(fused, engine_name), after, atol=2e-6)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_both_engines_train_the_same_adapter(
    two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path, kind: str
):
    for name in two_engines:
        train(recipe(tiny, pairs, tmp_path / name, train=kind, engine=name, learning_rate=1e-3))
    found = [safetensors.read(tmp_path / name / adapters.FILE) for name in two_engines]
    assert set(found[0]) == set(found[1])
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], atol=2e-4, err_msg=name)
    # Each engine reads what the other wrote.
    np.testing.assert_allclose(*(vectors(tmp_path / two_engines[0], name) for name in two_engines), atol=2e-6)


def test_a_new_adapter_changes_nothing(engine_name: str, tiny: Path, tmp_path: Path):
    base = folders.read(tiny)
    layers = {"encoder.layer.0.attention.self.query": (32, 32), "encoder.layer.1.output.dense": (32, 64)}
    made = adapters.new(base, layers, rank=2, alpha=4, dora=True, seed=0)
    adapters.write(made, str(tiny), tmp_path / "adapter")
    np.testing.assert_allclose(vectors(tmp_path / "adapter", engine_name), vectors(tiny, engine_name), atol=1e-6)


def test_a_stopped_adapter_resumes_to_the_same_weights(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    whole = recipe(tiny, pairs, tmp_path / "whole", train="lora", engine=engine_name)
    train(whole)
    parts = replace(whole, out=str(tmp_path / "parts"))
    asked = iter([False, True])
    with pytest.raises(JobError, match="Stopped after step 2"):
        train(parts, callbacks=[Callbacks(stopped=lambda: next(asked))])
    train(parts, resume=True)
    expected, got = (safetensors.read(tmp_path / name / adapters.FILE) for name in ("whole", "parts"))
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_a_quantized_base_trains_an_adapter(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    export_mlx(folders.read(tiny), tmp_path / "q", bits=8, group_size=32)
    with pytest.raises(CallError, match=r"quantized to 8 bits.*--train lora"):
        train(recipe(tmp_path / "q", pairs, tmp_path / "full"))
    for name in two_engines:
        train(recipe(tmp_path / "q", pairs, tmp_path / name, train="lora", engine=name, learning_rate=1e-3))
    np.testing.assert_allclose(*(vectors(tmp_path / name, name) for name in two_engines), atol=2e-3)


def test_parts_of_the_trunk_train(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    before = safetensors.read(tiny / "model.safetensors")

    def changed(name: str, **settings) -> set[str]:
        train(recipe(tiny, pairs, tmp_path / name, engine=engine_name, weight_decay=0.1, **settings))
        after = safetensors.read(tmp_path / name / "model.safetensors")
        return {key for key, array in after.items() if not np.array_equal(array, before[key])}

    last = changed("last", num_layers=1)
    assert last and all(name.startswith("encoder.layer.1.") for name in last)
    named = changed("named", target_modules=("query", "encoder.layer.0.output"))
    assert named and all(".query." in name or "layer.0.output" in name for name in named)
    assert not any("embeddings.word" in name for name in changed("frozen", freeze_embeddings=True))
    with pytest.raises(CallError, match=r"no module 'qeury'; did you mean 'query'"):
        changed("wrong", target_modules=("qeury",))
    with pytest.raises(CallError, match=r"num_layers = 9, but the model has 2 layers"):
        changed("deep", num_layers=9)


def test_heads_train_on_vectors_that_are_embedded_once(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    heard = []
    watch = Callbacks(prepared=lambda what, count, of: heard.append((what, count)))
    result = train(recipe(tiny, pairs, out, train="heads", dense=16, fsq="4x8", engine=engine_name), callbacks=[watch])
    assert sum(count for what, count in heard if what == "embedding") == 48
    before, after = safetensors.read(tiny / "model.safetensors"), safetensors.read(out / "model.safetensors")
    assert all(np.array_equal(after[name], array) for name, array in before.items())
    dense = safetensors.read(out / "2_Dense" / "model.safetensors")["linear.weight"]
    assert dense.shape == (16, 32) and not np.array_equal(dense, np.eye(16, 32))
    assert vectors(out, engine_name).shape == (3, 16)
    assert result.steps == 4 and not list(out.glob("pooled-*"))
    with pytest.raises(CallError, match="nothing behind it to train; add --fsq or --dense"):
        train(recipe(tiny, pairs, tmp_path / "none", train="heads", engine=engine_name))


def test_checkpointing_gives_the_same_weights(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    found = []
    for word in ("off", "on"):
        train(recipe(tiny, pairs, tmp_path / word, checkpointing=word, engine=engine_name, learning_rate=1e-3))
        found.append(safetensors.read(tmp_path / word / "model.safetensors"))
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], atol=2e-5, err_msg=name)


def test_an_adapter_of_another_base_lists_every_fault(tiny: Path, tmp_path: Path):
    base = folders.read(tiny)
    made = adapters.new(base, {"encoder.layer.0.output.dense": (32, 64)}, rank=2, alpha=4, dora=False, seed=0)
    arrays = {
        "encoder.layer.0.output.dense.lora_A.weight": np.zeros((2, 60), np.float32),
        "encoder.layer.0.output.dense.lora_B.weight": made.arrays["encoder.layer.0.output.dense.lora_B.weight"],
        "encoder.layer.9.output.dense.lora_A.weight": np.zeros((2, 64), np.float32),
        "encoder.layer.9.output.dense.lora_B.weight": np.zeros((32, 2), np.float32),
    }
    wrong = Adapter(2, 4.0, ("encoder.layer.0.output.dense", "encoder.layer.9.output.dense"), arrays)
    adapters.write(wrong, str(tiny), tmp_path / "a")
    with pytest.raises(CallError) as caught:
        adapters.read(folders.read(tmp_path / "a"))
    assert "encoder.layer.9.output.dense: the base has no such linear layer" in str(caught.value)
    assert "lora_A.weight has shape (2, 60), the base and rank 2 need (2, 64)" in str(caught.value)
    path = tmp_path / "a" / "adapter_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"peft_type": "LOHA", "modules_to_save": ["classifier"]}))
    with pytest.raises(CallError, match=r"peft_type = 'LOHA'[\s\S]*modules_to_save"):
        adapters.read(folders.read(tmp_path / "a"))


def test_an_adapter_is_never_trained_as_a_whole_model(tiny: Path, pairs: Path, tmp_path: Path):
    path = tmp_path / "a"
    made = adapters.new(
        folders.read(tiny), {"encoder.layer.0.output.dense": (32, 64)}, rank=2, alpha=4, dora=False, seed=0
    )
    adapters.write(made, str(tiny), path)
    with pytest.raises(CallError, match=r"is an adapter; go on with --train lora, or fuse it first"):
        train(recipe(path, pairs, tmp_path / "o"))
    with pytest.raises(CallError, match=r"rank 2 and alpha 4; go on with --train lora --lora-rank 2 --lora-alpha 4"):
        train(recipe(path, pairs, tmp_path / "o", train="lora"))
    assert not (tmp_path / "o").exists()


def test_a_finished_adapter_is_trained_on(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = {"train": "lora", "engine": engine_name, "lora_rank": 4, "lora_alpha": 8.0}
    train(recipe(tiny, pairs, tmp_path / "first", **settings))
    train(recipe(tmp_path / "first", pairs, tmp_path / "second", **settings))
    found = folders.read(tmp_path / "second")
    assert (found.base, found.adapter) == (tiny.resolve(), tmp_path / "second")
    assert np.abs(vectors(tmp_path / "first", engine_name) - vectors(tmp_path / "second", engine_name)).max() > 1e-4


def test_rslora_is_trained_on_with_the_alpha_that_is_named(small: Path):
    path = small / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_rslora": True}))
    folder = folders.read(small)
    # 4 * sqrt(2), of which a person writes six digits.
    with pytest.raises(CallError, match=r"--lora-rank 2 --lora-alpha 5\.65685$"):
        model_parts.trunk(Recipe(train="lora"), folder)
    adapter, _ = model_parts.trunk(Recipe(train="lora", lora_rank=2, lora_alpha=5.65685), folder)
    assert adapter.scale == pytest.approx(4 / 2**0.5)


@pytest.fixture
def small(tiny: Path, tmp_path: Path) -> Path:
    """An adapter of one layer, rank 2."""
    layers = {"encoder.layer.0.output.dense": (32, 64)}
    made = adapters.new(folders.read(tiny), layers, rank=2, alpha=4, dora=False, seed=0)
    arrays = {name: array + 0.1 for name, array in made.arrays.items()}
    adapters.write(adapters.with_arrays(made, arrays), str(tiny), tmp_path / "small")
    return tmp_path / "small"


def test_a_pickled_adapter_is_converted_and_never_loaded(small: Path, tmp_path: Path):
    convert(small, tmp_path / "plain")
    arrays = safetensors.read(small / adapters.FILE)
    (small / adapters.FILE).unlink()
    with pytest.raises(CallError, match=r"adapter_model\.safetensors is missing beside it"):
        adapters.read(folders.read(small))
    pickled.save(small / "adapter_model.bin", arrays)
    with pytest.raises(CallError, match=r"adapter_model\.bin, a pickle, which no engine loads.*metaembed convert "):
        adapters.read(folders.read(small))
    convert(small, tmp_path / "unpickled")
    plain, unpickled = (safetensors.read(tmp_path / name / "model.safetensors") for name in ("plain", "unpickled"))
    assert all(np.array_equal(array, unpickled[name]) for name, array in plain.items())


def test_a_rank_that_the_tensors_contradict_is_named(small: Path):
    path = small / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"r": 8}))
    with pytest.raises(CallError, match=r"lora_A\.weight has shape \(2, 64\), the base and rank 8 need \(8, 64\)"):
        adapters.read(folders.read(small))


def test_a_base_that_is_not_there_is_named_with_what_to_do(engine_name: str, small: Path, tiny: Path, tmp_path: Path):
    path = small / "adapter_config.json"
    settings = json.loads(path.read_text())
    before = vectors(small, engine_name)
    path.write_text(json.dumps(settings | {"base_model_name_or_path": "nobody/has-it"}))
    with pytest.raises(CallError, match=r"base 'nobody/has-it' can't be read.*OUT --base BASE[\s\S]*the hub"):
        folders.read(small)
    path.write_text(json.dumps(settings | {"base_model_name_or_path": None}))
    with pytest.raises(CallError, match=r"names no base_model_name_or_path.*--base BASE"):
        folders.read(small)
    CliRunner().invoke(command, [str(small), str(tmp_path / "out"), "--base", str(tiny)], catch_exceptions=False)
    np.testing.assert_allclose(vectors(tmp_path / "out", engine_name), before, atol=2e-6)


def test_an_adapter_of_a_pickled_base_is_fused(small: Path, tiny: Path, tmp_path: Path):
    convert(small, tmp_path / "wanted")
    base = tmp_path / "base"
    shutil.copytree(tiny, base)
    pickled.save(base / "pytorch_model.bin", safetensors.read(base / "model.safetensors"))
    (base / "model.safetensors").unlink()
    convert(small, tmp_path / "out", base=base)
    wanted, found = (safetensors.read(tmp_path / name / "model.safetensors") for name in ("wanted", "out"))
    assert all(np.array_equal(array, found[name]) for name, array in wanted.items())


def test_an_adapter_of_an_adapter_is_refused_be_it_its_own(tiny: Path, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    disk.write_json(first / "adapter_config.json", {"base_model_name_or_path": str(second)})
    disk.write_json(second / "adapter_config.json", {"base_model_name_or_path": str(first)})
    with pytest.raises(CallError, match=r"first is an adapter of .*second, which is an adapter itself"):
        folders.read(first)


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 10**400, True])
def test_an_adapters_scale_is_a_number(tiny: Path, tmp_path: Path, alpha: float):
    settings = {"base_model_name_or_path": str(tiny), "peft_type": "LORA", "r": 4, "lora_alpha": alpha}
    disk.write_json(tmp_path / "adapter_config.json", settings)
    with pytest.raises(CallError, match="expected a whole number and a number"):
        adapters.read(folders.read(tmp_path))
