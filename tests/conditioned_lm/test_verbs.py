"""`metaembed ids lm-train|lm-sample|lm-eval` on tiny models, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from calls import call
from language_models import CONFIG, SPECIALS, tiny_lm
from tiny import TEXTS, tiny_folder, tokenizer

from mlx_metaembed.files import disk
from mlx_metaembed.semantic_ids import make
from mlx_metaembed.semantic_ids.choices import Choices, parse_axis

QUICK = ["--condition", "film", "--steps", 2, "--batch-size", 8]
WORDS = sorted({word for text in TEXTS for word in text.replace(",", "").split()})


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`lm`, a base; `corpus.jsonl`, texts with a kind; `encoder`; `scheme`, their IDs; `made`, a model of them."""
    room, random = tmp_path_factory.mktemp("room"), np.random.default_rng(0)
    tiny_lm(room / "lm")
    rows = [
        {
            "text": f"{' '.join(random.choice(WORDS[:9] if at % 2 else WORDS[9:18], 4))} {at % 40} {at // 40}",
            "kind": at % 2,
        }
        for at in range(160)
    ]
    (room / "corpus.jsonl").write_text("".join(json.dumps(row | {"kind": "ab"[row["kind"]]}) + "\n" for row in rows))
    tiny_folder(room / "encoder")
    axes = (parse_axis("side=kind:2"), parse_axis("rest:3", is_free=True))
    make.make(str(room / "encoder"), room / "corpus.jsonl", room / "scheme", Choices(axes, (), held_out=0), {})
    return room


@pytest.fixture(scope="module")
def made(room: Path) -> Path:
    from mlx_metaembed.conditioned_lm.make import Call
    from mlx_metaembed.conditioned_lm.make import make as train
    from mlx_metaembed.conditioned_lm.settings import Settings

    settings = Settings(condition="film", steps=30, learning_rate=0.02, held_out=0.3)
    train(Call(str(room / "lm"), str(room / "scheme"), room / "made"), settings)
    return room / "made"


def ran(capsys: pytest.CaptureFixture, *words: object) -> dict:
    status, said, err = call(capsys, *words)
    assert status == 0, err
    return json.loads(said)


def refused(capsys: pytest.CaptureFixture, *words: object) -> str:
    status, said, err = call(capsys, *words)
    assert (status, said) == (2, ""), err
    return err


def test_a_scheme_is_learned_and_written(engine_name: str, room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = ["--engine", engine_name, "--json", *QUICK]
    said = ran(capsys, "ids", "lm-train", room / "lm", room / "scheme", tmp_path / "out", *words)
    assert said["condition"] == "film" and said["steps"] == 2 and said["texts"] == 16
    assert said["digits"] == [
        {"digit": 1, "name": "side", "levels": 2}, {"digit": 2, "name": "rest", "levels": 3}
    ]  # fmt: skip
    # Tables of (3 + 4) x 32, and W of 2 layers x 2 norms x 32 features x 32.
    assert said["parameters"] == 7 * 32 + 4 * 32 * 32
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "lm.json", "condition.safetensors", "held_out.jsonl", "metrics.jsonl"
    }  # fmt: skip
    words = ["--id", "1.2", "--count", 3, "--max-tokens", 6, "--engine", engine_name, "--json"]
    said = ran(capsys, "ids", "lm-sample", tmp_path / "out", *words)
    assert said["id"] == "1.2" and said["axes"] == {"side": "b", "rest": 2} and len(said["rows"]) == 3
    assert all(row["text"] and 0 < row["tokens"] <= 6 for row in said["rows"])
    assert ran(capsys, "ids", "lm-sample", tmp_path / "out", *words) == said
    assert ran(capsys, "ids", "lm-sample", tmp_path / "out", *words, "--seed", 1) != said


def test_texts_of_no_id_and_lines_for_people(made: Path, capsys: pytest.CaptureFixture):
    status, said, err = call(capsys, "ids", "lm-sample", made, "--id", "none", "--count", 2, "--max-tokens", 5)
    assert status == 0 and len(said.splitlines()) == 2 and "engine:" in err


def test_it_is_judged(made: Path, capsys: pytest.CaptureFixture):
    words = ["--guidance", 1, "--guidance", 0, "--max-tokens", 12, "--bootstrap", 50, "--json"]
    said = ran(capsys, "ids", "lm-eval", made, *words)
    names = ["id, guidance 1", "id, guidance 0", "none", "shuffled", "real"]
    assert [row["name"] for row in said["rows"]] == [name for name in names for _ in range(3)]
    assert [row["digit"] for row in said["rows"][:3]] == ["side", "rest", "all"] and said["texts"] == 48
    real = {row["digit"]: row for row in said["rows"][-3:]}
    # A held-out text of fewer tokens than the limit is coded as it was.
    assert real["side"]["kappa"] == real["rest"]["kappa"] == 1 == real["side"]["kappa_low"]
    own = {row["digit"]: row for row in said["rows"][:3]}
    assert own["side"]["kappa"] > 0.3 and own["side"]["kappa_low"] <= own["side"]["kappa"]
    gains = {row["digit"]: row for row in said["gains"]}
    assert gains["side"]["gain_low"] <= gains["side"]["gain"] and gains["side"]["of_ceiling"] == own["side"]["kappa"]
    assert [row["name"] for row in said["written"]] == names
    assert all(0 < row["distinct_2"] <= 1 and row["tokens"] <= 12 for row in said["written"])
    assert said["bits"]["bits_id"] < said["bits"]["bits_shuffled"]


def test_rows_that_have_ids(room: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    rows = [
        {"body": f"sort a list {at}", "code": [at % 2, at % 3] if at % 4 else f"{at % 2}.{at % 3}"} for at in range(30)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [room / "lm", tmp_path / "rows.jsonl", tmp_path / "out", "--columns", "text=body,id=code", *QUICK, "--json"]
    said = ran(capsys, "ids", "lm-train", *words)
    assert [row["levels"] for row in said["digits"]] == [2, 3] and said["digits"][0]["name"] == "digit 1"
    message = refused(capsys, "ids", "lm-eval", tmp_path / "out")
    assert "name the scheme that codes texts so by --ids" in message
    said = ran(capsys, "ids", "lm-eval", made, "--ids", room / "scheme", "--max-tokens", 3, "--json", "--texts", 10)
    assert said["texts"] == 10


def test_rows_that_a_scheme_codes(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [room / "lm", room / "corpus.jsonl", tmp_path / "out", "--ids", room / "scheme", *QUICK, "--json"]
    ran(capsys, "ids", "lm-train", *words)
    held = [json.loads(line) for line in (tmp_path / "out" / "held_out.jsonl").read_text().splitlines()]
    texts = [json.loads(line)["text"] for line in (room / "scheme" / "texts.jsonl").read_text().splitlines()]
    coded = dict(zip(texts, np.load(room / "scheme" / "codes.npy").tolist(), strict=True))
    assert held and all(row["id"] == ".".join(map(str, coded[row["text"]])) for row in held)


def test_the_first_digits_alone(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [room / "lm", room / "scheme", tmp_path / "out", "--digits", 1, *QUICK]
    assert [row["name"] for row in ran(capsys, "ids", "lm-train", *words, "--json")["digits"]] == ["side"]
    message = refused(capsys, "ids", "lm-train", room / "lm", room / "scheme", tmp_path / "o", "--digits", 3, *QUICK)
    assert "the IDs have 2; expected 1 to 2" in message


def test_ids_that_are_none(made: Path, capsys: pytest.CaptureFixture):
    message = refused(capsys, "ids", "lm-sample", made, "--id", "1.3")
    assert "The ID 1.3 is out of range: rest is 3, and has 0 to 2" in message
    message = refused(capsys, "ids", "lm-sample", made, "--id", "3.5.2.1")
    assert "'3.5.2.1' is no ID of this scheme; expected 2 digits like 0.0, up to 1.2" in message
    assert "no ID of this scheme" in refused(capsys, "ids", "lm-sample", made, "--id", "a.b")


@pytest.mark.parametrize("option", ["--guidance", "--temperature", "--top-p"])
def test_how_is_drawn_is_a_number(option: str, made: Path, capsys: pytest.CaptureFixture):
    assert "nan is no number" in refused(capsys, "ids", "lm-sample", made, "--id", "1.2", option, "nan")


def test_rows_without_text_or_id(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "rows.jsonl"
    words = ["ids", "lm-train", room / "lm", path, tmp_path / "out", *QUICK]
    path.write_text('{"text": "sort a list"}\n{"text": "a b"}\n')
    assert "has no column 'id' (its columns: 'text')" in refused(capsys, *words)
    path.write_text('{"text": "sort", "id": "0.1"}\n{"text": "", "id": "0.1"}\n{"text": "a", "id": "0.2"}\n')
    assert "line 2" in refused(capsys, *words)
    path.write_text('{"body": "sort", "id": "0.1"}\n')
    assert "has no column 'text'" in refused(capsys, *words)
    rows = [("a", '"0.1"'), ("b", '"0.x"'), ("c", "null"), ("d", '"0.1.2"'), ("e", '"0.-1"')]
    path.write_text("".join(f'{{"text": "{text}", "id": {said}}}\n' for text, said in rows))
    message = refused(capsys, *words)
    assert "4 of 5 texts have no ID that can be taken" in message
    assert "'b': '0.x' is no ID" in message and "'d': '0.1.2' has 3 digits, the first one 2" in message
    message = refused(capsys, *words, "--ids", room / "scheme")
    assert "'d': '0.1.2' is no ID of this scheme; expected 2 digits like 0.0, up to 1.2" in message
    path.write_text('{"text": "sort", "id": "0.1"}\n{"text": "a", "id": "0.0"}\n')
    assert "has 2 texts with an ID; expected 4" in refused(capsys, *words)


def test_a_level_of_one_text_is_said(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    rows = [{"text": f"sort a list {at}", "id": f"{at % 2}"} for at in range(20)] + [{"text": "two paths", "id": "3"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, _, err = call(capsys, "ids", "lm-train", room / "lm", tmp_path / "rows.jsonl", tmp_path / "out", *QUICK)
    assert status == 0
    assert "digit 1: no text has level 2" in err and "digit 1: one text alone has level 3" in err
    _, _, err = call(capsys, "ids", "lm-sample", tmp_path / "out", "--id", "2", "--max-tokens", 2)
    assert "digit 1: no text with level 2 was learned from" in err


def test_a_base_that_is_no_language_model(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [room / "scheme", tmp_path / "out", *QUICK]
    assert "is no language model (a text embedder)" in refused(capsys, "ids", "lm-train", room / "encoder", *words)
    base = tiny_lm(tmp_path / "base", architectures=["LlamaModel"])
    assert "is no language model (LlamaModel)" in refused(capsys, "ids", "lm-train", base, *words)
    base = tiny_lm(tmp_path / "code", auto_map={"AutoModelForCausalLM": "own.Model"})
    assert "auto_map asks to run code of the folder" in refused(capsys, "ids", "lm-train", base, *words)
    (base / "config.json").unlink()
    assert "has no config.json" in refused(capsys, "ids", "lm-train", base, *words)
    message = refused(capsys, "ids", "lm-train", tmp_path / "nowhere", *words)
    assert "There is no model folder" in message
    assert not list(tmp_path.glob("out*"))


def test_weights_that_do_not_fit(engine_name: str, room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    base = tiny_lm(tmp_path / "base")
    disk.write_json(base / "config.json", CONFIG | {"num_hidden_layers": 3})
    words = [room / "scheme", tmp_path / "out", *QUICK, "--engine", engine_name]
    message = refused(capsys, "ids", "lm-train", base, *words)
    assert "layers.2" in message and str(base) in message
    disk.write_json(base / "config.json", CONFIG | {"model_type": "nonesuch"})
    assert "nonesuch" in refused(capsys, "ids", "lm-train", base, *words)
    (base / "model.safetensors").unlink()
    assert "has no model*.safetensors" in refused(capsys, "ids", "lm-train", base, *words)


def test_a_tokenizer_without_the_tokens_that_are_needed(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [room / "scheme", tmp_path / "out", "--steps", 1]
    base = tiny_lm(tmp_path / "base", eos_token_id=None)
    assert "names no token that ends a text" in refused(capsys, "ids", "lm-train", base, *words)
    base = tiny_lm(tmp_path / "digits")
    own = tokenizer(SPECIALS, "<s> $A")
    said = json.loads(own.to_str())
    said["model"]["vocab"] = {word: at for word, at in said["model"]["vocab"].items() if word not in ("1", "2")}
    (base / "tokenizer.json").write_text(json.dumps(said))
    message = refused(capsys, "ids", "lm-train", base, *words)
    assert "can't write IDs as text" in message and "side: 1 is an unknown token" in message
    assert "--condition prefix or film" in message
    words = [room / "scheme", tmp_path / "other", "--steps", 1]
    assert call(capsys, "ids", "lm-train", base, room / "scheme", tmp_path / "out", *QUICK)[0] == 0
    base = tiny_lm(tmp_path / "short", vocab_size=40)
    assert "the model has 40 embeddings" in refused(capsys, "ids", "lm-train", base, *words)
    (base / "tokenizer.json").unlink()
    assert "tokenizer.json" in refused(capsys, "ids", "lm-train", base, *words)


def test_settings_that_can_not_be(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = ["ids", "lm-train", room / "lm", room / "scheme", tmp_path / "out"]
    message = refused(capsys, *words, "--condition", "flim", "--id-dropout", 2, "--steps", 0)
    assert "condition 'flim' is not known; did you mean 'film'?" in message
    assert "id_dropout = 2.0: expected 0 to 1" in message and "steps = 0: expected more than 0" in message
    assert "its rank is 1 or more" in refused(capsys, *words, "--rank", 0)
    assert "has 256 positions" in refused(capsys, *words, "--max-tokens", 250)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").touch()
    assert "already holds something" in refused(capsys, *words, *QUICK)


def test_a_folder_that_is_damaged_or_of_another_base(
    room: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    words = ["--id", "0.0", "--max-tokens", 2]
    assert "has no lm.json" in refused(capsys, "ids", "lm-sample", room / "scheme", *words)
    other = tiny_lm(tmp_path / "other", seed=1)
    message = refused(capsys, "ids", "lm-sample", made, *words, "--base", other)
    assert "is not the base" in message and "model.safetensors differ" in message
    same = shutil.copytree(room / "lm", tmp_path / "same")
    assert call(capsys, "ids", "lm-sample", made, *words, "--base", same)[0] == 0
    torn = shutil.copytree(made, tmp_path / "torn")
    (torn / "condition.safetensors").write_bytes(b"\0" * 9)
    assert "is damaged" in refused(capsys, "ids", "lm-sample", torn, *words)
    moved = shutil.copytree(made, tmp_path / "moved")
    about = json.loads((moved / "lm.json").read_text())
    about["base"]["name"] = str(tmp_path / "gone")
    disk.write_json(moved / "lm.json", about)
    assert "name it by --base" in refused(capsys, "ids", "lm-sample", moved, *words)
    del about["digits"][0]["levels"]
    disk.write_json(moved / "lm.json", about)
    assert "can't be read" in refused(capsys, "ids", "lm-sample", moved, *words)


def test_too_few_held_out_texts(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = [room / "lm", room / "scheme", tmp_path / "out", *QUICK, "--held-out", 0]
    status, said, _ = call(capsys, "ids", "lm-train", *words)
    assert status == 0 and "Bits a token" not in said
    assert "0 texts were held out; expected 10 or more" in refused(capsys, "ids", "lm-eval", tmp_path / "out")
