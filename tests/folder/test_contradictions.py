"""What a folder's files say against each other, or can't mean, is named, all at once."""

from pathlib import Path

import pytest
from layouts import BEFORE, DENSE, files, listed

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError

KIND = "sentence_transformers.models."
CONTRADICTIONS = {
    "pooling none": ({"1_Pooling/config.json": {}}, "1_Pooling/config.json has no embedding_dimension"),
    "no pooling mode": ({"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": []}}, "pooling []"),
    "a pooling that is none": ({"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "men"}}, "['men']"),
    "two poolings": (
        {"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": ["cls", "mean"]}},
        "2_Dense expects 8 features, the step before gives 16",
    ),
    "width": ({"2_Dense/config.json": DENSE | {"in_features": 9}}, "expects 9 features, the step before gives 8"),
    "no width": ({"2_Dense/config.json": {"bias": True}}, "in_features or out_features is missing"),
    "tokens": (
        {"2_Dense/config.json": DENSE | {"module_input_name": "token_embeddings"}},
        "2_Dense/config.json: module_input_name = 'token_embeddings' is not supported",
    ),
    "activation": (
        {"2_Dense/config.json": DENSE | {"activation_function": "torch.nn.modules.activation.Softmax"}},
        "activation 'torch.nn.modules.activation.Softmax' is not supported",
    ),
    "activation of another library": (
        {"2_Dense/config.json": DENSE | {"activation_function": "transformers.activations.GELUActivation"}},
        "GELUActivation' is not supported",
    ),
    "no activation": ({"2_Dense/config.json": DENSE | {"activation_function": None}}, "activation_function = None"),
    "no trunk": ({"modules.json": listed(("1_Pooling", KIND + "Pooling"))}, "found Pooling first; expected a trunk"),
    "nothing": ({"modules.json": []}, "found no module first"),
    "no pooling": ({"modules.json": listed(("", KIND + "Transformer"))}, "there is no Pooling module"),
    "a trunk at the end": (
        {"modules.json": listed(("1_Pooling", KIND + "Pooling"), ("", KIND + "Transformer"))},
        "a trunk at '' after Pooling",
    ),
    "pooled twice": (
        {"modules.json": listed(("", KIND + "Transformer"), *[("1_Pooling", KIND + "Pooling")] * 2)},
        "module Pooling at '1_Pooling' after Pooling",
    ),
    "normalised before": (
        {
            "modules.json": listed(
                ("", KIND + "Transformer"), ("3", KIND + "Normalize"), ("1_Pooling", KIND + "Pooling")
            )
        },
        "3: Normalize before Pooling is not supported",
    ),
    "its own class": (
        {"modules.json": listed(("", KIND + "Transformer"), ("1_Pooling", "mine.Pooling"))},
        "module 'mine.Pooling' at '1_Pooling' is a class of the folder's own",
    ),
    "words predicted": (
        {
            "modules.json": listed(
                ("", "sentence_transformers.sparse_encoder.models.MLMTransformer"), ("1_Pooling", KIND + "Pooling")
            )
        },
        "the trunk is loaded for fill-mask",
    ),
    "unknown": ({"modules.json": listed(("", KIND + "Transformer"), ("1", KIND + "LSTM"))}, "module LSTM at '1'"),
    "outside": ({"modules.json": listed(("../2_Dense", KIND + "Dense"))}, "lies outside the folder"),
    "deep trunk": ({"modules.json": listed(("0_Transformer", KIND + "Transformer"))}, "the trunk lies in '0_Transfor"),
    "no dict": ({"modules.json": ["Transformer"]}, "expected modules with a type and a path"),
    "order": (
        {"modules.json": listed(("", KIND + "Transformer"), ("3", KIND + "Normalize"), ("2_Dense", KIND + "Dense"))},
        "after Normalize",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named(tmp_path: Path, name: str) -> None:
    changed, message = CONTRADICTIONS[name]
    with pytest.raises(CallError) as error:
        folders.read(files(tmp_path, BEFORE | changed))
    assert message in str(error.value)


def test_all_contradictions_come_at_once(tmp_path: Path) -> None:
    changed = {"1_Pooling/config.json": {}, "2_Dense/config.json": {}}
    with pytest.raises(CallError, match=r"(?s)no embedding_dimension.*out_features is missing"):
        folders.read(files(tmp_path, BEFORE | changed))
