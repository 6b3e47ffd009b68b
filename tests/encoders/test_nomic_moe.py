"""nomic_bert's mixture of experts and plain MLPs: which experts, their weights, what is refused, what is quantized."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected, lowest_cosine
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import matrices
from mlx_metaembed.export import mlx as quantized
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.training.plan.activations import Shape

MIXED, INSIDE, EXPERTS = (1, 3), 48, 5
WRONG = {
    "moe_normalize_expert_weights = True is not supported": {"moe_normalize_expert_weights": True},
    "num_shared_experts = 1 is not supported": {"num_shared_experts": 1},
    "expert_choice_router = True is not supported": {"expert_choice_router": True},
    "moe_top_k = 6 of num_experts = 5; expected 1 to all": {"moe_top_k": 6},
    "moe_top_k = None of num_experts = None": {"moe_top_k": ..., "num_experts": ...},
    "moe_every_n_layers = 2 is not supported": {"activation_function": "swiglu"},
}


def part(layer: int) -> str:
    return f"encoder.layers.{layer}.mlp."


def alike(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All experts of a layer as its first."""
    for layer in MIXED:
        for name in ("w1", "w2"):
            full = f"{part(layer)}experts.mlp.{name}"
            arrays[full] = np.tile(arrays[full][:INSIDE], (EXPERTS, 1))
    return arrays


def dense(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first expert of each mixture as a plain MLP, whose second bias is the experts'."""
    found = {name: array for name, array in arrays.items() if "router" not in name and "experts" not in name}
    for layer in MIXED:
        found[f"{part(layer)}fc1.weight"] = arrays[f"{part(layer)}experts.mlp.w1"][:INSIDE]
        found[f"{part(layer)}fc1.bias"] = np.zeros(INSIDE, np.float32)
        found[f"{part(layer)}fc2.weight"] = arrays[f"{part(layer)}experts.mlp.w2"][:INSIDE].T.copy()
        found[f"{part(layer)}fc2.bias"] = arrays[f"{part(layer)}experts.bias"]
    return found


def test_all_of_like_experts_are_one_plain_mlp(engine_name: str, tmp_path: Path):
    ids, mask, states = expected("nomic_moe")
    mixture = altered(tmp_path / "mixture", "nomic_moe", {"moe_top_k": EXPERTS}, alike)
    plain = altered(tmp_path / "plain", "nomic_moe", {"moe_every_n_layers": 0, "num_experts": ...}, dense)
    one, other = (encoder(engine_name, path)(ids, mask)[mask] for path in (mixture, plain))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert np.abs(one - states[mask]).max() > 0.1


def test_the_weights_are_shares_of_all_experts(engine_name: str, tmp_path: Path):
    """A router that knows no difference gives each of two experts a fifth: two fifths of their like output."""

    def level(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for layer in MIXED:
            arrays[f"{part(layer)}router.layer.weight"] = np.zeros((EXPERTS, 32), np.float32)
        return alike(arrays)

    def fifths(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = dense(arrays)
        for layer in MIXED:
            found[f"{part(layer)}fc2.weight"] = found[f"{part(layer)}fc2.weight"] * np.float32(2 / 5)
        return found

    ids, mask, _ = expected("nomic_moe")
    mixture = altered(tmp_path / "mixture", "nomic_moe", change=level)
    plain = altered(tmp_path / "plain", "nomic_moe", {"moe_every_n_layers": 0}, fifths)
    one, other = (encoder(engine_name, path)(ids, mask)[mask] for path in (mixture, plain))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [{"moe_top_k": 1}, {"moe_top_k": 4}, {"rotary_emb_base": 50}])
def test_every_setting_counts_alike_on_both_engines(two_engines: tuple[str, str], tmp_path: Path, config: dict):
    ids, mask, states = expected("nomic_moe")
    path = altered(tmp_path / "m", "nomic_moe", config)
    one, other = (encoder(name, path)(ids, mask) for name in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-2


@pytest.mark.parametrize("message", WRONG)
def test_what_is_not_computed_is_refused(engine_name: str, tmp_path: Path, message: str):
    with pytest.raises(CallError, match=message):
        encoder(engine_name, altered(tmp_path / "m", "nomic_moe", WRONG[message]))


def test_experts_and_router_stay_as_they_are_in_a_quantized_folder(engine_name: str, mlx_engine: str, tmp_path: Path):
    found = quantized.export(folders.read(GOLDEN / "nomic_moe"), tmp_path / "out", bits=8, group_size=32)
    packed = {name.removesuffix(".scales") for name in found.trunk() if name.endswith(".scales")}
    assert packed == {"embeddings.word_embeddings"} | {
        f"encoder.layers.{layer}.{name}"
        for layer in range(4)
        for name in ("attn.Wqkv", "attn.out_proj", "mlp.fc1")
        if layer not in MIXED or "mlp" not in name
    }
    router = {"encoder.layers.1.mlp.router.layer.weight": np.zeros((8, 64), np.float32)}
    assert matrices.divided(router, matrices.Rounding()) == ({}, [])
    vectors = [load(path, engine=engine_name).encode(TEXTS) for path in (GOLDEN / "nomic_moe", found.path)]
    assert lowest_cosine(*vectors) > 0.999


def test_who_exports_is_told_that_others_have_no_experts(tmp_path: Path):
    heard: list[str] = []
    export(folders.read(GOLDEN / "nomic_moe"), tmp_path / "out", note=heard.append)
    assert len(heard) == 1 and "trust_remote_code=True" in heard[0]


def test_the_plan_counts_each_tokens_experts():
    config = folders.read(GOLDEN / "nomic_moe").architecture
    one, two = (Shape.of(config | {"moe_top_k": k}) for k in (1, 2))
    # Every second layer gives each token to one expert more.
    assert (one.wide, two.wide) == (INSIDE, 1.5 * INSIDE)
