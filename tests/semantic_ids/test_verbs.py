"""`metaembed ids ...` on a tiny model: train, encode, decode, explain, neighbours, interpolate, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from calls import call
from tiny import tiny_folder

from mlx_metaembed.files import checksums, safetensors
from mlx_metaembed.semantic_ids import make
from mlx_metaembed.semantic_ids.choices import Choices, parse_axis

WORDS = ("sort", "list", "numbers", "file", "line", "socket", "command", "tree", "folders", "paths", "suffix", "first")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    rows = []
    for at in range(160):
        kind = at % 2
        words = random.choice(WORDS[:6] if kind else WORDS[6:], 4)
        rows.append({"text": f"{' '.join(words)} {at}", "kind": "left" if kind else "right"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def made(tiny: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out.ids"
    axes = (parse_axis("side=kind:2"), parse_axis("rest:3", is_free=True))
    make.make(str(tiny), corpus, out, Choices(axes, (8, 8), unique=True), {})
    return out


def ran(capsys: pytest.CaptureFixture, *words: object) -> dict:
    status, said, err = call(capsys, *words)
    assert status == 0, err
    return json.loads(said)


def test_what_is_written(tiny: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    made, words = tmp_path / "out.ids", ["--axis", "side=kind:2", "--free", "rest:3", "--levels", "8,8", "--unique"]
    said = ran(capsys, "ids", "train", tiny, corpus, made, *words, "--json")
    assert said["texts"] == 160 and [row["levels"] for row in said["digits"]] == [2, 3, 8, 8]
    assert said["axes"][0]["axis"] == "side" and 0 <= said["r10"] <= 1
    assert {path.name for path in made.iterdir()} == {
        "ids.json", "ids.safetensors", "codes.npy", "texts.jsonl", "report.html"
    }  # fmt: skip
    about = json.loads((made / "ids.json").read_text())
    assert about["format"] == "metaembed-ids-1" and set(about["model"]["fingerprint"]) == {"weights", "settings"}
    ids = np.load(made / "codes.npy")
    assert ids.shape == (160, 5) and ids.dtype == np.uint16
    # With its last digit every text has an ID of its own.
    assert len(np.unique(ids, axis=0)) == 160
    page = (made / "report.html").read_text()
    assert "side" in page and "Perplexity" in page and "<script" not in page


def test_a_text_has_the_id_that_the_corpus_has(
    engine_name: str, made: Path, corpus: Path, capsys: pytest.CaptureFixture
):
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()[:6]]
    rows = ran(capsys, "ids", "encode", made, *texts, "--engine", engine_name, "--json")["rows"]
    stored = [".".join(map(str, row[:4])) for row in np.load(made / "codes.npy")[:6]]
    assert [row["id"] for row in rows] == stored
    assert {row["axes"]["side"] for row in rows} <= {"left", "right"}


def test_from_ids_to_texts_and_other_ids(made: Path, capsys: pytest.CaptureFixture):
    ids = np.load(made / "codes.npy")[:, :4]
    first, last = (".".join(map(str, ids[at])) for at in (0, 1))
    texts = [json.loads(line)["text"] for line in (made / "texts.jsonl").read_text().splitlines()]
    rows = ran(capsys, "ids", "decode", made, first, "-k", 40, "--json")["rows"]
    exact = [row["text"] for row in rows if row["exact"]]
    assert set(exact) == {text for text, own in zip(texts, ids, strict=True) if (own == ids[0]).all()}
    assert [row["exact"] for row in rows] == sorted((row["exact"] for row in rows), reverse=True)
    prefix = ran(capsys, "ids", "decode", made, first.rpartition(".")[0], "-k", 3, "--json")["rows"]
    assert all(row["id"].startswith(first.rpartition(".")[0]) for row in prefix if row["exact"])
    near = ran(capsys, "ids", "neighbours", made, first, "-k", 5, "--json")["rows"]
    assert len(near) == 5 and first not in [row["id"] for row in near]
    assert [row["score"] for row in near] == sorted((row["score"] for row in near), reverse=True)
    walk = ran(capsys, "ids", "interpolate", made, first, last, "--steps", 6, "--json")["rows"]
    used = {".".join(map(str, row)) for row in ids}
    assert (walk[0]["id"], walk[-1]["id"]) == (first, last) and {row["id"] for row in walk} <= used


def test_levels_are_explained(made: Path, capsys: pytest.CaptureFixture):
    (row,) = ran(capsys, "ids", "explain", made, "--digit", "side", "--json")["rows"]
    assert row["kind"] == "classes" and {level["label"] for level in row["levels"]} == {"left", "right"}
    assert sum(level["texts"] for level in row["levels"]) == 160
    by_label = {level["label"]: level for level in row["levels"]}
    assert set(by_label["left"]["words"]) <= set(WORDS[:6]) and row["measured"]["accuracy"] > 0.8
    assert len(ran(capsys, "ids", "explain", made, "--json")["rows"]) == 4


def test_another_model_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    other = tiny_folder(tmp_path / "other", seed=5)
    status, _, err = call(capsys, "ids", "encode", made, "sort", "--model", other)
    assert status == 2 and "gives other vectors than those in" in err and "weights" in err


def test_torn_folders_are_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    for name in ("ids.safetensors", "codes.npy", "texts.jsonl"):
        torn = tmp_path / f"torn-{name}"
        shutil.copytree(made, torn)
        (torn / name).write_bytes((torn / name).read_bytes()[:-3])
        status, _, err = call(capsys, "ids", "explain", torn)
        assert status == 2 and f"{name}: " in err and "is damaged" in err
    status, _, err = call(capsys, "ids", "explain", tmp_path)
    assert status == 2 and "has no ids.json" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--axis", "side=sort"], "has no column 'sort'; its columns: 'text', 'kind'"),
        (["--levels", "1"], "a digit has 1 levels"),
        (["--levels", "512"], "A digit has 512 centroids, which need at least as many vectors"),
        (["--axis", "kind"], "expected NAME=COLUMN"),
        (["--method", "balancd"], "method 'balancd' is not known; did you mean 'balanced'?"),
        (["--columns", "text=body"], "has no column"),
        (["--prompt", "poem"], "has no prompt 'poem'"),
    ],
)
def test_what_train_refuses(
    words: list[str], message: str, tiny: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    status, _, err = call(capsys, "ids", "train", tiny, corpus, tmp_path / "no", *words)
    assert status == 2 and message in err and not (tmp_path / "no").exists()


def test_an_id_out_of_range_is_refused(made: Path, capsys: pytest.CaptureFixture):
    status, _, err = call(capsys, "ids", "decode", made, "2.0.9")
    assert status == 2 and "side is 2, and has 0 to 1; digit 3 is 9, and has 0 to 7" in err


def test_arrays_of_other_shapes_are_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    made = shutil.copytree(made, tmp_path / "copy")
    arrays = safetensors.read(made / "ids.safetensors")
    about = json.loads((made / "ids.json").read_text())
    safetensors.write(made / "ids.safetensors", arrays | {"0.centroids": arrays["0.centroids"][:1]})
    about["files"]["ids.safetensors"] = checksums.of_file(made / "ids.safetensors")
    (made / "ids.json").write_text(json.dumps(about))
    status, _, err = call(capsys, "ids", "explain", made)
    assert status == 2 and "digit 1: its arrays have the shapes" in err
