"""Which tokenizer class a folder has, held against transformers' own tables."""

import pytest

from mlx_metaembed.config import families
from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs import tokenizer_classes


def test_the_classes_are_those_of_transformers():
    """By name: which class a family has, which are built as said here, and which not."""
    import transformers
    from transformers.models.auto import tokenization_auto

    known = {*tokenizer_classes.CLASSES, *tokenizer_classes.SAME, *tokenizer_classes.OTHERS}
    known |= {*tokenizer_classes.GENERAL_NAMES, tokenizer_classes.SENTENCEPIECE}
    parts = {"BasicTokenizer", "WordpieceTokenizer", "AutoTokenizer", "RagTokenizer"}
    theirs = {name.removesuffix("Fast") for name in dir(transformers)}
    assert {name for name in theirs - parts if name.endswith("Tokenizer")} <= known
    registered = tokenization_auto.TOKENIZER_MAPPING_NAMES
    for model_type, name in tokenizer_classes.REGISTERED.items():
        assert registered[model_type] == name, model_type
    assert not {"llama", "new", "clip_text_model", "siglip_text_model"} & registered.keys()
    untrusted = tokenization_auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS
    assert untrusted & {*families.supported(), "camembertv2-base"} == tokenizer_classes.UNTRUSTED
    for name, same in tokenizer_classes.SAME.items():
        mro = getattr(transformers, name).__mro__
        assert getattr(transformers, same) in mro


BERT, OWN = {"model_type": "bert"}, {"auto_map": {"AutoTokenizer": ["a.B", None]}, "tokenizer_class": "B"}


@pytest.mark.parametrize(
    ("model", "named", "found"),
    [
        (BERT | {"tokenizer_class": "XLMRobertaTokenizer"}, None, "XLMRobertaTokenizer"),
        (BERT | {"tokenizer_class": "BertTokenizer"}, "MPNetTokenizerFast", "MPNetTokenizer"),
        (BERT, "ATokenizerOfTheirOwn", "TokenizersBackend"),
        (BERT | {"model_name": "camembertv2-base"}, "RobertaTokenizer", "BertTokenizer"),
        ({"model_type": "modernbert"}, "RobertaTokenizer", "TokenizersBackend"),
        ({"model_type": "qwen2"}, "LlamaTokenizer", "Qwen2Tokenizer"),
        ({"model_type": "siglip"}, None, "SiglipTokenizer"),
    ],
)
def test_which_class_a_folder_has(model: dict, named: str | None, found: str):
    said = {"tokenizer_class": named} if named else {}
    assert tokenizer_classes.class_name(model, said, byte_level=False) == found


def test_code_of_a_folder_is_never_run():
    assert tokenizer_classes.class_name(BERT, OWN, byte_level=False) == "TokenizersBackend"
    with pytest.raises(CallError, match="auto_map names a tokenizer with code of its own, which is never run"):
        tokenizer_classes.class_name({"model_type": "new"}, OWN, byte_level=False)
    with pytest.raises(CallError, match="tokenizer_class = 'AlbertTokenizer', which is not known here"):
        tokenizer_classes.class_name(
            {"model_type": "bert"}, {"tokenizer_class": "AlbertTokenizerFast"}, byte_level=False
        )
