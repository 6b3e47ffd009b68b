"""Decoder trunks as embedders: what a query sees, both directions, windows, left padding, faulty configurations."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected

from mlx_metaembed import engine as engines
from mlx_metaembed.errors import CallError

DECODERS = ("gemma3_text", "llama", "mistral", "qwen2", "qwen3")
VARIANTS = {
    "mistral both ways": ("mistral", {"is_causal": False}),
    "mistral whole text": ("mistral", {"sliding_window": None}),
    "llama both ways": ("llama", {"is_causal": False}),
    "qwen2 both ways": ("qwen2", {"is_causal": False}),
    "qwen2 slides from its second layer": ("qwen2", {"use_sliding_window": True}),
    "qwen3 lists its layers": (
        "qwen3",
        {
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "gemma causal": ("gemma3_text", {"use_bidirectional_attention": False}),
    "gemma both ways by is_causal": ("gemma3_text", {"use_bidirectional_attention": False, "is_causal": False}),
    "gemma both ways twice": ("gemma3_text", {"is_causal": False, "sliding_window": 9}),
    "gemma's odd window": ("gemma3_text", {"sliding_window": 9}),
    "gemma by its pattern": ("gemma3_text", {"layer_types": ..., "sliding_window_pattern": 3}),
}


def seen(rows: list[list[int]], **how) -> list:
    """`decoder.visible` of one mask a row, without the axis of the heads."""
    engines.choose("mlx")
    import mlx.core as mx

    from mlx_metaembed.on_mlx import decoder

    return decoder.visible(mx.array(rows, dtype=mx.bool_), **how)[:, 0].astype(mx.int32).tolist()


def test_a_causal_query_sees_itself_and_what_came_before():
    assert seen([[1, 1, 1]], causal=True, window=None) == [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]


def test_a_window_of_two_is_the_token_and_the_one_before():
    assert seen([[1, 1, 1, 1]], causal=True, window=2) == [
        [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]],
    ]


def test_both_ways_a_window_reaches_to_both_sides():
    assert seen([[1, 1, 1, 1]], causal=False, window=2) == [
        [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]],
    ]


def test_padding_is_seen_by_itself_alone_and_only_where_nothing_else_is():
    # On the right, on the left, and further from the text than the window.
    assert seen([[1, 1, 0, 0], [0, 0, 1, 1]], causal=False, window=2) == [
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
        [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]],
    ]
    assert seen([[1, 0]], causal=False, window=None) == [[[1, 0]]]


@pytest.mark.parametrize("family", DECODERS)
def test_padding_on_the_left_changes_nothing(engine_name: str, family: str):
    ids, mask, states = expected(family)
    left = np.argsort(mask, axis=1, kind="stable")
    ids, mask, states = (
        np.take_along_axis(x, left.reshape(x.shape[:2] + (1,) * (x.ndim - 2)), 1) for x in (ids, mask, states)
    )
    assert not mask[1, :-1].any()
    assert mask[1, -1]
    found = encoder(engine_name, GOLDEN / family)(ids, mask)
    # transformers gives no positions either, so the text is turned further: the same but for rounding.
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=3e-5)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_the_flag_lets_a_token_see_what_follows(engine_name: str, tmp_path: Path, family: str):
    ids, mask, _ = expected(family)
    others = ids.copy()
    others[0, -1] = ids[0, -2]
    whole = mask[:1]
    assert whole.all()
    causal = encoder(engine_name, GOLDEN / family)
    np.testing.assert_array_equal(causal(ids[:1], whole)[0, 0], causal(others[:1], whole)[0, 0])
    both = encoder(engine_name, altered(tmp_path / "both", family, {"is_causal": False}))
    assert np.abs(both(ids[:1], whole)[0, 0] - both(others[:1], whole)[0, 0]).max() > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_both_engines_agree_on_what_a_configuration_can_say(two_engines: tuple[str, str], tmp_path: Path, name: str):
    family, config = VARIANTS[name]
    path = altered(tmp_path / "variant", family, config)
    ids, mask, states = expected(family)
    one, other = (encoder(engine, path)(ids, mask) for engine in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=2e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-3


@pytest.mark.parametrize(
    ("family", "config", "message"),
    [
        ("llama", {"num_key_value_heads": 3}, "num_attention_heads = 4 is no multiple of num_key_value_heads = 3"),
        ("qwen2", {"hidden_size": 34}, "hidden_size = 34 is no multiple of num_attention_heads = 4"),
        (
            "qwen3",
            {"head_dim": None, "num_attention_heads": 3},
            "hidden_size = 32 is no multiple of num_attention_heads = 3",
        ),
        (
            "qwen2",
            {"use_sliding_window": True, "layer_types": ["full_attention", "chunked"]},
            r"layer type 'chunked' is not supported; .*\n.*layer_types lists 2 layers, num_hidden_layers = 3",
        ),
        ("gemma3_text", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping = 50.0 is not supported"),
        ("mistral", {"hidden_act": "swish9"}, "hidden_act = 'swish9' is not supported"),
    ],
)
def test_a_configuration_that_cannot_be_computed_is_refused(tmp_path: Path, family: str, config: dict, message: str):
    with pytest.raises(CallError, match=message):
        encoder("mlx", altered(tmp_path / "faulty", family, config))


def test_gemmas_sums_may_pass_float16(tmp_path: Path):
    def louder(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        wide = [
            name
            for name in arrays
            if name.endswith(("post_attention_layernorm.weight", "post_feedforward_layernorm.weight"))
        ]
        return arrays | {name: arrays[name] + 60_000 for name in wide}

    path = altered(tmp_path / "loud", "gemma3_text", change=louder)
    ids, mask, _ = expected("gemma3_text")
    whole, half = (encoder("mlx", path, dtype)(ids, mask)[mask] for dtype in ("float32", "float16"))
    assert np.isfinite(half).all()
    cosines = (whole * half).sum(1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(half, axis=1)
    assert cosines.min() > 0.9999
