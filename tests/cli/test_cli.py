"""The command line as a user meets it: exact answers, exact errors, exit statuses, nothing left behind."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calls import refused, run, run_process

from mlx_metaembed.data import vector_key
from mlx_metaembed.files import installation, safetensors


def test_help_shows_every_verb_and_each_has_an_example():
    shown = run("--help").stdout
    for verb in ("convert", "train", "embed", "eval", "export", "index", "search", "report", "doctor"):
        assert verb in shown
        assert f"metaembed {verb}" in run(verb, "--help").stdout.split("Example", 1)[1]


def test_the_first_hour_stands_in_the_help_and_claims_what_is_there():
    shown = run("--help").stdout
    assert "metaembed report runs/mine --eval held-out.jsonl" in shown
    assert "distil" not in shown


def test_a_file_that_is_no_weights_is_named(tmp_path: Path):
    (tmp_path / "pairs.jsonl").write_text("{}")
    message = refused("convert", tmp_path / "pairs.jsonl", tmp_path / "out")
    assert "pairs.jsonl is no weights file that is known; expected .safetensors, .gguf, .onnx" in message


def test_a_finished_run_says_what_came_out_and_what_is_next(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "my run"
    shown = run(
        *("train", "--model", tiny, "--data", pairs, "--out", out, "--iters", "4", "--batch-size", "8"),
        *("--engine", "mlx", "--dtype", "float32"),
    ).stdout
    assert "4 steps on 40 rows in " in shown and "MLX on " in shown and "loss: " in shown
    assert f"page: {out}/report.html" in shown
    for verb in (f"report '{out}' --eval", f"eval '{out}' --data", f"export '{out}' '{out}-4bit'", f"index '{out}'"):
        assert f"  metaembed {verb}" in shown
    words = ("train", "--model", tiny, "--data", pairs, "--out", tmp_path / "two", "--iters", "4", "--engine", "mlx")
    found = json.loads(run(*words, "--json").stdout)
    assert found["rows"] == 40 and found["loss_first"] > 0 and len(found["next"]) == 4


def test_unknown_words_name_the_nearest():
    assert "did you mean 'train'? Verbs: " in refused("trian")
    assert "--learning-rate" in refused("train", "--learning-rat", "1")


def test_the_whole_way_on_one_engine(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    base, model = tmp_path / "base", tmp_path / "model"
    converted = json.loads(run("convert", tiny, base, "--json").stdout)
    assert converted["dimensions"] == 32
    words = ["--batch-size", "8", "--epochs", "1", "--matryoshka", "32,8", "--fsq", "4x8", "--engine", engine_name]
    # Training and searching in processes of their own, as a user's are: what another call imported is not there.
    trained = json.loads(
        run_process("train", "--model", base, "--data", pairs, "--out", model, *words, "--json").stdout
    )
    assert trained["steps"] == 5 and trained["engine"] == engine_name
    rows = json.loads(
        run(
            "eval", model, "--data", pairs, "--dims", "32,8", "--codes", "int8,codes", "--engine", engine_name, "--json"
        ).stdout
    )["rows"]
    assert [row["name"] for row in rows] == ["32", "int8@32", "8", "int8@8", "codes"]
    assert rows[0]["bytes_per_vector"] == 128 and rows[-1]["bytes_per_vector"] == 2
    exported = json.loads(run("export", model, tmp_path / "st", "--to", "sentence-transformers", "--json").stdout)
    assert exported["bytes_on_disk"] > 0 and (tmp_path / "st" / "modules.json").is_file()
    run("index", model, pairs, tmp_path / "ix", "--engine", engine_name)
    text = json.loads(pairs.read_text().splitlines()[3])["positive"]
    found = json.loads(
        run_process("search", tmp_path / "ix", text, "-k", "1", "--engine", engine_name, "--json").stdout
    )
    assert found["results"][0]["hits"][0]["text"] == text


def test_embed_takes_texts_files_and_stdin_alike(tiny: Path, tmp_path: Path):
    texts = ["open a socket", "join two paths"]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    outputs = [
        run("embed", tiny, *texts, "--engine", "mlx").stdout,
        run("embed", tiny, "--input", tmp_path / "texts.txt", "--engine", "mlx").stdout,
        run("embed", tiny, "--input", "-", "--engine", "mlx", stdin="\n".join(texts)).stdout,
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    rows = [json.loads(line) for line in outputs[0].splitlines()]
    assert [row["text"] for row in rows] == texts and len(rows[0]["embedding"]) == 32
    run("embed", tiny, *texts, "--output", tmp_path / "v.npy", "--dims", "8", "--normalize", "--engine", "mlx")
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.shape == (2, 8) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    key = vector_key.read(tmp_path / "v.npy")
    assert key.difference(texts) == ""
    said = {name: key.made[name] for name in ("of", "head", "prompt", "width", "normalized")}
    assert said == {"of": "texts", "head": "dense", "prompt": "", "width": 8, "normalized": True}
    assert key.made["model"] == str(tiny) and len(key.made["fingerprint"]["weights"]) == 16
    run("embed", tiny, *texts, "--output", tmp_path / "plain.npy", "--dims", "8", "--engine", "mlx")
    assert not vector_key.read(tmp_path / "plain.npy").made["normalized"]
    (tmp_path / "folder.npy").mkdir()
    assert "is a folder" in refused("embed", tiny, "a", "--output", tmp_path / "folder.npy")
    cut = json.loads(run("embed", tiny, texts[0], "--dims", "8", "--engine", "mlx").stdout)["embedding"]
    np.testing.assert_allclose(cut, rows[0]["embedding"][:8], rtol=1e-5)
    assert "model's vectors have 32 features" in refused("embed", tiny, "a", "--dims", "33", "--engine", "mlx")
    assert "No text was given" in refused("embed", tiny)
    assert "Text 2 is blank" in refused("embed", tiny, "--input", "-", stdin="a\n\nb\n")
    assert "did you mean 'query'? Its prompts" in refused("embed", tiny, "a", "--prompt", "qurey", "--engine", "mlx")
    assert "there is no folder" in refused("embed", tiny, "a", "--output", tmp_path / "none" / "v.npy")
    assert "can't be read" in refused("train", tmp_path)
    assert "not both" in refused("embed", tiny, "a", "--input", "-")
    assert "can't be read" in refused("embed", tiny, "--input", tmp_path / "none.txt")
    assert "not UTF-8" in refused("embed", tiny, "--input", "-", stdin=b"\xff\xfe")
    assert "ends in .npy, .npz or .jsonl" in refused("embed", tiny, "a", "--output", "x.csv")


def test_doctor_says_what_is_there():
    found = json.loads(run("doctor", "--json").stdout)
    assert found["engine"] in ("mlx", "torch") and found["reason"].startswith("auto: ")
    assert {"mlx", "torch", "packages", "memory_bytes", "cores"} <= set(found)
    assert "engine:" in run("doctor").stdout


def test_train_takes_a_recipe_and_options_win(tiny: Path, pairs: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'model = "{tiny}"\ndata = "{pairs}"\niters = 9\nbatch_size = 8\nengine = "mlx"\n')
    out = json.loads(run("train", recipe, "--out", tmp_path / "out", "--iters", "2", "--json").stdout)
    assert out["steps"] == 2
    recipe.write_text("batch_sise = 8\n")
    assert "did you mean 'batch_size'" in refused("train", recipe)
    assert "like 384,96" in refused("train", "--matryoshka", "384;96")
    assert "--resume needs --out" in refused("train", "--resume")
    assert "would change it" not in refused("train", "--resume", "--out", tmp_path / "nowhere")


def test_resume_refuses_what_would_change_the_run(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    (out / "metaembed").mkdir(parents=True)
    (out / "metaembed" / "recipe.toml").write_text(
        f'model = "{tiny}"\ndata = "{pairs}"\nout = "{out}"\nengine = "mlx"\n'
    )
    message = refused("train", "--resume", "--out", out, "--learning-rate", "1e-3", "--save-every", "7")
    assert "learning_rate would change it" in message


ROWS = '{"anchor": "a b", "positive": "c d"}\n'
BAD_DATA = {
    "broken line": (ROWS + '{"anchor": \n', "line 2"),
    "empty file": ("", "empty"),
    "one row": (ROWS, "one row"),
    "missing column": (ROWS + '{"anchor": "x"}\n', "line 2"),
    "empty text": (ROWS + '{"anchor": "", "positive": "y"}\n', "line 2"),
    "null": (ROWS + '{"anchor": null, "positive": "y"}\n', "line 2"),
    "number": (ROWS + '{"anchor": 3, "positive": "y"}\n', "line 2"),
    "mixed shapes": (ROWS + '{"text": "x", "label": "y"}\n', "line 2"),
    "long text": (ROWS + json.dumps({"anchor": "x" * 100_000, "positive": "y"}) + "\n", "100,000"),
    "not UTF-8": (ROWS.encode() + b'{"anchor": "\xff", "positive": "y"}\n', "UTF-8"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_one_message_and_nothing_is_written(tiny: Path, tmp_path: Path, name: str):
    content, expected = BAD_DATA[name]
    data = tmp_path / "data.jsonl"
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused("train", "--model", tiny, "--data", data, "--out", tmp_path / "out", "--engine", "mlx")
    assert expected in message and "data.jsonl" in message
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def bad_model(path: Path, fault: str) -> str:
    """Break a model folder; what the message must say."""
    file = path / "model.safetensors"
    if fault == "no weights":
        file.unlink()
        return "no weights"
    if fault == "missing tensor":
        arrays = safetensors.read(file)
        del arrays["embeddings.LayerNorm.weight"]
        safetensors.write(file, arrays)
        return "embeddings.LayerNorm.weight (32,): missing"
    if fault == "wrong shape":
        safetensors.write(file, safetensors.read(file) | {"embeddings.LayerNorm.weight": np.ones(31, np.float32)})
        return "shape (31,), the configuration says (32,)"
    if fault == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
        return "truncated"
    if fault == "pickle":
        file.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.")
        return "never loaded"
    config = json.loads((path / "config.json").read_text())
    if fault == "unknown model type":
        (path / "config.json").write_text(json.dumps(config | {"model_type": "bert-next"}))
        return "Supported: "
    (path / "config.json").write_text(json.dumps(config | {"vocab_size": 20}))
    return "has 20 rows"


@pytest.mark.parametrize(
    "fault",
    ["no weights", "missing tensor", "wrong shape", "truncated", "pickle", "unknown model type", "small vocabulary"],
)
def test_bad_models_are_one_message_and_nothing_is_written(tiny: Path, pairs: Path, tmp_path: Path, fault: str):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    expected = bad_model(broken, fault)
    message = refused("train", "--model", broken, "--data", pairs, "--out", tmp_path / "out", "--engine", "mlx")
    assert expected in message
    assert expected in refused("embed", broken, "text", "--engine", "mlx")
    assert not (tmp_path / "out").exists()


def test_an_engine_that_is_not_installed_names_its_extra(tiny: Path):
    """A finder that hides torch stands in for an environment without it."""
    program = (
        "import sys, importlib.abc\n"
        "class Hidden(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ModuleNotFoundError(name)\n"
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'torch' else found(name, *rest)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from mlx_metaembed.cli import main; main(sys.argv[1:])"
    )
    words = ["embed", str(tiny), "text", "--engine"]
    done = subprocess.run([sys.executable, "-c", program, *words, "torch"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"Install it with: {installation.command('torch')}" in done.stderr
    done = subprocess.run([sys.executable, "-c", program, *words, "auto"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "auto: torch is not installed" in done.stderr


def test_a_short_run_shows_no_progress_where_stderr_is_no_terminal(tiny: Path, pairs: Path, tmp_path: Path):
    done = run("train", "--model", tiny, "--data", pairs, "--out", tmp_path / "out", "--iters", "2", "--engine", "mlx")
    assert "training" not in done.stderr and "\r" not in done.stderr
