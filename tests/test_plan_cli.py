"""`metaembed plan` as a user meets it: its answer, its exit status, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from golden_variants import altered
from hub import environment, serving
from test_cli import refused, run
from test_encoders import GOLDEN
from tiny import tiny_folder

from mlx_metaembed.cli.plan import times
from mlx_metaembed.folder.module_types import DenseModule

PLAIN = ("--chip", "M2 Pro", "--dtype", "float32", "--json")
ANSWER = """\
part           bytes
weights      90.4 KB
optimizer     181 KB
activations   763 KB
loss         17.9 KB
slack        73.7 KB
total        1.13 MB
budget        900 KB
trains: full, 22,592 parameters; adamw keeps 8 bytes for each
batch: 16 texts of up to 32 tokens, by one graph
chunks: 128 tokens, in at most 11 shapes; checkpointing on
does not fit: 226 KB too much with the smallest chunk; the least is 1.13 MB
no other settings fit either; give a larger --memory or a smaller model
"""


def test_what_does_not_fit_is_an_answer_with_status_1(mlx_engine: str, tiny: Path):
    words = ["--model", tiny, "--batch", "8", "--length", "32", "--memory", "900kB", "--engine", mlx_engine]
    assert run("plan", *words, status=1).stdout == ANSWER


def test_json_has_the_parts_the_moments_and_the_choices(tiny: Path, tmp_path: Path):
    least = json.loads(run("plan", "--model", tiny, "--batch", "8", "--memory", "1kB", *PLAIN, status=1).stdout)
    budget, recipe = least["total"] - 1, tmp_path / "recipe.toml"
    recipe.write_text(f'model = "{tiny}"\nmemory = "{budget}B"\nbatch_size = 8\n')
    found = json.loads(run("plan", recipe, *PLAIN).stdout)
    assert sum(found["parts"].values()) == found["total"] and found["engine"] == "mlx"
    assert "the update" in found["moments"] and list(found["seconds_a_step"]) == ["M2 Pro"]
    assert not found["fits"] and found["choices"][0]["changes"] == {"optimizer": "adamw_8bit"}
    assert found["choices"][0]["total"] <= found["budget"]


def test_a_time_says_whether_the_chips_rate_is_published(tiny: Path):
    words = ("--model", tiny, "--batch", "8")
    assert run("plan", *words, "--chip", "M2").stdout.endswith(" on M2, at its peak rate in float16\n")
    marked = " on M3, at its peak rate in bfloat16 (the chip's rate is reckoned, not published)\n"
    assert run("plan", *words, "--chip", "M3").stdout.endswith(marked)
    assert json.loads(run("plan", *words, "--chip", "M3", "--json").stdout)["reckoned_rates"] == ["M3"]
    rows = times({"M2": 1.0, "M3": 2.0}, "float16", ["M3"])
    assert [row.split()[-1] for row in rows[2:]] == ["published", "reckoned"]


def test_columns_are_counted_in_the_data(tiny: Path, tmp_path: Path):
    data = tmp_path / "rows.jsonl"
    data.write_text('{"anchor": "a", "positive": "b", "negative_1": "c", "negative_2": "d"}\n' * 2)
    common = ["--model", tiny, "--batch", "8", "--chip", "h100", "--json"]
    assert json.loads(run("plan", *common, "--data", data).stdout)["texts"] == 32
    assert json.loads(run("plan", *common, "--columns", "3").stdout)["texts"] == 24


def test_a_configuration_alone_is_planned_as_the_whole_folder_is(tiny: Path, tmp_path: Path):
    shutil.copytree(tiny, tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    whole, bare = (
        json.loads(run("plan", "--model", path, "--chip", "M1", "--json").stdout) for path in (tiny, tmp_path / "bare")
    )
    assert whole | {"model": ""} == bare | {"model": ""}


def test_of_the_hub_only_what_the_plan_needs_is_fetched(tiny: Path, tmp_path: Path):
    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def planned(model: object, **settings: str) -> dict:
        words = ["plan", "--model", model, "--chip", "M1", "--json"]
        surroundings = environment(server.address, tmp_path, **settings)
        return json.loads(run(*words, env=surroundings).stdout) | {"model": ""}

    dense = tiny_folder(tmp_path / "dense", dense=(DenseModule("2_Dense", 32, 16),))
    repositories = {"team/tiny": tiny, "team/dense": dense, "team/mixed": GOLDEN / "nomic_moe"}
    with serving({name: files(path) for name, path in repositories.items()}) as server:
        for name, path in repositories.items():
            server.asked.clear()
            assert planned(name) == planned(path)
            asked = {each for each, _ in server.asked}
            assert "config.json" in asked
            assert ("model.safetensors" in asked) == (name == "team/mixed")
            assert ("2_Dense/model.safetensors" in asked) == (name == "team/dense")
        # What is there stays; the run fetches the rest.
        server.asked.clear()
        run("convert", "team/tiny", tmp_path / "out", env=environment(server.address, tmp_path))
        asked = {each for each, _ in server.asked}
        assert "model.safetensors" in asked and "config.json" not in asked
        # What is whole in the cache is planned as it is there.
        server.asked.clear()
        assert planned("team/tiny") == planned(tiny) and not server.asked
    assert planned("team/tiny", HF_HUB_OFFLINE="1") == planned(tiny)


def test_wrong_calls_are_refused(tiny: Path):
    assert "memory = 'much' is no size" in refused("plan", "--model", tiny, "--memory", "much")
    assert "'M9' is not known" in refused("plan", "--model", tiny, "--chip", "M9")
    assert "the model has 48 positions" in refused("plan", "--model", tiny, "--length", "4096")
    assert "The recipe has no model" in refused("plan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": 7}, "hidden_size = 32 is no multiple of num_attention_heads = 7"),
        ({"num_attention_heads": None}, "num_attention_heads is missing"),
        ({"vocab_size": None}, "vocab_size is missing"),
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not supported"),
    ],
)
def test_what_cannot_train_is_not_planned(tmp_path: Path, change: dict, message: str):
    path = altered(tmp_path / "m", "bert", change)
    (path / "model.safetensors").unlink()
    assert message in refused("plan", "--model", path)
