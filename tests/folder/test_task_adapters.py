"""Task adapters (jina-embeddings-v3): each row's own, chosen by its prompt; the hub's layout; folding; training."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from golden_variants import altered
from jina_folder import JINA, NAMES
from states import GOLDEN, expected, lowest_cosine
from tiny import TEXTS

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.cli.export import command
from mlx_metaembed.convert import check, convert
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import mlx as quantized
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import task_adapters
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train
from mlx_metaembed.training.tokenized_dataset import number

HUB = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaModel"],
    "auto_map": {"AutoModel": "jinaai/xlm-roberta-flash-implementation--modeling_lora.XLMRobertaLoRA"},
    "emb_pooler": None,
    "load_trained_adapters": True,
    "lora_dropout_p": 0.0,
    "lora_main_params_trainable": False,
    "matryoshka_dimensions": [8, 16, 32],
    "position_embedding_type": "rotary",
    "rope_parameters": ...,
    "rotary_emb_base": 300.0,
    "truncate_dim": None,
    "use_flash_attn": True,
}
"""What config.json says on the hub."""
WORDS = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": "<unk>"}
"""What tokenizer_config.json must say to other tools."""


def with_tasks() -> tuple[np.ndarray, np.ndarray]:
    """The stored adapters int32 [B] and the states float32 [B, L, D] that they give."""
    arrays = np.load(JINA / "expected.npz")
    return arrays["tasks"], arrays["task_states"]


def rows(engine_name: str, path: Path, dtype: str = "float32"):
    """A function of ids, mask and tasks that gives the trunk's states float32 [B, L, D]."""
    engine, folder = engines.choose(engine_name), folders.read(path)
    if engine_name == "mlx":
        import mlx.core as mx

        from mlx_metaembed.on_mlx import trunk

        encode = trunk.load(folder)
        encode.set_dtype(getattr(mx, dtype))
        return lambda *inputs: engine.numpy(encode(*(mx.array(values) for values in inputs)))
    import torch

    from mlx_metaembed.on_torch import encoder

    encode = encoder.load(folder, dtype=getattr(torch, dtype), dropout=0.0).requires_grad_(False)
    names = ("input_ids", "attention_mask", "tasks")
    return lambda *inputs: engine.numpy(
        encode(**{name: torch.from_numpy(values) for name, values in zip(names, inputs, strict=True)}).last_hidden_state
    )


def hub_layout(out: Path) -> Path:
    """The golden folder as the hub has it: its own code, names of torch's parametrizations, another model_type."""

    def named(name: str) -> str:
        name = name.replace("_lora.A", ".parametrizations.weight.0.lora_A")
        name = name.replace("_lora.B", ".parametrizations.weight.0.lora_B")
        adapted = name.endswith(".weight") and "norm" not in name and "emb_ln" not in name
        return "roberta." + (name.removesuffix(".weight") + ".parametrizations.weight.original" if adapted else name)

    altered(out, "jina_embeddings_v3", HUB, lambda arrays: {named(name): array for name, array in arrays.items()})
    listed = disk.read_json(out / "modules.json")
    listed[0] |= {"type": "custom_st.Transformer", "kwargs": ["task"]}
    disk.write_json(out / "modules.json", listed)
    (out / "custom_st.py").write_text("raise SystemExit('run')")
    (out / "config_sentence_transformers.json").unlink()
    return out


@pytest.mark.parametrize(("dtype", "least"), [("float32", 1), ("float16", 0.9999)])
def test_each_row_has_the_states_of_its_task(engine_name: str, dtype: str, least: float):
    ids, mask, plain = expected("jina_embeddings_v3")
    numbers, states = with_tasks()
    found = rows(engine_name, JINA, dtype)(ids, mask, numbers)
    assert lowest_cosine(found[mask], states[mask]) > least - 1e-6
    if dtype == "float32":
        np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)
    # Every adapter matters, and -1 is none.
    changed = np.abs(states - plain).max(axis=(1, 2))
    assert (changed[numbers >= 0] > 0.1).all() and (changed[numbers < 0] < 1e-5).all()


def test_a_prompt_chooses_its_adapter(engine_name: str):
    model = load(JINA, engine=engine_name)
    ids = token_store.tokenize(Tokenizer(model.folder), TEXTS, "join two paths ")
    encode = rows(engine_name, JINA)
    for text, vector in enumerate(model.encode(TEXTS, prompt_name="retrieval.passage")):
        row = np.array(ids[text])[None]
        states = encode(row, np.ones_like(row, bool), np.array([1], np.int32))
        mean = states[0].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=2e-6)
    for side, name in (("query", "retrieval.query"), ("document", "retrieval.passage")):
        np.testing.assert_array_equal(*(model.encode(TEXTS, prompt_name=each) for each in (side, name)))
    each = [model.encode(TEXTS, prompt_name=name) for name in (None, *NAMES)]
    assert all(np.abs(one - other).max() > 1e-2 for at, one in enumerate(each) for other in each[:at])
    with pytest.raises(CallError, match=r"no prompt 'matching'.*Its prompts: retrieval\.query, "):
        model.encode(TEXTS, prompt_name="matching")


def test_the_default_prompt_chooses_too(tmp_path: Path):
    path = Path(shutil.copytree(JINA, tmp_path / "m"))
    file = path / "config_sentence_transformers.json"
    disk.write_json(file, disk.read_json(file) | {"default_prompt_name": "separation"})
    assert task_adapters.chosen(folders.read(path), None) == ("", 2)
    assert task_adapters.chosen(folders.read(path), "query") == ("open a socket ", 0)
    assert task_adapters.chosen(folders.read(JINA), None) == ("", -1)
    assert task_adapters.chosen(folders.read(GOLDEN / "bert"), "query") == ("", None)


def test_texts_of_several_tasks_share_a_chunk():
    # Of unlike lengths, so that the chunk has them in another order.
    texts = ["open", "open a", "open a socket", "open a socket and", "open a socket and read"]
    store = token_store.tokenize(Tokenizer(folders.read(JINA)), texts, tasks=[4, -1, 0, 3, 3])
    (chunk,), places = chunks.chunks(store, range(5), pad_id=1, chunk_tokens=4096)
    assert chunk.tasks[places].tolist() == [4, -1, 0, 3, 3]
    assert chunk.tasks[5:].tolist() == [-1, -1, -1]
    (plain,), _ = chunks.chunks(
        token_store.tokenize(Tokenizer(folders.read(JINA)), ["a"]), [0], pad_id=1, chunk_tokens=64
    )
    assert plain.tasks is None


def test_one_text_on_two_sides_is_two_texts_for_a_run(tmp_path: Path):
    config = {"task_instructions": dict.fromkeys(NAMES, "")}
    path = altered(tmp_path / "m", "jina_embeddings_v3", config)
    (path / "config_sentence_transformers.json").unlink()
    pairs = {"data": Rows({"anchor": ["a", "b"], "positive": ["b", "a"]}, {})}
    found = number(pairs, folders.read(path), Tokenizer(folders.read(path)))
    assert (found.texts, found.tasks) == (["a", "b", "b", "a"], [0, 0, 1, 1])
    store = found.store(Tokenizer(folders.read(path)), tmp_path, lambda count: None)
    assert store.tasks.tolist() == [0, 0, 1, 1]
    again = found.store(Tokenizer(folders.read(path)), tmp_path, lambda count: None)
    assert again.tasks.tolist() == [0, 0, 1, 1]
    assert number(pairs, folders.read(GOLDEN / "bert"), Tokenizer(folders.read(path))).tasks is None
    arguments = (path / "tokenizer.json", 24, found.texts, found.prompts)
    assert len({token_store.fingerprint(*arguments, each) for each in (None, [0, 0, 1, 1], [0, 0, 0, 1])}) == 3


def test_the_hubs_layout_comes_in_and_its_code_does_not(engine_name: str, tmp_path: Path):
    source = hub_layout(tmp_path / "hub")
    heard: list[str] = []
    found = convert(source, tmp_path / "out", note=heard.append)
    assert heard == []
    ids, mask, _ = expected("jina_embeddings_v3")
    numbers, states = with_tasks()
    np.testing.assert_allclose(rows(engine_name, found.path)(ids, mask, numbers)[mask], states[mask], rtol=0, atol=1e-5)
    assert found.model_type == "jina_embeddings_v3" and "auto_map" not in found.config
    assert found.prompts == folders.read(JINA).prompts and not (found.path / "custom_st.py").exists()
    for name, array in safetensors.read(JINA / "model.safetensors").items():
        np.testing.assert_array_equal(safetensors.read(found.path / "model.safetensors")[name], array, err_msg=name)


@pytest.mark.parametrize("task", NAMES)
def test_a_folded_task_is_a_plain_trunk_with_its_prompt(engine_name: str, tmp_path: Path, task: str):
    found = export(folders.read(JINA), tmp_path / "out", task=task)
    wanted = load(JINA, engine=engine_name).encode(TEXTS, prompt_name=task)
    np.testing.assert_allclose(load(found.path, engine=engine_name).encode(TEXTS), wanted, atol=1e-5)
    assert task_adapters.names(found.config) == [] and not any("_lora" in name for name in found.trunk())
    if task == "retrieval.query":
        again = load(found.path, engine=engine_name).encode(TEXTS, prompt_name="query")
        np.testing.assert_allclose(again, wanted, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_other_tools_read_the_trunk_and_a_folded_task(sentence_transformers: str, engine_name: str, tmp_path: Path):
    from sentence_transformers import SentenceTransformer

    source = altered(tmp_path / "m", "jina_embeddings_v3")
    disk.write_json(source / "tokenizer_config.json", WORDS)
    heard: list[str] = []
    export(folders.read(source), tmp_path / "all", note=heard.append)
    assert heard == ["Other tools compute the trunk without its task adapters; --task NAME folds one into the weights"]
    export(folders.read(source), tmp_path / "one", task="retrieval.passage")
    for name in ("all", "one"):
        theirs = SentenceTransformer(str(tmp_path / name), device="cpu", local_files_only=True)
        vectors = theirs.encode(TEXTS, show_progress_bar=False)
        np.testing.assert_allclose(load(tmp_path / name, engine=engine_name).encode(TEXTS), vectors, atol=1e-5)


def test_a_folded_task_keeps_the_dtype(tmp_path: Path):
    found = export(folders.read(convert(JINA, tmp_path / "half", dtype="bfloat16").path), tmp_path / "o", task=NAMES[2])
    assert {tensor.dtype for tensor in safetensors.header(found.path / "model.safetensors").values()} == {"BF16"}
    assert found.config["dtype"] == "bfloat16"


def test_the_verb_knows_the_tasks(tmp_path: Path):
    arguments = [str(JINA), str(tmp_path / "out"), "--to"]
    with pytest.raises(CallError, match=r"no adapter 'matching'.*Adapters: retrieval\.query"):
        CliRunner().invoke(command, [*arguments, "sentence-transformers", "--task", "matching"], catch_exceptions=False)
    with pytest.raises(CallError, match="--task belongs to"):
        CliRunner().invoke(command, [*arguments, "mlx", "--task", "separation"], catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_training_moves_the_trunk_and_the_two_retrieval_adapters(engine_name: str, pairs: Path, tmp_path: Path):
    settings = {"batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.0, "chunk_tokens": 64, "engine": engine_name}
    train(Recipe(model=str(JINA), data=str(pairs), out=str(tmp_path / "out"), **settings))
    before, after = (safetensors.read(path / "model.safetensors") for path in (JINA, tmp_path / "out"))
    assert before.keys() == after.keys()
    for name, array in before.items():
        moved = np.abs(after[name] - array)
        if name.startswith("pooler."):
            assert moved.max() == 0, name
        elif "_lora." in name:
            assert moved[:2].max() > 1e-4 and moved[2:].max() == 0, name
        else:
            assert moved.max() > 1e-4, name


def test_both_engines_train_alike(two_engines: tuple[str, str], pairs: Path, tmp_path: Path):
    ends = []
    for name in two_engines:
        settings = {"batch_size": 8, "learning_rate": 1e-3, "chunk_tokens": 64, "engine": name, "dtype": "float32"}
        result = train(Recipe(model=str(JINA), data=str(pairs), out=str(tmp_path / name), iters=5, **settings))
        ends.append((result.loss, load(tmp_path / name, engine=name).encode(TEXTS, prompt_name="query")))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-4)
    np.testing.assert_allclose(ends[0][1], ends[1][1], atol=1e-3)


def test_quantized_matrices_keep_their_adapters(engine_name: str, mlx_engine: str, tmp_path: Path):
    found = quantized.export(folders.read(JINA), tmp_path / "out", bits=8, group_size=32)
    packed = {name.removesuffix(".scales") for name in found.trunk() if name.endswith(".scales")}
    assert "encoder.layers.0.mixer.Wqkv" in packed and not any("_lora" in name for name in packed)
    for name in (None, "classification"):
        vectors = [load(path, engine=engine_name).encode(TEXTS, prompt_name=name) for path in (JINA, found.path)]
        assert lowest_cosine(*vectors) > 0.999


def test_the_check_compares_the_trunk_with_transformers(torch_engine: str, tmp_path: Path):
    source = hub_layout(tmp_path / "hub")
    disk.write_json(source / "tokenizer_config.json", WORDS)
    convert(source, tmp_path / "out")
    found, said = check.check(tmp_path / "out", reference=check.reference_for(source, None), engine=torch_engine)
    assert all(row["holds"] for row in found) and "its jina_embeddings_v3 with the weights" in said


def test_the_adapters_alone_can_train(engine_name: str, pairs: Path, tmp_path: Path):
    modules = tuple(f"{name}_lora" for name in ("Wqkv", "out_proj", "fc1", "fc2", "word_embeddings"))
    settings = {"batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.0, "engine": engine_name}
    recipe = Recipe(model=str(JINA), data=str(pairs), out=str(tmp_path / "out"), target_modules=modules, **settings)
    train(recipe)
    before, after = (safetensors.read(path / "model.safetensors") for path in (JINA, tmp_path / "out"))
    for name, array in before.items():
        moved = np.abs(after[name] - array)
        trains = any(f"{module}." in name for module in modules) and not name.startswith("pooler.")
        assert (moved.max() > 1e-4) == trains, name


def test_lora_beside_the_task_adapters_leaves_them(engine_name: str, pairs: Path, tmp_path: Path):
    settings = {"batch_size": 8, "learning_rate": 1e-2, "iters": 5, "train": "lora", "engine": engine_name}
    train(Recipe(model=str(JINA), data=str(pairs), out=str(tmp_path / "out"), **settings))
    found = convert(tmp_path / "out", tmp_path / "fused")
    before, after = (safetensors.read(path / "model.safetensors") for path in (JINA, found.path))
    assert before.keys() == after.keys()
    changed = {name for name, array in before.items() if np.abs(after[name] - array).max() > 1e-5}
    assert changed and all(name.endswith(".weight") and "layers" in name for name in changed)
    for name in (None, "query", "separation"):
        vectors = [
            load(path, engine=engine_name).encode(TEXTS, prompt_name=name) for path in (tmp_path / "out", found.path)
        ]
        np.testing.assert_allclose(*vectors, atol=1e-5)
