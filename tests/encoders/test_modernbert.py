"""ModernBERT: windows, both forms of its two rope bases, padding far from a text, faulty configurations."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected

from mlx_metaembed import engine as engines
from mlx_metaembed.errors import CallError

GLOBAL, LOCAL = 160_000.0, 100.0
NESTED = {
    "full_attention": {"rope_type": "default", "rope_theta": GLOBAL},
    "sliding_attention": {"rope_type": "default", "rope_theta": LOCAL},
}
BARE = {"global_rope_theta": ..., "local_rope_theta": ...}
SAME = {
    "nested": BARE | {"rope_parameters": NESTED},
    "nested, before the older form": {"rope_parameters": NESTED, "global_rope_theta": 7.0, "local_rope_theta": 7.0},
    "half nested": {"global_rope_theta": ..., "rope_parameters": {"full_attention": NESTED["full_attention"]}},
    "the default": {"global_rope_theta": ...},
    "layers listed": {
        "global_attn_every_n_layers": ...,
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
    },
    "an odd window": {"local_attention": 9},
}
OTHER = {
    "global base": {"global_rope_theta": 50.0},
    "local base": {"local_rope_theta": 5.0},
    "nested local base": BARE
    | {"rope_parameters": NESTED | {"sliding_attention": {"rope_type": "default", "rope_theta": 5.0}}},
    "wider window": {"local_attention": 10},
    "every second layer": {"global_attn_every_n_layers": 2},
    "layers listed otherwise": {"layer_types": ["sliding_attention"] * 4},
    "another activation": {"hidden_activation": "relu"},
}
WRONG = {
    "rope_parameters are for 'rope_theta'": BARE | {"rope_parameters": {"rope_theta": 1e4}},
    "rope_type = 'yarm' is not supported": {"rope_parameters": {"full_attention": {"rope_type": "yarm", "factor": 2}}},
    "layer type 'chunked_attention' is not supported": {"layer_types": ["chunked_attention"] * 4},
    "hidden_activation = 'xielu' is not supported": {"hidden_activation": "xielu"},
}


def around(rows: list, reach: int) -> tuple[list, list]:
    engines.choose("mlx")
    import mlx.core as mx

    from mlx_metaembed.on_mlx.encoders.modernbert import around

    seen, some = around(mx.array(rows, dtype=mx.bool_), reach)
    return seen[:, 0].astype(mx.int32).tolist(), some[:, 0, :, 0].astype(mx.int32).tolist()


def test_a_window_holds_its_edge():
    seen, some = around([[1, 1, 1, 1]], 1)
    assert (seen, some) == ([[[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]], [[1, 1, 1, 1]])


def test_padding_is_seen_by_itself_alone_and_only_where_nothing_else_is():
    seen, some = around([[1, 0, 0, 0]], 1)
    assert (seen, some) == ([[[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]], [[1, 1, 0, 0]])


@pytest.mark.parametrize("form", SAME)
def test_forms_that_say_the_same(engine_name: str, tmp_path: Path, form: str):
    ids, mask, states = expected("modernbert")
    found = encoder(engine_name, altered(tmp_path / "m", "modernbert", SAME[form]))(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", OTHER)
def test_every_setting_counts_alike_on_both_engines(two_engines: tuple[str, str], tmp_path: Path, form: str):
    ids, mask, states = expected("modernbert")
    path = altered(tmp_path / "m", "modernbert", OTHER[form])
    one, other = (encoder(name, path)(ids, mask) for name in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-2


@pytest.mark.parametrize("message", WRONG)
def test_what_is_not_computed_is_refused(tmp_path: Path, message: str):
    with pytest.raises(CallError, match=message):
        encoder("mlx", altered(tmp_path / "m", "modernbert", WRONG[message]))


@pytest.mark.parametrize("length", [3, 4, 5, 6, 9, 64])
def test_texts_below_at_and_past_the_window(two_engines: tuple[str, str], length: int):
    # Four tokens are seen on each side: from six on, the first does not see the last.
    ids = np.arange(length, dtype=np.int32)[None] % 60 + 4
    one, other = (encoder(name, GOLDEN / "modernbert")(ids, ids > 0) for name in two_engines)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_padding_far_past_the_window_is_no_nan(engine_name: str, dtype: str):
    ids, mask, states = expected("modernbert")
    wider = np.pad(ids, ((0, 0), (0, 40))), np.pad(mask, ((0, 0), (0, 40)))
    found = encoder(engine_name, GOLDEN / "modernbert", dtype)(*wider)
    assert np.isfinite(found).all()
    if dtype == "float32":
        np.testing.assert_allclose(found[:, : ids.shape[1]][mask], states[mask], rtol=0, atol=1e-5)
