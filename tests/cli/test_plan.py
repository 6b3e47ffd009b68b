"""`metaembed plan` as a user meets it: its answer, its exit status, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from calls import refused, run, run_process
from golden_variants import altered
from hub import environment, serving
from states import GOLDEN
from tiny import tiny_folder

from mlx_metaembed.cli.plan_answer import times
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


def test_a_recipe_of_tables_is_planned_before_its_data_is_there(tiny: Path):
    recipe = Path(__file__).parents[2] / "examples" / "recipes" / "bge_m3.toml"
    words = ("plan", recipe, "--model", tiny, "--chip", "M1", "--batch", "8")
    changed = recipe.read_text().replace("matryoshka = [384, 96]", "")
    (own := tiny.parent / "m3.toml").write_text(changed)
    found = run("plan", own, *words[2:], "--length", "32", "--json")
    assert "pairs.jsonl: not there, so that the lengths of the data's texts are not known" in found.stderr
    parts = json.loads(found.stdout)["moments"]
    assert parts["the batch"]["outputs"] == 2 * 4 * 16 * 32 * (1 + 64)
    # Without a length the data tells it, and what the call itself names must be there.
    assert "pairs.jsonl" in refused("plan", own, *words[2:])
    assert "gone.jsonl" in refused("plan", "--model", tiny, "--data", "gone.jsonl", "--length", "32")


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
        if isinstance(model, Path):
            return json.loads(run(*words).stdout) | {"model": ""}
        surroundings = environment(server.address, tmp_path, **settings)
        return json.loads(run_process(*words, env=surroundings).stdout) | {"model": ""}

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
        run_process("convert", "team/tiny", tmp_path / "out", env=environment(server.address, tmp_path))
        asked = {each for each, _ in server.asked}
        assert "model.safetensors" in asked and "config.json" not in asked
        # What is whole in the cache is planned as it is there.
        server.asked.clear()
        assert planned("team/tiny") == planned(tiny) and not server.asked
    assert planned("team/tiny", HF_HUB_OFFLINE="1") == planned(tiny)


def test_the_whole_run_is_timed_where_its_steps_are_known(tiny: Path, pairs: Path):
    words = ("--model", tiny, "--batch", "8", "--chip", "M2", "--json")
    alone = json.loads(run("plan", *words).stdout)
    assert (alone["steps"], alone["seconds_a_run"], alone["lengths"]) == (None, None, "full")
    given = json.loads(run("plan", *words, "--iters", "7").stdout)
    assert given["steps"] == 7 and given["seconds_a_run"]["M2"] == pytest.approx(7 * given["seconds_a_step"]["M2"])
    # Forty rows in batches of eight, three times, two of them an update.
    found = run("plan", *words, "--data", pairs, "--epochs", "3", "--grad-accumulation-steps", "2")
    assert json.loads(found.stdout)["steps"] == 7
    shown = run("plan", *words[:-1], "--data", pairs, "--epochs", "1").stdout.splitlines()[-1]
    assert shown.startswith("the run, 5 steps, takes at least ")
    rows = times({"M2": 1.0, "M3": 2.0}, "float16", ["M3"], 7200)
    assert [row.split()[1:] for row in rows[2:]] == [
        ["1.0", "s", "2.0", "h", "published"],
        ["2.0", "s", "4.0", "h", "reckoned"],
    ]


def test_full_texts_are_assumed_aloud_and_the_datas_own_taken(tiny: Path, pairs: Path, tmp_path: Path):
    words = ("--model", tiny, "--batch", "8", "--chip", "M2")
    said = "every text is taken to have 32 tokens, the most that it may have; --data FILE plans for"
    assert said in run("plan", *words).stderr
    short = tmp_path / "short.jsonl"
    short.write_text("".join(f'{{"anchor": "sort {n}", "positive": "open a {n}"}}\n' for n in range(20)))
    done = run("plan", *words, "--data", short)
    assert said not in done.stderr
    # [CLS] sort 1 [SEP] and [CLS] open a 1 [SEP], padded to 4 and to the longest, 5.
    assert "batch: 16 texts of up to 5 tokens, 72 tokens together and 72 in the fullest, by one graph" in done.stdout
    short, full = (json.loads(run("plan", *words, *more, "--json").stdout) for more in (("--data", short), ()))
    assert short["total"] < full["total"] and short["usual_batch_tokens"] == 72 and full["batch_tokens"] == 16 * 32


def test_a_common_encoder_is_planned_without_a_hub(tmp_path: Path):
    words = ("plan", "--model", "bge-small-en-v1.5", "--batch", "256", "--length", "512", "--chip", "M2", "--json")
    done = run_process(*words, env=environment("http://127.0.0.1:1", tmp_path))
    assert "BAAI/bge-small-en-v1.5: its shape as the kit knows it" in done.stderr
    # The trunk without its pooler.
    assert json.loads(done.stdout)["trained_parameters"] == 33_360_000 - 384 * 384 - 384


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
