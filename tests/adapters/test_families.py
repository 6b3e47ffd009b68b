"""LoRA and DoRA in every family: alike on both engines, the same fused as applied, and over quantized weights."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from states import FAMILIES, GOLDEN
from steps import MANY, PAIRS, ROWS, Descent, descend

from mlx_metaembed import adapters, embedder
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.convert import convert
from mlx_metaembed.engine import DENSE
from mlx_metaembed.export.mlx import export as export_mlx
from mlx_metaembed.folder import task_adapters
from mlx_metaembed.folder.parameters import TRUNK, behind_trunk
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import batches, trainable

KINDS = pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])
NO_LAYERS = (
    "embed",
    "norm",
    "Norm",
    "router",
    "shared",
    "relative_attention_bias",
    "text_projection",
    "text_model.head",
)


def adapter_of(base: Path, *, dora: bool) -> Adapter:
    """An adapter of all the default layers, far from its beginning."""
    folder = folders.read(base)
    made = adapters.new(folder, trainable.linear_layers(Recipe(), folder), rank=3, alpha=6.0, dora=dora, seed=0)
    random = np.random.default_rng(1)
    arrays = {name: array.copy() for name, array in made.arrays.items()}
    for name, array in arrays.items():
        if name.endswith("lora_B.weight"):
            array += (0.05 * random.standard_normal(array.shape)).astype(np.float32)
        elif not name.endswith("lora_A.weight"):
            array *= random.uniform(0.8, 1.2, array.shape).astype(np.float32)
    return adapters.with_arrays(made, arrays)


def one_gradient(engine_name: str, base: Path, adapter: Adapter, device: str | None = None):
    """The engine, its vectors of the batch's chunks, and the gradients by name, of an adapter beside a frozen trunk."""
    folder = folders.read(base)
    engine = engines.choose(engine_name)
    engine.device = device or engine.device
    arrays = behind_trunk(folder, {})
    frozen = {TRUNK + name for name in folder.trunk()}
    engine.load(folder, dtype="float32", heads={}, arrays=arrays, adapter=adapter, train=True, frozen=frozen)
    count = len(task_adapters.names(folder.config))
    rows = [text % (count + 1) - 1 for text in range(len(MANY))] if count else None
    store = token_store.tokenize(Tokenizer(folder), MANY, tasks=rows)
    batch = batches.batch(store, PAIRS, ROWS, pad_id=0, chunk_tokens=64)
    vectors = np.concatenate([engine.numpy(engine.embed(chunk)[DENSE]) for chunk in batch.chunks])
    descent = Descent(engine)
    descend(Recipe(), {}, engine, batch, cached=True)
    norm = engine.update(descent, divide=1, max_norm=0)
    return engine, vectors, norm, descent.taken


def require_alike(first: tuple, second: tuple, atol: float) -> None:
    (_, vectors, norm, gradients), (_, other_vectors, other_norm, others) = first, second
    np.testing.assert_allclose(vectors, other_vectors, atol=atol)
    assert norm == pytest.approx(other_norm, rel=10 * atol)
    assert set(gradients) == set(others)
    for name in gradients:
        np.testing.assert_allclose(gradients[name], others[name], atol=atol * norm, err_msg=name)


@KINDS
@pytest.mark.parametrize("family", FAMILIES)
def test_both_engines_have_the_same_vectors_and_gradient(two_engines: tuple[str, str], family: str, dora: bool):
    adapter = adapter_of(GOLDEN / family, dora=dora)
    first, second = (one_gradient(name, GOLDEN / family, adapter) for name in two_engines)
    require_alike(first, second, 1e-5)
    assert set(first[3]) == {TRUNK + name for name in adapter.names}
    assert all(np.abs(array).max() > 0 for array in first[3].values())


@KINDS
@pytest.mark.parametrize("family", FAMILIES)
def test_fused_gives_what_applied_gives(engine_name: str, tmp_path: Path, family: str, dora: bool):
    adapters.write(adapter_of(GOLDEN / family, dora=dora), str(GOLDEN / family), tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "fused")
    applied, fused, plain = (
        embedder.load(path, engine=engine_name, dtype="float32").encode(MANY[:6])
        for path in (tmp_path / "a", tmp_path / "fused", GOLDEN / family)
    )
    np.testing.assert_allclose(applied, fused, atol=1e-5)
    assert np.abs(applied - plain).max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_by_default_all_matrices_of_the_layers_and_no_others(family: str):
    folder = folders.read(GOLDEN / family)
    wanted = {
        name.removesuffix(".weight")
        for name, tensor in folder.trunk().items()
        if len(tensor.shape) == 2 and name.endswith(".weight") and not any(part in name for part in NO_LAYERS)
    }
    found = trainable.linear_layers(Recipe(), folder)
    assert set(found) == wanted
    layers = {int(re.search(r"\.(\d+)\.", name)[1]) for name in found}
    assert layers == set(range(folder.architecture["num_hidden_layers"]))


def test_a_router_is_taken_by_name():
    folder = folders.read(GOLDEN / "nomic_moe")
    assert not any("router" in name for name in trainable.linear_layers(Recipe(), folder))
    named = trainable.linear_layers(replace(Recipe(), target_modules=("router",)), folder)
    assert named and all("router.layer" in name for name in named)


@KINDS
@pytest.mark.parametrize("family", ["bert", "modernbert", "new", "qwen3", "t5"])
def test_a_quantized_base_stays_so_on_a_gpu_and_gives_the_same(
    two_engines: tuple[str, str], tmp_path: Path, family: str, dora: bool
):
    export_mlx(folders.read(GOLDEN / family), tmp_path / "q", bits=8, group_size=32, dtype="float32")
    adapter = adapter_of(tmp_path / "q", dora=dora)
    mlx, torch = sorted(two_engines)
    # The path that a GPU takes, computed here: on a processor the codes are made plain when they are loaded.
    on_codes = one_gradient(mlx, tmp_path / "q", adapter, device="Apple M3")
    held = on_codes[0]._parameters
    paths = {name.removesuffix(".scales") for name in folders.read(tmp_path / "q").trunk() if name.endswith(".scales")}
    assert set(adapter.modules) & paths
    for path in paths:
        assert held[f"{TRUNK}{path}.weight"].dtype == on_codes[0].array(np.zeros(1, np.uint32)).dtype, path
    require_alike(on_codes, one_gradient(mlx, tmp_path / "q", adapter), 2e-5)
    require_alike(on_codes, one_gradient(torch, tmp_path / "q", adapter), 2e-5)


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_an_adapter_of_codes_is_put_on_the_plain_base_too(engine_name: str, tmp_path: Path, family: str):
    export_mlx(folders.read(GOLDEN / family), tmp_path / "q", bits=8, group_size=32)
    adapter = adapter_of(tmp_path / "q", dora=False)
    adapters.write(adapter, str(tmp_path / "q"), tmp_path / "a")
    folders.write(folders.read(tmp_path / "q"), tmp_path / "a")
    folders.copy_tokenizer(tmp_path / "q", tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "of-codes")
    plain = convert(tmp_path / "a", tmp_path / "of-plain", base=GOLDEN / family)
    assert "quantization" not in plain.config
    # The run's own config.json, where there is one, says what it trained on; the weights are the given base's.
    assert (
        folders.read(tmp_path / "a").quantization
        and not folders.read(tmp_path / "a", base=GOLDEN / family).quantization
    )
    on_codes, fused, on_plain, without = (
        embedder.load(path, engine=engine_name, dtype="float32").encode(MANY)
        for path in (tmp_path / "a", tmp_path / "of-codes", tmp_path / "of-plain", GOLDEN / family)
    )
    np.testing.assert_allclose(on_codes, fused, atol=2e-3)
    assert (on_codes * on_plain).sum(axis=1).min() > 0.999 > (on_plain * without).sum(axis=1).min()
