"""Masked-language-model heads of every family: the names in their files, words of their own, both biases' names.

The reference is written out in NumPy here, on the stored states of the families' trunks.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, expected
from word_weights import BERT, encoded
from word_weights import expected as weights_of_words

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.mlx import export as export_mlx
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import mlm
from mlx_metaembed.layers.activations import ACTIVATIONS

ROBERTA = ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias")
NAMES = {
    "bert": (
        *("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"),
        *("cls.predictions.decoder", "cls.predictions.bias"),
    ),
    "nomic_bert": (
        *("cls.predictions.transform.dense", "cls.predictions.transform.layer_norm"),
        *("cls.predictions.decoder", "cls.predictions.bias"),
    ),
    "distilbert": ("vocab_transform", "vocab_layer_norm", "vocab_projector", ""),
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "mpnet": ROBERTA,
    "longformer": ROBERTA,
    "jina_embeddings_v3": ROBERTA,
    "new": ("lm_head.dense", "lm_head.norm", "lm_head.decoder", ""),
    "gte": ("lm_head.dense", "lm_head.norm", "lm_head.decoder", ""),
    "modernbert": ("head.dense", "head.norm", "decoder", ""),
}
"""Dense, norm, decoder, and the second name of the decoder's bias, as transformers 5 and the hub's code have them."""
WITHOUT_BIASES = {"nomic_bert": ("dense", "decoder"), "modernbert": ("dense", "norm")}
WORDS = {"modernbert": "embeddings.tok_embeddings.weight"}


def head_of(family: str, words: np.ndarray, second: bool) -> dict[str, np.ndarray]:
    """A head's tensors by the file's names, its bias by the `second` name where the family has one."""
    random = np.random.default_rng(3)
    dense, norm, decoder, other = NAMES[family]
    width, count = words.shape[1], words.shape[0]
    found = {
        f"{dense}.weight": random.standard_normal((width, width)) * 0.3,
        f"{dense}.bias": random.standard_normal(width) * 0.3,
        f"{norm}.weight": random.standard_normal(width) * 0.2 + 1,
        f"{norm}.bias": random.standard_normal(width) * 0.2,
        (other if other and second else f"{decoder}.bias"): random.standard_normal(count),
    }
    lacking = [
        f"{dict(zip(('dense', 'norm', 'decoder'), NAMES[family], strict=False))[part]}.bias"
        for part in WITHOUT_BIASES.get(family, ())
    ]
    lacking += [other] if "decoder" in WITHOUT_BIASES.get(family, ()) else []
    return {name: array.astype(np.float32) for name, array in found.items() if name not in lacking}


def by_hand(family: str, head: dict[str, np.ndarray], words: np.ndarray, act: str, eps: float) -> np.ndarray:
    """log1p(relu(.)) of the largest logit over a text's tokens, float64 [B, V]."""
    dense, norm, decoder, other = NAMES[family]
    _, mask, states = expected(family)
    x = states.astype(np.float64) @ head[f"{dense}.weight"].T + head.get(f"{dense}.bias", 0)
    x = ACTIVATIONS[act](x)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
    x = x * head[f"{norm}.weight"] + head.get(f"{norm}.bias", 0)
    logits = x @ words.T.astype(np.float64) + head.get(f"{decoder}.bias", head.get(other, 0))
    return np.log1p(np.maximum(np.where(mask[:, :, None], logits, -1e9).max(axis=1), 0))


def found_in(path: Path) -> np.ndarray:
    """What the folder's head gives for the stored states, float64 [B, V]."""
    folder = folders.read(path)
    found, arrays = heads.every(folder)
    own = {name.removeprefix("splade."): array.astype(np.float64) for name, array in arrays.items()}
    if tied := found["splade"].tied:
        own["decoder.weight"] = safetensors.read_tensor(folder.trunk()[tied]).astype(np.float64)
    ids, mask, states = expected(path.name.partition("@")[0])
    return found["splade"](own, states.astype(np.float64), ids, mask)


def test_every_family_is_tried():
    assert NAMES.keys() == mlm.LAYOUTS.keys()


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("untied", [False, True])
def test_a_familys_head_as_saved_and_converted(tmp_path: Path, family: str, untied: bool):
    table = WORDS.get(family, "embeddings.word_embeddings.weight")
    kept: dict[str, np.ndarray] = {}

    def with_head(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        kept["words"] = arrays[table][::-1] * 2 if untied else arrays[table]
        head = head_of(family, arrays[table], second=not untied)
        own = {f"{NAMES[family][2]}.weight": kept["words"]} if untied else {}
        kept.update(head)
        return arrays | head | own

    eps = 0.01
    settings = {"tie_word_embeddings": not untied, "layer_norm_eps": eps, "norm_eps": eps, "layer_norm_epsilon": eps}
    path = altered(tmp_path / f"{family}@source", family, settings, with_head)
    if family == "distilbert":
        eps = 1e-12
    wanted = by_hand(family, kept, kept["words"], "silu" if family == "nomic_bert" else "gelu", eps)
    np.testing.assert_allclose(found_in(path), wanted, rtol=0, atol=1e-6)
    assert wanted.max() > 1
    convert(path, tmp_path / f"{family}@out")
    np.testing.assert_allclose(found_in(tmp_path / f"{family}@out"), wanted, rtol=0, atol=1e-6)


def of_its_own(path: Path, tied: bool) -> Path:
    """The golden BERT with its words and biases in reverse as the decoder's own, and another bias that is not read."""
    shutil.copytree(BERT, path)
    arrays = safetensors.read(path / "model.safetensors")
    disk.write_json(path / "config.json", disk.read_json(path / "config.json") | {"tie_word_embeddings": tied})
    own = {
        "cls.predictions.decoder.weight": arrays["bert.embeddings.word_embeddings.weight"][::-1],
        "cls.predictions.decoder.bias": arrays["cls.predictions.bias"][::-1],
        "cls.predictions.bias": np.full(120, 9, np.float32),
    }
    safetensors.write(path / "model.safetensors", arrays | own)
    return path


@pytest.mark.parametrize("tied", [False, True])
def test_words_of_their_own_are_used_and_kept(engine_name: str, tmp_path: Path, tied: bool):
    """transformers 5 does not tie what the file has with different numbers, whatever config.json says."""
    path = of_its_own(tmp_path / "m", tied)
    np.testing.assert_allclose(encoded(path, engine_name)[:, ::-1], weights_of_words(), rtol=0, atol=1e-5)
    convert(path, tmp_path / "in")
    export(folders.read(path), tmp_path / "out")
    for name in ("in", "out"):
        np.testing.assert_allclose(
            encoded(tmp_path / name, engine_name)[:, ::-1], weights_of_words(), rtol=0, atol=1e-5
        )
        assert disk.read_json(tmp_path / name / "config.json")["tie_word_embeddings"] is False
        # Either name, for releases of transformers before 5 too.
        stored = safetensors.read(tmp_path / name / "model.safetensors")
        np.testing.assert_array_equal(stored["cls.predictions.bias"], stored["cls.predictions.decoder.bias"])


def test_a_quantized_export_keeps_words_of_their_own(mlx_engine: str, tmp_path: Path):
    export_mlx(folders.read(of_its_own(tmp_path / "m", False)), tmp_path / "out", bits=8, group_size=32)
    found = load(tmp_path / "out", engine=mlx_engine)
    assert found.heads["splade"].tied == ""
    np.testing.assert_allclose(encoded(tmp_path / "out", mlx_engine)[:, ::-1], weights_of_words(), atol=0.1)


def test_an_untied_modernbert_is_quantized_but_for_its_head(mlx_engine: str, tmp_path: Path):
    path = Path(shutil.copytree(GOLDEN / "splade_modernbert", tmp_path / "m"))
    disk.write_json(path / "config.json", disk.read_json(path / "config.json") | {"tie_word_embeddings": False})
    arrays = safetensors.read(path / "model.safetensors")
    own = {"decoder.weight": arrays["model.embeddings.tok_embeddings.weight"]}
    safetensors.write(path / "model.safetensors", arrays | own)
    export_mlx(folders.read(path), tmp_path / "out", bits=8, group_size=32)
    assert "decoder.scales" not in safetensors.header(tmp_path / "out/model.safetensors")
    found, wanted = encoded(tmp_path / "out", mlx_engine), weights_of_words("splade_modernbert")
    np.testing.assert_allclose(found, wanted, atol=0.1)


def test_the_decoders_bias_by_its_own_name_alone(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(BERT, tmp_path / "m"))
    arrays = safetensors.read(path / "model.safetensors")
    arrays["cls.predictions.decoder.bias"] = arrays.pop("cls.predictions.bias")
    safetensors.write(path / "model.safetensors", arrays)
    np.testing.assert_allclose(encoded(path, engine_name), weights_of_words(), rtol=0, atol=1e-5)
    convert(path, tmp_path / "out")
    # The name that transformers ties the other one to.
    assert "cls.predictions.bias" in safetensors.header(tmp_path / "out/model.safetensors")


def test_an_activation_that_is_not_there_is_named(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(GOLDEN / "splade_modernbert", tmp_path / "m"))
    config = disk.read_json(path / "config.json")
    disk.write_json(path / "config.json", config | {"classifier_activation": "xielu"})
    for call in (lambda: load(path, engine=engine_name), lambda: convert(path, tmp_path / "out")):
        with pytest.raises(CallError, match="head has the activation 'xielu', which is not supported; known: gelu, "):
            call()
    assert not (tmp_path / "out").exists()
    disk.write_json(path / "config.json", config | {"classifier_activation": "silu"})
    assert not np.allclose(encoded(path, engine_name), weights_of_words("splade_modernbert"), atol=1e-3)


def test_a_model_for_vectors_goes_without_a_head_that_is_not_known(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(GOLDEN / "splade_modernbert", tmp_path / "m"))
    for name in ("modules.json", "1_SpladePooling/config.json"):
        (path / name).unlink()
    disk.write_json(path / "config.json", disk.read_json(path / "config.json") | {"classifier_activation": "xielu"})
    model = load(path, engine=engine_name)
    assert not model.heads and model.encode(["a list"]).shape == (1, 32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tied", [False, True])
def test_transformers_reads_what_is_exported_alike(torch_engine: str, tmp_path: Path, tied: bool):
    import torch
    from transformers import AutoModelForMaskedLM

    export(folders.read(of_its_own(tmp_path / "m", tied)), tmp_path / "out")
    ids = torch.arange(5, 12)[None]
    logits = []
    for name in ("m", "out"):
        model = AutoModelForMaskedLM.from_pretrained(tmp_path / name, local_files_only=True).eval()
        with torch.inference_mode():
            logits.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.numpy())
    np.testing.assert_array_equal(*logits)
