"""`save` and `push_to_hub`: what a model's folder holds afterwards, who loads it, and what a hub refuses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub import Hub, environment, serving
from states import GOLDEN
from tiny import TEXTS, tiny_folder

from mlx_metaembed import Recipe, train
from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import mlx as quantized

pytestmark = pytest.mark.filterwarnings("ignore")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_saved_model_is_the_model(engine_name: str, pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base", prompts={"query": "open ", "document": ""}, query_length=6, truncate_dim=24)
    train(Recipe(model=str(base), data=str(pairs), out=str(tmp_path / "run"), fsq="4x8", engine=engine_name, iters=1))
    model = load(tmp_path / "run", engine=engine_name, dtype="float32")
    assert model.save(tmp_path / "saved", model_name="team/mine") == tmp_path / "saved"
    saved = load(tmp_path / "saved", engine=engine_name, dtype="float32")
    for call in ({}, {"prompt_name": "query"}, {"head": "codes"}):
        np.testing.assert_array_equal(saved.encode(TEXTS, **call), model.encode(TEXTS, **call))
    found = folders.read(tmp_path / "saved")
    assert (found.prompts, found.query_length, found.truncate_dim) == ({"query": "open ", "document": ""}, 6, 24)
    assert (
        not {"metaembed/recipe.toml", "metaembed/metrics.jsonl", "metaembed/state.safetensors"}
        & files(tmp_path / "saved").keys()
    )
    card = (tmp_path / "saved" / "README.md").read_text()
    assert "\n# team/mine\n" in card
    assert 'load("team/mine")' in card


def test_what_was_set_is_saved(engine_name: str, tmp_path: Path):
    model = load(tiny_folder(tmp_path / "m", query_length=4), engine=engine_name, dtype="float32")
    model.max_seq_length, model.similarity_fn_name, model.prompts["query"] = 7, "dot", "open "
    model.save_pretrained(str(tmp_path / "saved"))
    found = folders.read(tmp_path / "saved")
    assert (found.max_seq_length, found.query_length, found.similarity_fn_name) == (7, None, "dot")
    assert found.prompts == {"query": "open "}
    saved = load(tmp_path / "saved", engine=engine_name, dtype="float32")
    np.testing.assert_array_equal(saved.encode_query(TEXTS), model.encode_query(TEXTS))


@pytest.mark.parametrize("way", ["lora", "dora"])
def test_an_adapter_is_fused(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, way: str):
    settings = {"train": way, "learning_rate": 1e-2, "engine": engine_name, "iters": 2}
    train(Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "run"), **settings))
    model, notes = load(tmp_path / "run", engine=engine_name, dtype="float32"), []
    model.save(tmp_path / "saved", note=notes.append)
    assert not (tmp_path / "saved" / "adapter_config.json").exists()
    assert any("adapter of" in note and "was fused into its base" in note for note in notes)
    saved = load(tmp_path / "saved", engine=engine_name, dtype="float32")
    np.testing.assert_allclose(saved.encode(TEXTS), model.encode(TEXTS), atol=1e-5)
    assert np.abs(saved.encode(TEXTS) - load(tiny, engine=engine_name).encode(TEXTS)).max() > 1e-3


def test_quantized_weights_become_plain(mlx_engine: str, engine_name: str, tiny: Path, tmp_path: Path):
    quantized.export(folders.read(tiny), tmp_path / "8bit", bits=8, group_size=32)
    model = load(tmp_path / "8bit", engine=engine_name, dtype="float32")
    model.save(tmp_path / "saved")
    assert folders.read(tmp_path / "saved").quantization is None
    saved = load(tmp_path / "saved", engine=engine_name, dtype="float32")
    np.testing.assert_allclose(saved.encode(TEXTS), model.encode(TEXTS), atol=2e-3)
    assert (
        np.abs(saved.encode(TEXTS) - model.encode(TEXTS)).max()
        < np.abs(saved.encode(TEXTS) - load(tiny, engine=engine_name, dtype="float32").encode(TEXTS)).max()
    )


@pytest.mark.parametrize("family", ["splade_bert", "colbert", "bge_m3", "clip"])
def test_heads_and_towers_are_saved(engine_name: str, tmp_path: Path, family: str):
    path = GOLDEN / family
    if family == "bge_m3":
        path = convert(path, tmp_path / "converted").path
    model = load(path, engine=engine_name, dtype="float32")
    model.save(tmp_path / "saved")
    saved = load(tmp_path / "saved", engine=engine_name, dtype="float32")
    assert list(saved.heads) == list(model.heads)
    for head in [*([] if model.folder.head else ["dense"]), *model.heads]:
        mine, theirs = (each.encode(TEXTS, heads=[head])[head] for each in (model, saved))
        if head == "dense":
            np.testing.assert_array_equal(theirs, mine)
        else:
            for one, other in zip(mine, theirs, strict=True):
                for left, right in zip(one, other, strict=True):
                    np.testing.assert_array_equal(left, right)


def test_sentence_transformers_loads_it(sentence_transformers: str, tmp_path: Path):
    from sentence_transformers import SentenceTransformer

    model = load(tiny_folder(tmp_path / "m", prompts={"query": "open "}), dtype="float32")
    model.max_seq_length = 5
    model.save(tmp_path / "saved")
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu", local_files_only=True)
    found = theirs.encode(TEXTS, prompt_name="query", show_progress_bar=False)
    np.testing.assert_allclose(model.encode_query(TEXTS), found, atol=1e-5)
    assert (theirs.max_seq_length, theirs.similarity_fn_name) == (5, "cosine")


def test_nothing_is_overwritten(tiny: Path, tmp_path: Path):
    model = load(tiny)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CallError, match="already holds something"):
        model.save(tmp_path)
    with pytest.raises(CallError, match="already holds something"):
        model.save(tiny)
    with pytest.raises(CallError, match="safe_serialization=False: weights are written as safetensors alone"):
        model.save(tmp_path / "new", safe_serialization=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving({"me/taken": {"README.md": b"# Taken\n"}}, token="hf_right") as server:
        yield server


PUSH = """\
import json, sys
from mlx_metaembed import load
from mlx_metaembed.errors import MetaembedError

model = load(sys.argv[1])
for call in json.loads(sys.argv[2]):
    try:
        print(json.dumps(model.push_to_hub(call.pop("repo_id"), **call)))
    except MetaembedError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def push(model: Path, hub: str, home: Path, *calls: dict, **others: str) -> list[str]:
    """What each call gives, or says, in a process of its own that takes `hub` for the hub."""
    command = [sys.executable, "-c", PUSH, str(model), json.dumps(calls)]
    surroundings = environment(hub, home, HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_IMPLICIT_TOKEN="1", **others)
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_model_is_pushed_and_loads_from_there(hub: Hub, tiny: Path, tmp_path: Path):
    right = {"token": "hf_right"}
    given = push(
        tiny,
        hub.address,
        tmp_path,
        {"repo_id": "team/mine", "private": True, "commit_message": "Add it"} | right,
        {"repo_id": "short"} | right,
        {"repo_id": "me/taken"} | right,
        {"repo_id": "me/taken", "exist_ok": True} | right,
        {"repo_id": "team/other", "token": "hf_wrong"},
        {"repo_id": "a b/c"} | right,
        {"repo_id": "team/other", "private_": True} | right,
    )
    assert given[:2] == [f"{hub.address}/{name}/commit/{'b' * 40}" for name in ("team/mine", "me/short")]
    assert hub.made == [("team/mine", "private"), ("me/short", None)]
    assert hub.messages == ["Add it", "Add a model of mlx-metaembed", "Add a model of mlx-metaembed"]
    assert given[2] == (
        "CallError: The hub has a repository me/taken already: choose another name, or add to it with exist_ok=True"
    )
    assert given[3].endswith(f"/me/taken/commit/{'b' * 40}")
    assert given[4].startswith("CallError: The hub does not let this login write to team/other (status 401")
    assert given[4].endswith("Log in with: hf auth login, or give token=")
    assert given[5].startswith("CallError: The hub can have no repository 'a b/c'")
    assert given[6].startswith("CallError: push_to_hub does not take private_; did you mean 'private'?")
    names = hub.repositories["team/mine"]
    assert {"modules.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json", "README.md"} <= names.keys()
    assert b"\n# team/mine\n" in names["README.md"]
    back = tmp_path / "back"
    for name, data in names.items():
        (back / name).parent.mkdir(parents=True, exist_ok=True)
        (back / name).write_bytes(data)
    np.testing.assert_array_equal(load(back).encode(TEXTS), load(tiny).encode(TEXTS))


def test_a_hub_that_is_not_there(tiny: Path, tmp_path: Path):
    call = {"repo_id": "team/mine", "token": "hf_right"}
    said = push(tiny, "http://127.0.0.1:9", tmp_path, call)[0]
    assert said.startswith("JobError: team/mine did not get to the hub: ")
    said = push(tiny, "http://127.0.0.1:9", tmp_path, call, HF_HUB_OFFLINE="1")[0]
    assert said.startswith("CallError: HF_HUB_OFFLINE is set")
