"""Rotary positions: both forms of the setting, each kind of scaling, and what is refused."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected

from mlx_metaembed import engine as engines
from mlx_metaembed.config import rope_scaling
from mlx_metaembed.errors import CallError

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FORMS = {
    "llama": [
        {"rope_theta": ..., "rope_scaling": ..., "rope_parameters": LLAMA3 | {"rope_theta": 500.0}},
        {"rope_scaling": {"type": "llama3", **{key: value for key, value in LLAMA3.items() if key != "rope_type"}}},
    ],
    "qwen3": [
        {"rope_theta": ..., "rope_parameters": {"rope_theta": 10_000.0, "rope_type": "default"}},
        {"rope_theta": ...},
        # transformers gives the nested one precedence.
        {"rope_theta": 7.0, "rope_parameters": {"rope_theta": 10_000.0, "rope_type": "default"}},
    ],
    "gemma3_text": [
        {
            "rope_theta": ...,
            "rope_local_base_freq": ...,
            "rope_parameters": {
                "full_attention": {"rope_theta": 1e6, "rope_type": "default"},
                "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
            },
        },
        {"rope_theta": ..., "rope_local_base_freq": ...},
    ],
}
OTHERS = {
    "another base": ("qwen3", {"rope_theta": 100.0}),
    "another base, nested": (
        "qwen3",
        {"rope_theta": ..., "rope_parameters": {"rope_type": "default", "rope_theta": 100.0}},
    ),
    "linear": ("qwen2", {"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "llama3 in its own length": ("mistral", {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 8}}),
    "gemma's base of whole layers": ("gemma3_text", {"rope_theta": 50.0}),
    "gemma's base of sliding layers": ("gemma3_text", {"rope_local_base_freq": 50.0}),
    "gemma stretched": ("gemma3_text", {"rope_theta": 50.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
}


TRAINED = 16
"""Tokens; the golden texts have up to 24."""
YARN = {"factor": 4.0, "original_max_position_embeddings": TRAINED}
# Heads of 8 features in Llama and ModernBERT, of 12 in Qwen3 and Gemma.
LONG = {"short_factor": [1.0, 1.1, 1.3, 1.7, 1.8, 1.9], "long_factor": [1.0, 1.5, 2.5, 4.0, 5.0, 6.0]}
FLAT = ("llama", "qwen3")
PAIRS = {"llama": 4, "modernbert": 4, "qwen3": 6, "gemma3_text": 6}
SCALINGS = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 4.0},
    "yarn": YARN | {"original_max_position_embeddings": 64},
    "yarn, its ramp": YARN | {"beta_fast": 4.0, "beta_slow": 0.5, "truncate": False},
    "yarn, its strength": YARN | {"attention_factor": 1.3},
    "yarn, its scales": YARN | {"mscale": 0.7, "mscale_all_dim": 1.4},
    "longrope": LONG | {"original_max_position_embeddings": TRAINED},
    "longrope, its factor": LONG | {"factor": 3.0, "original_max_position_embeddings": TRAINED},
    "longrope, its strength": LONG | {"attention_factor": 1.2, "original_max_position_embeddings": TRAINED},
    "llama3": {key: value for key, value in LLAMA3.items() if key != "rope_type"} | {"factor": 3.0},
}


@pytest.mark.parametrize(("family", "form"), [(family, at) for family in FORMS for at in range(len(FORMS[family]))])
def test_every_form_of_the_setting_gives_the_same_states(engine_name: str, tmp_path: Path, family: str, form: int):
    ids, mask, states = expected(family)
    found = encoder(engine_name, altered(tmp_path / "form", family, FORMS[family][form]))(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


def scaled(family: str, name: str, form: str) -> dict:
    """A configuration of trained length TRAINED whose scaling is in the older or in the nested form."""
    kind, numbers = name.partition(",")[0], dict(SCALINGS[name])
    for key in LONG.keys() & numbers.keys():
        numbers[key] = numbers[key][: PAIRS[family]]
    lengths = {"max_position_embeddings": TRAINED if kind == "dynamic" else 64}
    if form == "older":
        if family == "llama" and kind == "longrope":
            # As Phi has it.
            lengths["original_max_position_embeddings"] = numbers.pop("original_max_position_embeddings")
        # transformers overlooks the older word where layers have settings apart.
        word = "type" if family in FLAT else "rope_type"
        return lengths | {"rope_scaling": {word: kind, **numbers}}
    nested = {"rope_type": kind, "rope_theta": 5_000.0, **numbers}
    if family in FLAT:
        return lengths | {"rope_theta": ..., "rope_scaling": ..., "rope_parameters": nested}
    layered = {"full_attention": nested, "sliding_attention": nested | {"rope_theta": 50.0}}
    older = dict.fromkeys(("rope_theta", "rope_local_base_freq", "global_rope_theta", "local_rope_theta"), ...)
    return lengths | older | {"rope_parameters": layered}


@pytest.mark.parametrize("form", ["older", "nested"])
@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("family", PAIRS)
def test_every_kind_turns_as_transformers_does_a_text_alone(
    two_engines: tuple[str, str], tmp_path: Path, family: str, name: str, form: str
):
    import torch
    from transformers import AutoModel

    path = altered(tmp_path / "scaled", family, scaled(family, name, form))
    trunk = AutoModel.from_pretrained(path, dtype="float32", local_files_only=True).eval()
    ids, mask, states = expected(family)
    assert {TRAINED - 7, TRAINED, TRAINED + 1, 24} <= set(mask.sum(axis=1))
    wanted = np.zeros_like(states)
    for row, real in enumerate(mask):
        # It remembers the longest text it has seen.
        with torch.inference_mode():
            found = copy.deepcopy(trunk)(torch.from_numpy(ids[row : row + 1, real].astype(np.int64)))
        wanted[row, real] = found.last_hidden_state[0].numpy()
    assert np.abs(wanted[mask] - states[mask]).max() > 1e-4
    for engine in two_engines:
        found = encoder(engine, path)(ids, mask)
        np.testing.assert_allclose(found[mask], wanted[mask], rtol=0, atol=1e-5, err_msg=engine)


@pytest.mark.parametrize("family", ["modernbert", "gemma3_text"])
def test_the_older_word_counts_where_layers_have_settings_apart(
    two_engines: tuple[str, str], tmp_path: Path, family: str
):
    ids, mask, states = expected(family)
    path = altered(tmp_path / "typed", family, {"rope_scaling": {"type": "linear", "factor": 4.0}})
    one, other = (encoder(engine, path)(ids, mask) for engine in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-3


@pytest.mark.parametrize("name", ["dynamic", "longrope"])
def test_a_text_does_not_depend_on_its_neighbours(engine_name: str, tmp_path: Path, name: str):
    encode = encoder(engine_name, altered(tmp_path / "scaled", "qwen3", scaled("qwen3", name, "nested")))
    ids, mask, _ = expected("qwen3")
    together = encode(ids, mask)
    for row, real in enumerate(mask):
        alone = encode(ids[row : row + 1, real], mask[row : row + 1, real])[0]
        np.testing.assert_allclose(together[row, real], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_both_engines_turn_by_the_same_angles(two_engines: tuple[str, str], tmp_path: Path, name: str):
    family, config = OTHERS[name]
    path = altered(tmp_path / "other", family, config)
    ids, mask, states = expected(family)
    one, other = (encoder(engine, path)(ids, mask) for engine in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=2e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-3


def test_llama3_keeps_short_waves_and_stretches_long_ones():
    # Four pairs with periods 1, 5, 25, 125 tokens a radian; waves of 6.3, 31.4, 157 and 785 tokens.
    found = LLAMA3 | {"rope_theta": 625.0}
    short, middle, long, longest = rope_scaling.periods(8, found)
    assert short == 1.0
    turns = 32 / (2 * math.pi * 5)
    kept = (turns - 1) / (4 - 1)
    assert middle == pytest.approx(1 / (kept / 5 + (1 - kept) / (8 * 5)))
    assert (long, longest) == pytest.approx((25 * 8, 125 * 8))


def test_a_token_is_turned_by_its_place():
    engines.choose("mlx")
    from mlx_metaembed.on_mlx.rope import Rope

    turn = Rope(2, {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0})
    import mlx.core as mx

    turned = np.array(turn(mx.array([[[[1.0, 0.0]] * 3]])))[0, 0]
    # Half a radian a token.
    np.testing.assert_allclose(turned, [[math.cos(at / 2), math.sin(at / 2)] for at in range(3)], atol=1e-6)


def test_settings_are_one_dict_of_either_form():
    settings = rope_scaling.settings
    default = {"rope_type": "default", "rope_theta": 5.0}
    assert settings(theta=5.0, scaling=None, parameters=None) == default
    assert settings(theta=None, scaling=None, parameters=default) == default
    assert settings(theta=None, scaling=None, parameters=None) == {"rope_type": "default", "rope_theta": 10_000.0}
    assert settings(theta=5.0, scaling={"type": "linear", "factor": 2.0}, parameters=None) == {
        "rope_type": "linear",
        "rope_theta": 5.0,
        "factor": 2.0,
    }
    nameless = {key: value for key, value in LLAMA3.items() if not key.startswith("original")}
    assert (
        settings(theta=5.0, scaling=nameless, parameters=None, positions=64)["original_max_position_embeddings"] == 64
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"rope_scaling": {"rope_type": "yarm", "factor": 4.0}},
            "config.json:\n  - rope_type = 'yarm' is not supported; one of default, linear, dynamic, yarn, longrope,",
        ),
        ({"rope_scaling": {"type": "linear"}}, "rope_type 'linear' needs factor, which is missing"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor = 0.5 is not supported"),
        (
            {"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0] * 6}},
            "short_factor has 1 numbers for heads of 12 features, which need 6",
        ),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "default"}}},
            "rope_parameters for full_attention apart are not supported",
        ),
    ],
)
def test_a_setting_that_is_not_computed_is_refused(tmp_path: Path, config: dict, message: str):
    path = altered(tmp_path / "faulty", "qwen3", config)
    with pytest.raises(CallError) as caught:
        encoder("mlx", path)
    assert message in str(caught.value)


def test_the_golden_folders_have_the_form_of_older_checkpoints():
    for family in FORMS:
        assert "rope_theta" in json.loads((GOLDEN / family / "config.json").read_text())
