"""Prefixes and heads of the families' task models, as their checkpoints have them."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from test_encoders import encoder, expected

from mlx_metaembed import convert

HEADS = {
    "roberta": ("roberta.", ("lm_head.dense.weight", "lm_head.bias", "roberta.embeddings.position_ids")),
    "xlm-roberta": ("roberta.", ("lm_head.dense.weight", "lm_head.decoder.weight")),
    "camembert": ("roberta.", ("lm_head.layer_norm.weight",)),
    "distilbert": ("distilbert.", ("vocab_transform.weight", "vocab_projector.bias")),
    "mpnet": ("mpnet.", ("lm_head.dense.weight", "mpnet.embeddings.position_ids")),
    "modernbert": ("model.", ("head.dense.weight", "decoder.bias")),
    "nomic_bert": ("bert.", ("cls.predictions.transform.dense.weight", "cls.predictions.decoder.weight")),
    "nomic_moe": ("bert.", ("cls.predictions.decoder.bias",)),
    "jina_embeddings_v3": ("roberta.", ("lm_head.dense.weight", "roberta.embeddings.position_ids")),
    "new": ("new.", ("lm_head.dense.weight", "lm_head.decoder.bias", "new.embeddings.position_ids")),
    "gte": ("new.", ("classifier.weight", "new.pooler.dense.weight")),
}


@pytest.mark.parametrize("family", HEADS)
def test_a_masked_language_model_comes_in_as_its_trunk(engine_name: str, tmp_path: Path, family: str):
    prefix, others = HEADS[family]

    def wrapped(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {prefix + name: array for name, array in arrays.items()} | {
            name: np.ones((2, 2), np.float32) for name in others
        }

    convert.convert(altered(tmp_path / "mlm", family, change=wrapped), tmp_path / "out")
    ids, mask, states = expected(family)
    found = encoder(engine_name, tmp_path / "out")(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)
