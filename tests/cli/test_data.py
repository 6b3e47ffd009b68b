"""Rows on the command line: what is read, noted and refused by the verbs that take data."""

import json
import os
import shutil

import numpy as np
import pytest
from calls import call

from mlx_metaembed.files import safetensors

TEXTS = ["sort a list of numbers", "open a socket", "parse the command line", "a dog in the sun"]


def refused(capsys, *args):
    status, out, err = call(capsys, *args)
    assert (status, out) == (2, "")
    return err


@pytest.fixture
def beir(tmp_path):
    """Counter-arguments, as in ArguAna: a query is a text of the corpus, and never its own answer."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    rows = [json.dumps({"_id": f"t{at}", "text": text}) + "\n" for at, text in enumerate(TEXTS)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    (folder / "queries.jsonl").write_text("".join(rows[:2]))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nt0\tt1\t1\nt1\tt0\t1\n")
    return folder


def test_equal_ids_are_left_out_of_the_ranking_and_said(engine_name, tiny, beir, capsys):
    status, out, err = call(capsys, "eval", tiny, "--data", beir, "--engine", engine_name, "--json", "--codes", "int8")
    assert status == 0, err
    assert "2 queries have the same id as a text of the corpus; that text is left out" in err
    assert "Data: Judgements: qrels/test.tsv" in err
    for row in json.loads(out)["rows"]:
        assert (row["recall@10"], row["kept_r10"]) == (1.0, 1.0)
        assert row["mrr@10"] >= 1 / 3


def test_training_never_takes_the_judgements_that_a_model_is_measured_by(tiny, beir, tmp_path, capsys):
    for verb, more in (("train", ["--out", tmp_path / "run"]), ("plan", [])):
        err = refused(capsys, verb, "--model", tiny, "--data", beir, *more)
        assert "has no qrels/train.tsv, only test.tsv: a model trained on the judgements that it is measured by" in err
        assert f"To insist: '{beir}?qrels=test'" in err
    assert call(capsys, "plan", "--model", tiny, "--data", f"{beir}?qrels=test")[0] == 0
    (beir / "qrels" / "train.tsv").write_text("t0\tt2\t1\nt1\tt3\t1\n")
    status, _, err = call(
        capsys, "train", "--model", tiny, "--data", beir, "--out", tmp_path / "run", "--iters", 1, "--batch-size", 2
    )
    assert (status, "Data: Judgements: qrels/train.tsv" in err) == (0, True), err


@pytest.mark.parametrize(
    ("verb", "args", "option"),
    [
        (
            "train",
            ["--data", "a", "--data", "b"],
            "--data is given 2 times; it has one value. Put the rows into one file",
        ),
        ("train", ["--symmetric", "--no-symmetric"], "--symmetric is given 2 times"),
        ("eval", ["m", "--data", "a", "--data", "b"], "--data is given 2 times"),
        ("embed", ["m", "x", "--dims", "3", "--dims=4"], "--dims is given 2 times"),
        ("search", ["ix", "q", "-k", "3", "--count", "4"], "-k is given 2 times"),
        ("index", ["m", "c", "o", "--dtype", "f16", "--dtype", "f32"], "--dtype is given 2 times"),
        ("export", ["m", "o", "--to", "mlx", "--to", "mlx"], "--to is given 2 times"),
        ("convert", ["m", "o", "--dtype", "float16", "--dtype", "float32"], "--dtype is given 2 times"),
        ("plan", ["--memory", "8GB", "--memory", "9GB"], "--memory is given 2 times"),
    ],
)
def test_an_option_of_one_value_is_not_given_twice(capsys, verb, args, option):
    assert option in refused(capsys, verb, *args)


@pytest.mark.parametrize(
    "verb, args, option",
    [
        ("data", ["messages", "a.jsonl", "o.jsonl", "--gap-minutes", "nan"], "'--gap-minutes'"),
        ("data", ["split", "a.jsonl", "b.jsonl", "c.jsonl", "--share", "nan"], "'--share'"),
        ("compare", ["m", "n", "--data", "a", "--margin", "nan"], "'--margin'"),
    ],
)
def test_an_option_within_bounds_is_a_number(capsys, verb, args, option):
    assert f"Invalid value for {option}: nan is no number" in refused(capsys, verb, *args)


def test_one_setting_under_two_names(tiny, capsys):
    assert "--batch and --batch-size are one setting" in refused(
        capsys, "plan", "--model", tiny, "--batch", 8, "--batch-size", 9
    )


def test_embed_reads_a_column_of_texts(engine_name, tiny, tmp_path, capsys):
    rows = [{"text": text, "id": at} for at, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.csv").write_text("id,body\n" + "".join(f'{at},"{text}"\n' for at, text in enumerate(TEXTS)))
    (tmp_path / "a.txt").write_text("\n".join(TEXTS) + "\n")
    found = []
    for name, *more in (
        ("a.txt",),
        ("a.jsonl",),
        ("a.csv", "--columns", "text=body"),
        ("a.csv", "--no-header", "--columns", "text=2"),
    ):
        status, out, err = call(capsys, "embed", tiny, "--input", tmp_path / name, *more, "--engine", engine_name)
        assert status == 0, err
        found.append([json.loads(line) for line in out.splitlines()])
    assert [row["text"] for row in found[0]] == TEXTS
    assert found[0] == found[1] == found[2]
    # With a text more, batches have another shape, and numbers round otherwise.
    for one, other in zip(found[0], found[3][1:], strict=True):
        assert one["text"] == other["text"] and one["embedding"] == pytest.approx(other["embedding"], abs=1e-6)
    assert "Columns that nothing reads: 'id'" in err or "'1'" in err


def test_embed_asks_which_of_two_texts_is_meant(tiny, pairs, capsys):
    assert "has two texts a row (anchor and positive); say which to embed" in refused(
        capsys, "embed", tiny, "--input", pairs
    )
    status, out, _ = call(capsys, "embed", tiny, "--input", pairs, "--columns", "text=anchor")
    assert (status, len(out.splitlines())) == (0, 40)
    assert "belong to an --input with columns" in refused(capsys, "embed", tiny, "a", "--columns", "text=a")


def test_half_a_surrogate_pair_on_the_command_line(tiny, capsys):
    bad = os.fsdecode(b"a \xff")
    assert "text 1: not valid Unicode" in refused(capsys, "embed", tiny, bad)


def test_a_note_whose_name_is_no_text(tiny, tmp_path, capsys):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / os.fsdecode(b"\xff.md")).write_text("one two")
    assert call(capsys, "index", tiny, notes, tmp_path / "ix")[0] == 0
    status, out, _ = call(capsys, "search", tmp_path / "ix", "one", "--json")
    assert (status, json.loads(out)["results"][0]["hits"][0]["path"]) == (0, f"{notes}/\udcff.md")
    assert "\\udcff.md:1" in call(capsys, "search", tmp_path / "ix", "one")[1]
    assert "query 1: not valid Unicode" in refused(capsys, "search", tmp_path / "ix", os.fsdecode(b"\xff"))


@pytest.mark.parametrize(
    "args",
    [
        ("embed", "MODEL", "--input", "x" * 300 + ".jsonl"),
        ("eval", "MODEL", "--data", "x" * 300),
        ("index", "MODEL", "x" * 300, "ix"),
        ("search", "x" * 300, "q"),
        ("train", "--model", "MODEL", "--data", "x" * 300, "--out", "run"),
        ("plan", "--model", "MODEL", "--data", "x" * 300),
    ],
    ids=lambda args: args[0],
)
def test_a_name_that_is_too_long(tiny, tmp_path, capsys, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    assert "File name too long" in refused(capsys, *(tiny if word == "MODEL" else word for word in args))


def test_notes_are_found_by_path_and_line(engine_name, tiny, tmp_path, capsys):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text(f"# Keys\n\n{TEXTS[0]}\n\n# Net\n\n{TEXTS[1]}\n")
    (notes / "b.txt").write_text(f"\n\n{TEXTS[2]}\n")
    status, out, err = call(capsys, "index", tiny, notes, tmp_path / "ix", "--engine", engine_name, "--json")
    assert (status, json.loads(out)["count"]) == (0, 3), err
    words = ("--engine", engine_name, "-k", 1)
    hit = json.loads(call(capsys, "search", tmp_path / "ix", TEXTS[2], *words, "--json")[1])["results"][0]["hits"][0]
    assert (hit["id"], hit["path"], hit["line"]) == (f"{notes}/b.txt:3", f"{notes}/b.txt", 3)
    out = call(capsys, "search", tmp_path / "ix", f"# Net {TEXTS[1]}", *words)[1]
    assert f"  {notes}/a.md:5  # Net" in out


def test_another_models_index_is_refused_by_fingerprint(engine_name, tiny, tmp_path, capsys):
    (tmp_path / "c.txt").write_text("\n".join(TEXTS))
    engine = ("--engine", engine_name)
    assert call(capsys, "index", tiny, tmp_path / "c.txt", tmp_path / "ix", *engine)[0] == 0
    kept = json.loads((tmp_path / "ix" / "index.json").read_text())["fingerprint"]

    def search(*more):
        return call(capsys, "search", tmp_path / "ix", "dog", "--model", tmp_path / "m", *engine, *more)

    # The same weights elsewhere, and as they are written again, are the same model.
    shutil.copytree(tiny, tmp_path / "m")
    arrays = safetensors.read(tmp_path / "m" / "model.safetensors")
    safetensors.write(tmp_path / "m" / "model.safetensors", dict(reversed(arrays.items())))
    assert search()[0] == 0
    # A change that no short text shows.
    name = next(name for name in arrays if name.endswith("query.weight"))
    arrays[name] = arrays[name] + np.float32(1e-6)
    safetensors.write(tmp_path / "m" / "model.safetensors", arrays)
    status, _, err = search()
    assert status == 2
    assert f"{tmp_path / 'm'} gives other vectors than those in {tmp_path / 'ix'}: its weights differ" in err
    assert f"of {tiny.resolve()}, which it was built with" in err
    assert f"fingerprint in the index: weights {kept['weights']}, settings {kept['settings']}" in err
    shutil.rmtree(tmp_path / "m")
    shutil.copytree(tiny, tmp_path / "m")
    pooling = tmp_path / "m" / "1_Pooling" / "config.json"
    settings = json.loads(pooling.read_text())
    flags = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    pooling.write_text(json.dumps(settings | flags))
    assert "its settings differ" in search()[2]


def test_an_index_without_a_fingerprint_is_judged_by_one_text(tiny, tmp_path, capsys):
    (tmp_path / "c.txt").write_text("\n".join(TEXTS))
    assert call(capsys, "index", tiny, tmp_path / "c.txt", tmp_path / "ix")[0] == 0
    path = tmp_path / "ix" / "index.json"
    about = json.loads(path.read_text())
    del about["fingerprint"]
    path.write_text(json.dumps(about))
    status, _, err = call(capsys, "search", tmp_path / "ix", "dog")
    assert (status, "has no fingerprint of its model; one text's vector is compared" in err) == (0, True), err
    for name, value in (
        ("fingerprint", 5),
        ("fingerprint", {"weights": 5}),
        ("prompts", {"query": None}),
        ("files", []),
    ):
        path.write_text(json.dumps(about | {name: value}))
        assert f"{name}: " in refused(capsys, "search", tmp_path / "ix", "dog")


def test_a_recipe_maps_columns_by_a_table_or_by_text(tiny, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("".join(f"{text},{at},{text} again\n" for at, text in enumerate(TEXTS)))
    common = f'model = "{tiny}"\ndata = "{tmp_path / "a.csv"}"\nno_header = true\niters = 1\nbatch_size = 2\n'
    for name, columns in (
        ("a", '[columns]\nanchor = "1"\npositive = "3"\n'),
        ("b", 'columns = "anchor=1,positive=3"\n'),
    ):
        (tmp_path / f"{name}.toml").write_text(f'{common}out = "{tmp_path / name}"\n{columns}')
        status, _, err = call(capsys, "train", tmp_path / f"{name}.toml")
        assert (status, "Columns that nothing reads: '2'" in err) == (0, True), err
        assert 'columns = "anchor=1,positive=3"' in (tmp_path / name / "metaembed" / "recipe.toml").read_text()
    (tmp_path / "c.toml").write_text(f"{common}[columns]\nanchor = 1\n")
    assert "columns.anchor = 1: expected a text" in refused(capsys, "train", tmp_path / "c.toml")
    (tmp_path / "c.toml").write_text(f'{common}columns = "ancor=1"\n')
    assert "there is no column 'ancor' to fill; did you mean 'anchor'?" in refused(capsys, "train", tmp_path / "c.toml")
