"""A trunk's tensors as config.json implies them, against those of the golden checkpoints."""

import math
from pathlib import Path

import pytest

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.train.plan import shapes

GOLDEN = Path(__file__).parent / "golden"
BERTS = ("bert", "roberta", "xlm-roberta", "camembert", "longformer")
GATED = ("nomic_bert", "new", "gte", "modernbert")
OTHERS = ("t5", "t5_gated", "qwen2", "qwen3", "llama", "mistral", "gemma3_text")


@pytest.mark.parametrize("family", [*BERTS, *GATED, *OTHERS])
def test_names_and_shapes_are_the_checkpoints(family: str):
    folder = folders.read(GOLDEN / family)
    assert shapes.told(folder)
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


def test_experts_cannot_be_told():
    with pytest.raises(CallError, match=r"'nomic_bert' can't be told from config\.json alone; give a folder with"):
        shapes.of_config(folders.read(GOLDEN / "nomic_moe"))
