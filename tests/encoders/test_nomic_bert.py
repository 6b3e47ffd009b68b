"""nomic_bert: both forms of its configuration, its ways of turning, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected

from mlx_metaembed import folder as folders
from mlx_metaembed.config import spellings
from mlx_metaembed.errors import CallError

HUB = ("n_embd", "n_head", "n_inner", "n_layer", "n_positions", "layer_norm_epsilon", "activation_function")
TRANSFORMERS = dict.fromkeys((*HUB, "rotary_emb_base"), ...) | {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "layer_norm_eps": 1e-12,
    "hidden_act": "silu",
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000},
}
WRONG = {
    "moe_every_n_layers = 2 is not supported": {"moe_every_n_layers": 2, "num_experts": 4, "moe_top_k": 2},
    "prenorm = True is not supported": {"prenorm": True},
    "causal = True is not supported": {"causal": True},
    "rotary_emb_scale_base = 512 is not supported": {"rotary_emb_scale_base": 512},
    "is missing, and so is rope_parameters": {"rotary_emb_base": ...},
}


def neighbours(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Queries and keys whose features i and i + 4 of a head of 8 stand at 2 i and 2 i + 1."""
    order = np.array([0, 4, 1, 5, 2, 6, 3, 7])
    for name in [name for name in arrays if name.endswith("Wqkv.weight")]:
        parts = arrays[name].reshape(3, 4, 8, 32)
        arrays[name] = np.concatenate([parts[:2][:, :, order], parts[2:]]).reshape(96, 32)
    return arrays


def test_transformers_form_says_the_same(engine_name: str, tmp_path: Path):
    ids, mask, states = expected("nomic_bert")
    found = encoder(engine_name, altered(tmp_path / "m", "nomic_bert", TRANSFORMERS))(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        {"rotary_emb_base": 50},
        {"activation_function": "geglu"},
        TRANSFORMERS | {"rope_parameters": {"rope_type": "default", "rope_theta": 50}},
        TRANSFORMERS | {"hidden_act": "gelu"},
        TRANSFORMERS | {"hidden_act": "relu6"},
    ],
)
def test_every_setting_counts_alike_on_both_engines(two_engines: tuple[str, str], tmp_path: Path, config: dict):
    ids, mask, states = expected("nomic_bert")
    path = altered(tmp_path / "m", "nomic_bert", config)
    one, other = (encoder(name, path)(ids, mask) for name in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-2


def test_interleaved_turns_neighbours(tmp_path: Path):
    ids, mask, states = expected("nomic_bert")
    path = altered(tmp_path / "m", "nomic_bert", {"rotary_emb_interleaved": True}, neighbours)
    np.testing.assert_allclose(encoder("mlx", path)(ids, mask)[mask], states[mask], rtol=0, atol=1e-5)


def test_a_fraction_turns_the_first_features_alone(tmp_path: Path):
    ids, mask, _ = expected("nomic_bert")

    def zeroed(arrays: dict[str, np.ndarray], features: slice) -> dict[str, np.ndarray]:
        for name in [name for name in arrays if name.endswith("Wqkv.weight")]:
            parts = arrays[name].reshape(3, 4, 8, 32).copy()
            parts[:2, :, features] = 0
            arrays[name] = parts.reshape(96, 32)
        return arrays

    half = {"rotary_emb_fraction": 0.5}
    # With nothing in the features that are turned, the order of the tokens does not matter; else it does.
    turned = encoder("mlx", altered(tmp_path / "a", "nomic_bert", half, lambda a: zeroed(a, slice(0, 4))))
    kept = encoder("mlx", altered(tmp_path / "b", "nomic_bert", half, lambda a: zeroed(a, slice(4, 8))))
    row, whole = ids[:1], mask[:1]
    np.testing.assert_allclose(turned(row[:, ::-1].copy(), whole)[:, ::-1], turned(row, whole), atol=1e-5)
    assert np.abs(kept(row[:, ::-1].copy(), whole)[:, ::-1] - kept(row, whole)).max() > 1e-3


@pytest.mark.parametrize("message", WRONG)
def test_what_is_not_computed_is_refused(engine_name: str, tmp_path: Path, message: str):
    with pytest.raises(CallError, match=message):
        encoder(engine_name, altered(tmp_path / "m", "nomic_bert", WRONG[message]))


def test_lengths_end_where_the_angles_would_change(tmp_path: Path):
    longer = {"rotary_scaling_factor": 2, "max_trained_positions": 16}
    path = altered(tmp_path / "m", "nomic_bert", longer)
    assert folders.read(path).max_seq_length == 16
    assert spellings.positions(folders.read(GOLDEN / "nomic_bert").config) == 64
