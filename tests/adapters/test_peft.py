"""PEFT as the referee of the adapter's format: it loads what the kit writes, and the kit what it writes.

Also sentence-transformers, which loads an adapter's folder through PEFT.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from states import GOLDEN, expected
from tiny import tiny_folder

from mlx_metaembed import adapters, embedder
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train, trainable

TEXTS = ["open a socket", "read a file and count its lines", "x"]
NATIVE = ("bert", "distilbert", "modernbert", "mpnet", "qwen3", "t5", "xlm-roberta")
"""Families whose checkpoints name and split their matrices as transformers does."""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


def random_adapter(base: Path, *, dora: bool) -> adapters.Adapter:
    """An adapter of all the default layers that changes much."""
    folder = folders.read(base)
    made = adapters.new(folder, trainable.linear_layers(Recipe(), folder), rank=3, alpha=6.0, dora=dora, seed=0)
    random = np.random.default_rng(1)
    arrays = {
        name: array * random.uniform(0.8, 1.2, array.shape).astype(np.float32)
        if name.endswith(adapters.PARTS[2])
        else (array + 0.1 * random.standard_normal(array.shape)).astype(np.float32)
        for name, array in made.arrays.items()
    }
    return adapters.with_arrays(made, arrays)


def trunk(base: Path):
    """The base as transformers loads it, to be wrapped by PEFT."""
    from transformers import AutoModel, AutoModelForTextEncoding

    kind = AutoModelForTextEncoding if folders.read(base).model_type == "t5" else AutoModel
    return kind.from_pretrained(base).eval()


def peft_means(model, family: str) -> np.ndarray:
    """The mean state of each golden text [B, D], by a torch model."""
    import torch

    ids, mask, _ = expected(family)
    with torch.no_grad():
        states = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state.numpy()
    return np.stack([row[real].mean(axis=0) for row, real in zip(states, mask, strict=True)])


def own_means(engine_name: str, path: Path, family: str) -> np.ndarray:
    """The same by the kit, of an adapter's folder."""
    folder = replace(folders.read(path), pooling="mean", normalize=False, dense=())
    engine = engines.choose(engine_name)
    engine.load(folder, dtype="float32", heads={}, arrays={}, adapter=adapters.read(folder))
    ids, mask, _ = expected(family)
    return engine.numpy(engine.embed(Chunk(ids, mask, mask, len(ids)))["dense"])


def written_by_peft(base: Path, out: Path, **settings) -> np.ndarray:
    """An adapter that PEFT made of the base's linear layers, in the folder `out`: the mean states it gives."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    given = {"r": 3, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False} | settings
    model = get_peft_model(trunk(base), LoraConfig(**given)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_magnitude" in name:
                parameter.mul_(torch.empty_like(parameter).uniform_(0.8, 1.2))
    model.save_pretrained(out)
    return peft_means(model, base.name)


@pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("family", NATIVE)
def test_peft_loads_what_the_kit_writes(
    peft_library: str, two_engines: tuple[str, str], tmp_path: Path, family: str, dora: bool
):
    from peft import PeftModel

    adapters.write(random_adapter(GOLDEN / family, dora=dora), str(GOLDEN / family), tmp_path / "a")
    plain = peft_means(trunk(GOLDEN / family), family)
    wanted = peft_means(PeftModel.from_pretrained(trunk(GOLDEN / family), tmp_path / "a").eval(), family)
    assert np.abs(wanted - plain).max() > 1e-2
    for engine_name in two_engines:
        np.testing.assert_allclose(own_means(engine_name, tmp_path / "a", family), wanted, atol=2e-5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_dora": True}, {"use_rslora": True}, {"target_modules": ["query", "output.dense"]}],
    ids=["lora", "dora", "rslora", "named"],
)
def test_the_kit_reads_what_peft_writes(peft_library: str, engine_name: str, tmp_path: Path, settings: dict):
    wanted = written_by_peft(GOLDEN / "bert", tmp_path / "a", **settings)
    np.testing.assert_allclose(own_means(engine_name, tmp_path / "a", "bert"), wanted, atol=2e-5)
    assert np.abs(wanted - peft_means(trunk(GOLDEN / "bert"), "bert")).max() > 1e-2


def test_an_adapter_around_a_task_model_is_one_of_the_trunk(peft_library: str, engine_name: str, tmp_path: Path):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    inner = AutoModelForCausalLM.from_pretrained(GOLDEN / "qwen3")
    settings = LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    model = get_peft_model(inner, settings).eval()
    model.save_pretrained(tmp_path / "a")
    assert any(".model.model." in name for name in safetensors.header(tmp_path / "a" / adapters.FILE))
    wanted = peft_means(inner.model, "qwen3")
    np.testing.assert_allclose(own_means(engine_name, tmp_path / "a", "qwen3"), wanted, atol=2e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rank_pattern": {"query": 2}}, r"rank_pattern = .* is not supported[\s\S]*merge_and_unload"),
        ({"alpha_pattern": {"query": 2}}, r"alpha_pattern = .* is not supported"),
        ({"modules_to_save": ["LayerNorm"]}, r"modules_to_save = \['LayerNorm'\] is not supported"),
        ({"bias": "all"}, r"bias = 'all'; only 'none' is supported"),
        ({"init_lora_weights": "pissa"}, r"init_lora_weights = 'pissa' changed the base's weights too"),
        ({"target_modules": ["word_embeddings", "query"]}, r"word_embeddings.* is not known: adapters are of linear"),
    ],
)
def test_what_is_not_computed_is_refused(peft_library: str, tmp_path: Path, settings: dict, said: str):
    written_by_peft(GOLDEN / "bert", tmp_path / "a", **settings)
    with pytest.raises(CallError, match=said):
        adapters.read(folders.read(tmp_path / "a"))


def test_sentence_transformers_loads_the_folder_of_a_run(
    peft_library: str, sentence_transformers: str, engine_name: str, pairs: Path, tmp_path: Path, monkeypatch
):
    # LoRA alone: of DoRA, transformers' own loader drops the magnitudes, of PEFT's files too (docs/training.md).
    from sentence_transformers import SentenceTransformer

    tiny, out = tiny_folder(tmp_path / "tiny"), tmp_path / "out"
    disk.write_json(
        tiny / "tokenizer_config.json", {"pad_token": "[PAD]", "tokenizer_class": "PreTrainedTokenizerFast"}
    )
    settings = {"train": "lora", "iters": 3, "batch_size": 8, "learning_rate": 1e-2, "warmup_ratio": 0.0}
    train(Recipe(model=str(tiny), data=str(pairs), out=str(out), engine=engine_name, dtype="float32", **settings))
    wanted = embedder.load(out, engine=engine_name, dtype="float32").encode(TEXTS)
    # The base is named by its path from the run; transformers takes a path from where it runs.
    monkeypatch.chdir(out)
    np.testing.assert_allclose(SentenceTransformer(".", device="cpu").encode(TEXTS), wanted, atol=2e-5)
    monkeypatch.chdir(tmp_path.parent)
    beside = SentenceTransformer(str(tiny), device="cpu")
    assert np.abs(beside.encode(TEXTS) - wanted).max() > 1e-3
    beside.load_adapter(str(out))
    np.testing.assert_allclose(beside.encode(TEXTS), wanted, atol=2e-5)


def test_what_sentence_transformers_leaves_is_pooled_as_it_says(
    peft_in_transformers: str, engine_name: str, tmp_path: Path
):
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    base = tiny_folder(tmp_path / "base", pooling="cls")
    model = SentenceTransformer(str(base), device="cpu")
    model.add_adapter(LoraConfig(r=2, lora_alpha=6, target_modules=["query", "dense"], init_lora_weights=False))
    model.save(str(tmp_path / "a"), create_model_card=False)
    # The base as transformers leaves it says nothing of the pooling.
    (base / "modules.json").unlink()
    assert not (tmp_path / "a" / "config.json").exists()
    found = folders.read(tmp_path / "a")
    assert (found.pooling, found.base) == ("cls", base)
    wanted = model.encode(TEXTS)
    np.testing.assert_allclose(embedder.load(found.path, engine=engine_name).encode(TEXTS), wanted, atol=2e-5)
