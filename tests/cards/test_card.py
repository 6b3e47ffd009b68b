"""The card of every folder that the kit writes: its front matter is true and valid, and its code runs as it stands."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from calls import run
from tiny import tiny_folder

from mlx_metaembed import adapters, embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.convert import convert
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

FRONT = """---
license: other
license_name: a-b
language:
- en
- no
datasets:
- a/b
base_model: c/d
---

# The one
"""


def ran(tiny: Path, pairs: Path, out: Path, **settings: object) -> str:
    """The README of a short run."""
    common = {"iters": 2, "batch_size": 8, "engine": "mlx", "dtype": "float32"}
    train(Recipe(model=str(tiny), data=str(pairs), out=str(out), **common | settings))
    return (out / card.README).read_text()


def blocks(text: str) -> dict[str, str]:
    """The Python code under each heading."""
    return dict(re.findall(r"### ([\w-]+)\n\n```python\n(.*?)\n```", text, re.S))


def test_a_run_says_what_it_was_made_of(pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base")
    (base / card.README).write_text(FRONT)
    (base / "LICENSE").write_text("as is")
    text = ran(base, pairs, tmp_path / "mine", matryoshka=(32, 8), fsq="4x8")
    assert card.front(tmp_path / "mine") == {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", "sentence-similarity", "feature-extraction", "mlx-metaembed"],
        "license": "other",
        "license_name": "a-b",
        "language": ["en", "no"],
    }
    assert "\n# mine\n\n`base`, fine-tuned on pairs.jsonl (40 rows) with mlx-metaembed." in text
    for row in (
        "Widths | 32, 8",
        "Code head | `codes`, FSQ 4x8",
        "Steps | 2 of 2",
        "Engine | MLX on ",
        "Dimensions | 32",
    ):
        assert f"| {row}" in text
    assert 'model = "base"\ndata = "pairs.jsonl"\n' in text and str(tmp_path) not in text
    assert (tmp_path / "mine/LICENSE").read_text() == "as is"


def test_every_checkpoint_has_the_card(tiny: Path, pairs: Path, tmp_path: Path):
    from runs import stop_after

    from mlx_metaembed.errors import JobError

    recipe = Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "out"), batch_size=8, epochs=1, engine="mlx")
    with pytest.raises(JobError):
        train(recipe, callbacks=[stop_after(2)])
    assert "| Steps | 2 of 5 |" in (tmp_path / "out/checkpoint-2/README.md").read_text()
    train(recipe, resume=True)
    assert "| Steps | 5 of 5 |" in (tmp_path / "out/README.md").read_text()


def test_the_base_is_the_model_that_was_trained_and_no_ancestor(tiny: Path, pairs: Path, tmp_path: Path, monkeypatch):
    cached = tiny_folder(tmp_path / "models--a--b" / "snapshots" / "123")
    (cached / card.README).write_text(FRONT)
    monkeypatch.setattr("mlx_metaembed.folder.locate._snapshot", lambda name, weights: cached)
    ran(Path("a/b"), pairs, tmp_path / "one")
    assert card.front(tmp_path / "one")["base_model"] == "a/b"
    # Of a run on a run, of an export and of a converted copy it is the same.
    ran(tmp_path / "one", pairs, tmp_path / "two")
    export(folders.read(tmp_path / "two"), tmp_path / "three")
    convert("a/b", tmp_path / "copy")
    export(folders.read(tmp_path / "copy"), tmp_path / "four")
    for name in ("two", "three", "copy", "four"):
        said = card.front(tmp_path / name)
        assert (said["base_model"], said["license_name"]) == ("a/b", "a-b"), name
    assert (tmp_path / "copy/README.md").read_text().endswith("---\n\n# The one\n")
    assert card.front(tmp_path / "copy")["datasets"] == ["a/b"]
    # Somebody else's card and configuration name what that model was made from.
    theirs = tiny_folder(tmp_path / "theirs", config={"_name_or_path": "e/f"})
    (theirs / card.README).write_text(FRONT)
    ran(theirs, pairs, tmp_path / "five")
    assert "base_model" not in card.front(tmp_path / "five")


def test_an_adapter_names_its_base_by_a_path_that_moves_with_it(pairs: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "here").mkdir()
    base = tiny_folder(tmp_path / "here" / "models" / "base")
    monkeypatch.chdir(tmp_path / "here")
    text = ran(Path("models/base"), pairs, Path("runs/lora"), train="lora")
    out = tmp_path / "here/runs/lora"
    assert disk.read_json(out / "adapter_config.json")["base_model_name_or_path"] == "../../models/base"
    assert "names its base, `../../models/base`" in text and str(tmp_path) not in text
    before = embedder.load(out, engine="mlx").encode(["open a socket"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = embedder.load("there/runs/lora", engine="mlx")
    np.testing.assert_array_equal(moved.encode(["open a socket"]), before)
    assert moved.folder.base == tmp_path / "there/models/base" and not base.exists()
    # A run on the adapter names the adapter's base, and a checkpoint's path is its run's.
    ran(Path("there/runs/lora"), pairs, Path("there/more"), train="lora")
    settings = disk.read_json(tmp_path / "there/more/adapter_config.json")
    assert settings["base_model_name_or_path"] == "../models/base"
    (tmp_path / "there/more/checkpoint-7").mkdir()
    (tmp_path / "there/more/adapter_config.json").rename(tmp_path / "there/more/checkpoint-7/adapter_config.json")
    assert folders.base_name(tmp_path / "there/more/checkpoint-7") == str(tmp_path / "there/models/base")


def test_a_base_inside_the_run_and_an_installed_one(pairs: Path, tmp_path: Path, monkeypatch):
    from mlx_metaembed.folder import locate
    from mlx_metaembed.training.checkpoint import base_name

    tiny_folder(tmp_path / "run" / "base")
    assert base_name(Recipe(model=str(tmp_path / "run/base"), out=str(tmp_path / "run"))) == "./base"
    monkeypatch.setattr(locate, "installed", lambda name: tmp_path / "run/base" if name == "an-encoder" else None)
    assert base_name(Recipe(model="an-encoder", out=str(tmp_path / "run"))) == "an-encoder"


def test_an_adapter_that_is_fused_has_a_card_of_its_own(pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base")
    (base / card.README).write_text(FRONT)
    ran(base, pairs, tmp_path / "lora", train="lora")
    adapters.write(adapters.read(folders.read(tmp_path / "lora")), "../base", tmp_path / "bare")
    for name in ("lora", "bare"):
        convert(tmp_path / name, tmp_path / f"{name}-fused")
        text = (tmp_path / f"{name}-fused" / card.README).read_text()
        assert f"# {name}-fused\n\n" in text and "in its weights, converted by mlx-metaembed" in text
        assert "This is an adapter" not in text and card.front(tmp_path / f"{name}-fused")["license_name"] == "a-b"


def test_a_folder_without_a_card_gets_one(tiny: Path, tmp_path: Path):
    convert(tiny, tmp_path / "out")
    assert (
        "# out\n\ntiny, converted by mlx-metaembed. It maps texts to vectors"
        in (tmp_path / "out/README.md").read_text()
    )


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken", "max", "mean_sqrt_len_tokens"])
@pytest.mark.parametrize("normalize", [True, False])
def test_the_code_of_a_card_runs_and_agrees(
    sentence_transformers: str, torch_engine: str, tmp_path: Path, monkeypatch, pooling: str, normalize: bool
):
    tiny = tiny_folder(tmp_path / "tiny", pooling=pooling, normalize=normalize)
    settings = {"pad_token": "[PAD]", "tokenizer_class": "PreTrainedTokenizerFast"}
    disk.write_json(tiny / "tokenizer_config.json", settings)
    export(folders.read(tiny), tmp_path / "mine")
    code = blocks((tmp_path / "mine" / card.README).read_text())
    assert list(code) == ["mlx-metaembed", "sentence-transformers", "transformers"]
    monkeypatch.chdir(tmp_path)
    vectors = []
    for text in code.values():
        names: dict = {}
        exec(text, names)
        vectors.append(np.asarray(names["vectors"]))
    # What the kit gives by default is not the card's matter: the directions are.
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]
    np.testing.assert_allclose(units[1], units[0], atol=2e-5)
    np.testing.assert_allclose(vectors[2], vectors[1], atol=2e-5)


def test_what_comes_after_the_trunk_is_left_to_those_who_follow_it(tmp_path: Path):
    dense = tiny_folder(tmp_path / "d", dense=(DenseModule("2_Dense", 32, 6),))
    convert(dense, tmp_path / "out")
    text = (tmp_path / "out" / card.README).read_text()
    assert list(blocks(text)) == ["mlx-metaembed", "sentence-transformers"] and "`modules.json`" in text


def test_a_prompt_is_in_the_code(tmp_path: Path):
    convert(tiny_folder(tmp_path / "p", prompts={"query": "a|b\n"}), tmp_path / "out")
    text = (tmp_path / "out" / card.README).read_text()
    assert text.count('prompt_name="query"') == 2 and r"| Prompt `query` | `a\|b\n` |" in text


@pytest.mark.parametrize(
    "text",
    [
        "---\nlicense: [\n---\n",
        "---\n- a\n---\n",
        "---\nlicense: mit\n",
        "---\na: &a [x, x]\nb: &b [*a, *a]\nlicense: *b\n---\n",
        "---\nlicense: !!python/object/apply:os.system [ls]\n---\n",
        "---\n" + "[" * 5_000 + "\n---\n",
        "---\nlicense: " + "x" * 70_000 + "\n---\n",
        "---\nlicense: {a: b}\nlanguage: []\n---\n",
    ],
)
def test_a_hostile_card_says_nothing_and_breaks_nothing(tiny: Path, tmp_path: Path, text: str):
    (tmp_path / card.README).write_text(text)
    assert card.inherited(tmp_path) == {}
    (tmp_path / card.README).write_bytes(b"---\nlicense: mit\n---\n\xff\xfe")
    assert card.inherited(tmp_path) == {"license": "mit"}
    os.truncate(tmp_path / card.README, 1 << 40)
    assert card.inherited(tmp_path) == {"license": "mit"}
    card.from_hub("a/b", tmp_path)
    assert (tmp_path / card.README).stat().st_size == 1 << 40


def test_the_front_matter_is_what_the_hub_reads(tmp_path: Path):
    from huggingface_hub import ModelCard

    base = tiny_folder(tmp_path / "base")
    (base / card.README).write_text('---\nlicense: "other"\nlicense_name: "a: b # c"\nlanguage: no\n---\n')
    run("convert", base, tmp_path / "one")
    run("export", base, tmp_path / "two", "--to", "mlx", "--group-size", "32")
    data = ModelCard.load(tmp_path / "two/README.md").data
    assert (data.license, data.license_name, data.language, data.library_name) == ("other", "a: b # c", "no", "mlx")
    assert "base_model" not in data.to_dict()
