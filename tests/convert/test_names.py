"""Prefixes and heads of the families' task models, as their checkpoints have them."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import encoder, expected

from mlx_metaembed import convert
from mlx_metaembed.errors import CallError

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


TASKS = {
    "bert": ("bert.", ("cls.seq_relationship.weight", "classifier.weight", "qa_outputs.weight")),
    "nomic_bert": ("nomic_bert.", ("classifier.weight", "nomic_bert.pooler.dense.weight")),
    "gte": ("gte.", ("classifier.bias",)),
    "longformer": ("longformer.", ("classifier.out_proj.weight",)),
    "t5": ("transformer.", ("classification_head.dense.weight", "transformer.decoder.final_layer_norm.weight")),
    "qwen2": ("transformer.", ("qa_outputs.weight",)),
    "qwen3": ("model.", ("score.weight",)),
    "llama": ("transformer.", ("qa_outputs.bias",)),
    "mistral": ("model.", ("lm_head.weight",)),
    "gemma3_text": ("model.", ("score.weight",)),
    "siglip_text_model": (..., ()),
}
"""The prefixes and heads of other task models, as transformers 5 saves them; `...`: a text tower without its name."""


@pytest.mark.parametrize("family", TASKS)
def test_a_task_model_is_sent_to_convert_which_takes_it(engine_name: str, tmp_path: Path, family: str):
    prefix, others = TASKS[family]

    def wrapped(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if prefix is ...:
            return {name.removeprefix("text_model."): array for name, array in arrays.items()}
        ours = {prefix + name: array for name, array in arrays.items()}
        return ours | {name: np.ones((2, 2), np.float32) for name in others}

    path = altered(tmp_path / "task", family, change=wrapped)
    alone = [name for name in others if not name.startswith(("lm_head.", prefix))] if prefix is not ... else [...]
    if alone:
        with pytest.raises(CallError, match=f"Bring it in with: metaembed convert {path} OUT"):
            encoder(engine_name, path)
    convert.convert(path, tmp_path / "out", engine=engine_name)
    ids, mask, states = expected(family)
    found = encoder(engine_name, tmp_path / "out")(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


def test_what_convert_does_not_mend_is_not_sent_there(engine_name: str, tmp_path: Path):
    def lacking(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        arrays.pop("encoder.layer.0.output.dense.bias")
        return arrays | {"classifier.weight": np.ones((2, 2), np.float32)}

    with pytest.raises(CallError) as error:
        encoder(engine_name, altered(tmp_path / "task", "bert", change=lacking))
    assert "metaembed convert" not in str(error.value) and "Fetch the folder again" in str(error.value)


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
