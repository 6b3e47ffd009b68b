"""A folder without modules.json: pooled as sentence-transformers pools it, and nothing else of its files is read."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from tiny import TEXTS, tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError

pytestmark = pytest.mark.filterwarnings("ignore")
SPECIALS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "tokenizer_class": "PreTrainedTokenizerFast"}
SAID = {
    "a language model": (["Qwen3ForCausalLM"], ..., "lasttoken"),
    "one that says so": (["LlamaForCausalLM"], True, "lasttoken"),
    "one that sees both ways": (["Qwen2ForCausalLM"], False, "mean"),
    "the trunk alone": (["MistralModel"], ..., "mean"),
    "a task's head": (["Qwen3ForSequenceClassification"], ..., "mean"),
    "the first counts": (["LlamaModel", "LlamaForCausalLM"], ..., "mean"),
    "nothing": (..., ..., "mean"),
    "an empty list": ([], ..., "mean"),
    "no list": ("LlamaForCausalLM", ..., "mean"),
}
FAMILIES = ("gemma3_text", "llama", "mistral", "qwen2", "qwen3")


def bare(path: Path, family: str, architectures: object, is_causal: object) -> Path:
    """A golden decoder without its modules."""
    config = {"architectures": architectures, "is_causal": is_causal}
    if family == "gemma3_text":
        config |= {"use_bidirectional_attention": False}
    path = altered(path, family, config)
    (path / "modules.json").unlink()
    (path / "tokenizer_config.json").write_text(json.dumps(SPECIALS))
    return path


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_causal_language_model_is_pooled_by_its_last_token(tmp_path: Path, family: str, name: str):
    architectures, is_causal, pooling = SAID[name]
    path = bare(tmp_path / "m", family, architectures, is_causal)
    assert folders.read(path).pooling == pooling
    written = json.loads((convert_to(path, tmp_path / "out") / "1_Pooling/config.json").read_text())
    assert [key for key, value in written.items() if key.startswith("pooling") and value is True] == [
        {"mean": "pooling_mode_mean_tokens"}.get(pooling, f"pooling_mode_{pooling}")
    ]


def convert_to(path: Path, out: Path) -> Path:
    convert(str(path), out)
    return out


@pytest.mark.parametrize("is_causal", [..., False])
@pytest.mark.parametrize("family", FAMILIES)
def test_its_vectors_are_those_of_sentence_transformers(
    sentence_transformers: str, engine_name: str, tmp_path: Path, family: str, is_causal: object
):
    from sentence_transformers import SentenceTransformer

    path = bare(tmp_path / "m", family, [f"{family}ForCausalLM"], is_causal)
    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    # Alone, since the padding token has no row.
    expected = np.stack([model.encode(text) for text in TEXTS])
    found = load(path, engine=engine_name, dtype="float32").encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_other_files_are_not_read(tmp_path: Path):
    path = tiny_folder(tmp_path / "m", max_seq_length=5, prompts={"query": "open "}, truncate_dim=4, do_lower_case=True)
    whole = folders.read(path)
    assert (whole.max_seq_length, whole.truncate_dim, whole.prompts) == (5, 4, {"query": "open "})
    (path / "modules.json").unlink()
    found = folders.read(path)
    assert (found.max_seq_length, found.truncate_dim, found.prompts, found.do_lower_case) == (48, None, {}, False)


@pytest.mark.parametrize("where", ["tokenizer_config.json", "chat_template.jinja"])
def test_a_chat_template_is_refused_where_texts_would_go_into_it(tmp_path: Path, where: str):
    path = tiny_folder(tmp_path / "m")
    (path / where).write_text(json.dumps({"chat_template": "{{ messages }}"}))
    assert folders.read(path).pooling == "mean"
    (path / "modules.json").unlink()
    for refuse in (lambda: folders.read(path), lambda: convert(str(path), tmp_path / "out")):
        with pytest.raises(CallError, match="chat template"):
            refuse()


@pytest.mark.parametrize(
    ("is_causal", "message"), [(True, "not supported for an encoder"), (None, "= None"), (1, "= 1")]
)
def test_an_encoder_that_would_see_only_what_stands_before_is_refused(tmp_path: Path, is_causal: object, message: str):
    path = altered(tmp_path / "m", "bert", {"is_causal": is_causal})
    with pytest.raises(CallError, match=message):
        folders.read(path)
    assert folders.read(altered(tmp_path / "n", "bert", {"is_causal": False})).pooling == "mean"
