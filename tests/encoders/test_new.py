"""Alibaba's `new`: stretched angles, both forms of the rope setting, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import encoder, expected

from mlx_metaembed.config import ntk
from mlx_metaembed.errors import CallError

NESTED = {"rope_theta": ..., "rope_scaling": ..., "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}
OTHER = {
    "another base": {"rope_theta": 50.0},
    "not stretched": {"rope_scaling": None},
    "stretched otherwise": {"rope_scaling": {"type": "ntk", "factor": 8.0}},
    "stretched by degrees": {"rope_scaling": {"type": "ntk", "factor": 8.0, "mixed_b": 0.625}},
}
WRONG = {
    "position_embedding_type = 'absolute' is not supported": {"position_embedding_type": "absolute"},
    "layer_norm_type = 'rms_norm' is not supported": {"layer_norm_type": "rms_norm"},
    "logn_attention_scale = True is not supported": {"logn_attention_scale": True},
    "pack_qkv = False is not supported": {"pack_qkv": False},
    "rope_theta is missing": {"rope_theta": ...},
    "rope_type = 'dynamic' is not supported": {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "needs factor": {"rope_scaling": {"type": "ntk"}},
}


def test_waves_by_hand():
    # Four features, base 100, factor 9: base 900 has waves 1 and 30; each by 9 ** (2 / 4) = 3.
    np.testing.assert_allclose(ntk.periods(4, 100.0, 9.0), [3.0, 90.0])
    # By degrees with exponent 1: the first of two waves by 9 ** (1 / 2), the last by 9.
    np.testing.assert_allclose(ntk.periods(4, 100.0, 9.0, 1.0), [3.0, 10.0 * 9])
    np.testing.assert_allclose(ntk.periods(4, 100.0, 1.0), [1.0, 10.0])


def test_the_nested_form_says_the_same(engine_name: str, tmp_path: Path):
    ids, mask, states = expected("gte")
    found = encoder(engine_name, altered(tmp_path / "m", "gte", NESTED))(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", OTHER)
def test_every_setting_counts_alike_on_both_engines(two_engines: tuple[str, str], tmp_path: Path, form: str):
    ids, mask, states = expected("new")
    path = altered(tmp_path / "m", "new", OTHER[form])
    one, other = (encoder(name, path)(ids, mask) for name in two_engines)
    np.testing.assert_allclose(one[mask], other[mask], rtol=0, atol=1e-5)
    assert np.abs(one[mask] - states[mask]).max() > 1e-2


@pytest.mark.parametrize("message", WRONG)
def test_what_is_not_computed_is_refused(engine_name: str, tmp_path: Path, message: str):
    with pytest.raises(CallError, match=message):
        encoder(engine_name, altered(tmp_path / "m", "new", WRONG[message]))
