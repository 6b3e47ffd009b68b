"""A trunk's tensors as config.json implies them, against those of the golden checkpoints."""

import math
from pathlib import Path

import pytest
from golden_variants import altered
from states import GOLDEN

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.training.plan import shapes

BERTS = ("bert", "roberta", "xlm-roberta", "camembert", "longformer")
GATED = ("nomic_bert", "new", "gte", "modernbert")
OTHERS = ("t5", "t5_gated", "qwen2", "qwen3", "llama", "mistral", "gemma3_text")


@pytest.mark.parametrize("family", [*BERTS, *GATED, *OTHERS])
def test_names_and_shapes_are_the_checkpoints(family: str):
    folder = folders.read(GOLDEN / family)
    assert shapes.exact(folder)
    expected, found = (
        {name: tensor.shape for name, tensor in each.trunk().items()} for each in (folder, shapes.of_config(folder))
    )
    assert found == expected


@pytest.mark.parametrize("family", ["mpnet", "distilbert", "clip", "siglip_text_model"])
def test_others_are_reckoned_as_bert(family: str):
    folder = folders.read(GOLDEN / family)
    expected, found = (
        sum(math.prod(tensor.shape) for tensor in each.trunk().values()) for each in (folder, shapes.of_config(folder))
    )
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("qwen3", {"head_dim": ...}),
        ("qwen3", {"head_dim": None, "attention_bias": True}),
        ("gemma3_text", {"head_dim": ..., "num_key_value_heads": ...}),
        ("mistral", {"num_key_value_heads": ..., "num_attention_heads": 8, "attention_bias": True}),
        ("llama", {"mlp_bias": True, "num_key_value_heads": None}),
        ("t5", {"d_kv": ..., "relative_attention_num_buckets": ...}),
    ],
)
def test_what_a_configuration_leaves_out_is_what_the_encoder_takes(
    mlx_engine: str, tmp_path: Path, family: str, change: dict
):
    from mlx.utils import tree_flatten

    from mlx_metaembed.on_mlx import trunk

    folder = folders.read(altered(tmp_path / mlx_engine, family, change))
    expected = {name: array.shape for name, array in tree_flatten(trunk.build(folder).parameters())}
    assert {name: tensor.shape for name, tensor in shapes.of_config(folder).trunk().items()} == expected


def test_experts_cannot_be_told():
    with pytest.raises(CallError, match=r"'nomic_bert' can't be told from config\.json alone; give a folder with"):
        shapes.of_config(folders.read(GOLDEN / "nomic_moe"))
