"""torch's trunks under the checkpoint's names, and rotary frequencies in half precision."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder
from steps import Descent, descend, loaded

from mlx_metaembed import folder as folders
from mlx_metaembed.engine import DENSE
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe

FAMILIES = ("nomic_bert", "nomic_moe", "new", "gte", "jina_embeddings_v3")


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_have_the_checkpoints_names(engine_name: str, family: str):
    engine, _, _ = loaded(engine_name, GOLDEN / family)
    assert set(engine.save()[0]) == {f"trunk.{name}" for name in folders.read(GOLDEN / family).trunk()}


@pytest.mark.parametrize("family", FAMILIES)
def test_faults_are_told_by_the_checkpoints_names(engine_name: str, tmp_path: Path, family: str):
    def wrong(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        fused = next(name for name in arrays if "qkv" in name and name.endswith("weight"))
        arrays["spare.weight"] = arrays.pop("embeddings.word_embeddings.weight")
        arrays[fused] = arrays[fused][:-3]
        return arrays

    with pytest.raises(CallError) as caught:
        encoder(engine_name, altered(tmp_path / "m", family, change=wrong))
    message = str(caught.value)
    assert "embeddings.word_embeddings.weight (120, 32): missing" in message
    assert "shape (93, 32), the configuration says (96, 32)" in message
    assert "spare.weight (120, 32): not part of this architecture" in message


@pytest.mark.parametrize("family", [*FAMILIES, "modernbert", "qwen3"])
def test_training_in_half_precision_computes_what_encoding_does(engine_name: str, family: str):
    vectors = []
    for train in (False, True):
        engine, _, batch = loaded(engine_name, GOLDEN / family, dtype="bfloat16", train=train)
        vectors.append(engine.numpy(engine.embed(batch.chunks[0])[DENSE]))
    np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_is_drawn_anew_and_can_be_repeated(engine_name: str, family: str):
    engine, _, batch = loaded(engine_name, GOLDEN / family, dropout=0.3)
    first, again, other, without = (
        engine.numpy(engine.embed(batch.chunks[0], seed=seed)[DENSE]) for seed in (1, 1, 2, None)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - without).max() > 1e-3


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("family", [*FAMILIES, "clip", "clip_text_model", "siglip", "mpnet", "qwen3"])
def test_checkpointing_gives_the_same_gradient(engine_name: str, family: str, cached: bool):
    found = []
    for checkpointing in (False, True):
        engine, head, batch = loaded(engine_name, GOLDEN / family, checkpointing=checkpointing)
        descent = Descent(engine)
        descend(Recipe(), head, engine, batch, seed=0, cached=cached)
        found.append((engine.update(descent, divide=1, max_norm=0), descent.taken))
    (norm, plain), (_, again) = found
    assert plain.keys() == again.keys()
    for name in plain:
        np.testing.assert_allclose(again[name], plain[name], atol=1e-6 * norm, err_msg=name)
