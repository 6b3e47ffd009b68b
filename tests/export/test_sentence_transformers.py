"""The clean folder: the model and its heads, in the older layout, with a card; nothing that a run left."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.cli.export import command
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.files.disk import bytes_on_disk
from mlx_metaembed.folder.module_types import DenseModule


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A model as a run leaves it: Dense, a code head, recipe, metrics, state."""
    path = tiny_folder(
        tmp_path / "run", dense=(DenseModule("2_Dense", 32, 6),), prompts={"query": "q: ", "document": ""}
    )
    head = heads.Fsq(in_features=6, levels=(4, 4))
    heads.write({"code": head}, {f"code.{name}": array for name, array in head.initial(1).items()}, path)
    (path / "metaembed/recipe.toml").write_text('model = "intfloat/e5-small-v2"\n')
    for name in ("metaembed/metrics.jsonl", "metaembed/state.safetensors", "optimizer.pt", "README.md"):
        (path / name).write_text("---\nlicense: mit\n---\nleft")
    return path


def test_the_files_are_the_model_and_no_others(trained: Path, tmp_path: Path) -> None:
    found = export(folders.read(trained), tmp_path / "out")
    files = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*"))
    assert files == [
        "1_Pooling",
        "1_Pooling/config.json",
        "2_Dense",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "3_Normalize",
        "README.md",
        "config.json",
        "config_sentence_transformers.json",
        "metaembed",
        "metaembed/heads.json",
        "metaembed/heads.safetensors",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert heads.read(found)[0] == {"code": heads.Fsq(in_features=6, levels=(4, 4))}
    expected = safetensors.read(trained / "model.safetensors")
    for name, array in safetensors.read(tmp_path / "out/model.safetensors").items():
        np.testing.assert_array_equal(array, expected.pop(name))
    assert expected == {}


def test_the_declarations_are_those_that_every_release_reads(trained: Path, tmp_path: Path) -> None:
    export(folders.read(trained), tmp_path / "out", dtype="float16")
    out = tmp_path / "out"
    assert [(module["path"], module["type"]) for module in disk.read_json(out / "modules.json")] == [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Dense", "sentence_transformers.models.Dense"),
        ("3_Normalize", "sentence_transformers.models.Normalize"),
    ]
    assert disk.read_json(out / "sentence_bert_config.json") == {"max_seq_length": 32, "do_lower_case": False}
    pooling = disk.read_json(out / "1_Pooling/config.json")
    assert pooling == {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False,
        "include_prompt": True,
    }
    assert disk.read_json(out / "config.json")["dtype"] == "float16"
    assert {tensor.dtype for tensor in safetensors.header(out / "model.safetensors").values()} == {"F16"}


def test_the_card(trained: Path, tmp_path: Path) -> None:
    export(folders.read(trained), tmp_path / "mine")
    text = (tmp_path / "mine/README.md").read_text()
    assert text.startswith(
        "---\n"
        "library_name: sentence-transformers\n"
        "pipeline_tag: sentence-similarity\n"
        "tags:\n- sentence-transformers\n- sentence-similarity\n- feature-extraction\n- mlx-metaembed\n"
        "license: mit\n"
        "---\n\n# mine\n\n"
        "A sentence-transformers model: it maps texts to vectors, so that texts of like meaning lie close.\n\n"
        "## Usage\n\n### mlx-metaembed\n\n```python\nfrom mlx_metaembed import load\n\n"
        'model = load("mine")\n'
        'vectors = model.encode(["How do I sort a list?", "sorted() returns a new list."], prompt_name="query")\n'
        "print(vectors @ vectors.T)\n```\n\n"
        "### sentence-transformers\n\n```python\nfrom sentence_transformers import SentenceTransformer\n"
    )
    assert text.endswith(
        "| | |\n|---|---|\n| Dimensions | 6 |\n| Longest text | 32 tokens |\n| Pooling | mean |\n"
        "| Similarity | cosine |\n| Prompt `query` | `q: ` |\n"
    )


def test_what_is_broken_or_taken_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").write_text("mine")
    with pytest.raises(CallError, match="already holds something"):
        export(folders.read(trained), tmp_path / "taken")
    os.truncate(trained / "model.safetensors", 4_000)
    with pytest.raises(CallError, match="truncated"):
        export(folders.read(trained), tmp_path / "out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run", "taken"]


def test_the_verb_reports_bytes(trained: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    arguments = [str(trained), out, "--to", "sentence-transformers", "--dtype", "float16", "--json"]
    found = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
    assert found == {
        "out": out,
        "to": "sentence-transformers",
        "dtype": "float16",
        "bytes_on_disk": bytes_on_disk(tmp_path / "out"),
        "weights_bytes": (tmp_path / "out/model.safetensors").stat().st_size,
        "model_weights_bytes": (trained / "model.safetensors").stat().st_size,
        "notes": [],
    }
    assert 0.5 < found["weights_bytes"] / found["model_weights_bytes"] < 0.6
    with pytest.raises(CallError, match="--bits belongs to --to mlx"):
        CliRunner().invoke(command, [*arguments[:-1], "--bits", "4"], catch_exceptions=False)
