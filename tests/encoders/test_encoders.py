"""Every family of encoders against the states stored in tests/golden, and its gradient on both engines.

golden/make.py wrote the folders with the reference implementation; nothing here needs it.
"""

import numpy as np
import pytest
from states import FAMILIES, GOLDEN, encoder, expected, lowest_cosine
from steps import Descent, descend, loaded

from mlx_metaembed import folder as folders
from mlx_metaembed.folder.parameters import TRUNK
from mlx_metaembed.recipe import Recipe


@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_has_the_references_states(engine_name: str, family: str):
    ids, mask, states = expected(family)
    found = encoder(engine_name, GOLDEN / family)(ids, mask)
    assert found.shape == states.shape
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)
    # Padding is not pooled, but its states take part in 0 * state: NaN there would spread.
    assert np.isfinite(found).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_text_alone_has_the_same_states(engine_name: str, family: str):
    encode = encoder(engine_name, GOLDEN / family)
    for ids, mask, states in zip(*expected(family), strict=True):
        alone = encode(ids[None, mask], mask[None, mask])
        np.testing.assert_allclose(alone[0], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_more_padding_changes_nothing(engine_name: str, family: str):
    ids, mask, states = expected(family)
    pad = folders.read(GOLDEN / family).architecture.get("pad_token_id") or 0
    wider = np.pad(ids, ((0, 0), (0, 5)), constant_values=pad), np.pad(mask, ((0, 0), (0, 5)))
    found = encoder(engine_name, GOLDEN / family)(*wider)
    np.testing.assert_allclose(found[:, : ids.shape[1]][mask], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_float16_keeps_the_direction_and_has_no_nan(engine_name: str, family: str):
    ids, mask, states = expected(family)
    found = encoder(engine_name, GOLDEN / family, "float16")(ids, mask)
    assert np.isfinite(found).all()
    assert lowest_cosine(found[mask], states[mask]) > 0.9999


@pytest.mark.parametrize("family", FAMILIES)
def test_the_word_tables_gradient_is_rows_on_mlx(mlx_engine: str, family: str):
    from mlx_metaembed.on_mlx import trunk
    from mlx_metaembed.on_mlx.wordtable import WordTable

    folder = folders.read(GOLDEN / family)
    names = {TRUNK + name: tensor.shape for name, tensor in folder.trunk().items()}
    found = WordTable.of(trunk.load(folder), names)
    assert names[found.name] == (folder.architecture["vocab_size"], folder.architecture["hidden_size"])
    assert WordTable.of(trunk.load(folder), names.keys() - {found.name}) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_both_engines_have_the_same_gradient(two_engines: tuple[str, str], family: str):
    found = []
    for name in two_engines:
        engine, head, batch = loaded(name, GOLDEN / family)
        descent = Descent(engine)
        loss = descend(Recipe(), head, engine, batch, seed=0, cached=True)
        found.append((loss, engine.update(descent, divide=1, max_norm=0), descent.taken))
    (loss, norm, gradients), (other_loss, other_norm, others) = found
    assert loss == pytest.approx(other_loss, rel=1e-5)
    assert norm == pytest.approx(other_norm, rel=1e-4)
    assert set(gradients) == set(others)
    for name in gradients:
        np.testing.assert_allclose(gradients[name], others[name], atol=1e-5 * norm, err_msg=name)
