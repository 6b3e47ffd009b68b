"""`metaembed codes` on a tiny model: fitted, kept, compared, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from calls import call
from coded_vectors import clustered
from pages import Page
from tiny import TEXTS

from mlx_metaembed import embedder
from mlx_metaembed.codes import files
from mlx_metaembed.evaluate import code_fit
from mlx_metaembed.search import fingerprint


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model in a folder that codes may be written into."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Three hundred texts of the tiny model's words."""
    words, random = " ".join(TEXTS).split(), np.random.default_rng(3)
    lines = dict.fromkeys(" ".join(random.choice(words, 4 + at % 7)) for at in range(320))
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in list(lines)[:300]))
    return path


def test_a_code_is_fitted_and_kept_in_the_models_folder(engine_name, model, texts, capsys):
    asked = ("codes", "fit", model, texts, "--bytes", "8", "--kind", "scalar", "--engine", engine_name, "--json")
    status, out, err = call(capsys, *asked)
    assert status == 0, err
    found = json.loads(out)
    path = model / "metaembed" / "codes" / "code-8"
    assert {key: found[key] for key in ("name", "kind", "bytes_per_vector", "code")} == {
        "name": "code-8",
        "kind": "scalar",
        "bytes_per_vector": 8,
        "code": str(path),
    }
    assert 0 < found["kept_r10"] <= 1 and found["seconds"] > 0
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["code-8"]
    loaded = embedder.load(model, engine=engine_name)
    stored = code_fit.load(loaded.folder, "code-8", fingerprint.of(loaded.folder))
    assert stored.fitted["texts"] == 270 and stored.codec.bytes_per_vector == 8
    status, _, err = call(capsys, *asked)
    assert status == 2 and "has a code 'code-8' already" in err


def test_auto_tries_kinds_and_takes_the_best_on_the_tenth_held_out(model, tmp_path, capsys):
    np.save(tmp_path / "v.npy", clustered(3_000, 32))
    status, out, err = call(
        capsys, "codes", "fit", model, tmp_path / "v.npy", "--bytes", "3", "--name", "tiny", "--json"
    )
    assert status == 0, err
    found = json.loads(out)
    assert [row["kind"] for row in found["rows"]] == ["residual", "opq", "scalar-unscaled", "scalar", "pca-binary"]
    best = max(found["rows"], key=lambda row: row["kept_r10"])
    assert (found["kind"], found["kept_r10"], found["name"]) == (best["kind"], best["kept_r10"], "tiny")
    assert found["chosen_by"] == "kept_r10"


def test_auto_takes_the_best_by_ndcg_where_queries_are_judged(model, tmp_path, capsys):
    random, words = np.random.default_rng(0), " ".join(TEXTS).split()
    lines = dict.fromkeys(" ".join(random.choice(words, 5 + at % 5)) for at in range(420))
    rows = [{"anchor": " ".join(line.split()[:3]), "positive": line} for line in list(lines)[:400]]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("codes", "fit", model, tmp_path / "pairs.jsonl", "--bytes", "3", "--json")
    status, out, err = call(capsys, *asked)
    assert status == 0, err
    found = json.loads(out)
    best = max(found["rows"], key=lambda row: (row["kept_ndcg"], row["kept_r10"]))
    assert found["chosen_by"] == "kept_ndcg"
    assert (found["kind"], found["kept_ndcg"]) == (best["kind"], best["kept_ndcg"])


def test_a_fit_that_was_ended_goes_on_with_its_vectors_and_stages(model, texts, capsys, monkeypatch):
    from mlx_metaembed.codes import residual
    from mlx_metaembed.codes.residual import Residual

    def ended(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    asked = ("codes", "fit", model, texts, "--bytes", "3", "--kind", "residual")
    whole = residual._centroids
    calls = []

    def counted(*args: object) -> np.ndarray:
        calls.append(len(calls))
        return ended() if len(calls) == 3 else whole(*args)

    monkeypatch.setattr(residual, "_centroids", counted)
    assert call(capsys, *asked)[0] == 130
    work = model / "metaembed" / "codes" / ".code-3.fitting"
    left = sorted(path.suffix for path in work.iterdir())
    assert left == ["", ".f32", ".npy", ".npy"] and not (work.parent / "code-3").exists()
    monkeypatch.setattr(embedder.Embedder, "encode", ended)
    status, _, err = call(capsys, *asked)
    assert status == 0, err
    assert len(calls) == 4 and "300 vectors of a call that was ended" in err
    assert not work.exists()
    again = files.load(work.parent / "code-3").codec
    assert isinstance(again, Residual) and again.bytes_per_vector == 3


def test_what_another_call_left_is_not_taken(model, texts, capsys):
    work = model / "metaembed" / "codes" / ".code-4.fitting"
    work.mkdir(parents=True)
    (work / "0000.f32").write_bytes(b"other vectors")
    (work / "0000-residual-0.npy").write_bytes(b"other stages")
    status, _, err = call(capsys, "codes", "fit", model, texts, "--bytes", "4", "--kind", "scalar")
    assert status == 0 and "call that was ended" not in err
    assert not work.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bytes", "0"), "A code has 1 to 127 bytes"),
        (("--bytes", "128"), "A code has 1 to 127 bytes"),
        (("--bytes", "8", "--kind", "scaler"), "There is no kind 'scaler'; did you mean 'scalar'?"),
        (("--bytes", "5", "--kind", "binary"), "binary takes 1 to 4 bytes of a vector of 32 dimensions"),
        (("--bytes", "8", "--name", "../up"), "A code can't be called '../up'"),
    ],
)
def test_wrong_calls_are_refused_before_anything_is_encoded(model, texts, capsys, options, message):
    status, out, err = call(capsys, "codes", "fit", model, texts, *options)
    assert (status, out) == (2, "") and message in err
    assert not (model / "metaembed").exists()


def test_fewer_vectors_than_centroids_say_how_many_are_needed(model, tmp_path, capsys):
    np.save(tmp_path / "v.npy", clustered(150, 32))
    status, _, err = call(capsys, "codes", "fit", model, tmp_path / "v.npy", "--bytes", "3", "--kind", "residual")
    assert status == 2 and "has 256 centroids, which need at least as many vectors" in err and "found 150" in err
    assert list((model / "metaembed" / "codes").glob("code-*")) == []


def test_rows_with_nan_are_named(model, tmp_path, capsys):
    wrong = clustered(300, 32)
    wrong[7] = np.nan
    np.save(tmp_path / "v.npy", wrong)
    status, _, err = call(capsys, "codes", "fit", model, tmp_path / "v.npy", "--bytes", "3")
    assert status == 2 and "1 of 300 vectors hold NaN or infinity: row 7 (from 0)" in err


def test_a_table_of_codes_beside_the_free_ones(engine_name, model, texts, tmp_path, capsys):
    rows = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"anchor": f"{one} the", "positive": one}) + "\n" for one in rows[:120]))
    status, out, err = call(
        capsys,
        *(
            "codes",
            "compare",
            model,
            data,
            "--bytes",
            "3,8",
            "--kinds",
            "scalar,binary,int8,prefix",
            "--fit-data",
            texts,
        ),
        *("--bootstrap", "50", "--out", tmp_path / "out", "--engine", engine_name, "--json"),
    )
    assert status == 0, err
    found = json.loads(out)
    assert found["counts"] == {"fit": 180, "queries": 120, "documents": 120}
    names = ["scalar@3", "binary@3", "int8@3", "prefix@2", "scalar@8", "binary@4", "int8@8", "prefix@8"]
    assert [row["name"] for row in found["rows"]] == ["float32", *names]
    figures = ("kept_ndcg", "kept_r10", "kept_r100", "kept_spearman", "kept_ndcg_rescored")
    for row in found["rows"][1:]:
        assert all(row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] for name in figures)
        assert {"seconds", "encode_us", "bytes_per_vector", "kind"} <= set(row)
    assert "120 texts of" in err
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == found
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert page.lines[0][:2] == ["Code", "Bytes"] and [line[0] for line in page.lines[1:]] == ["float32", *names]
    assert len(page.all("figure")) == 4


def test_the_table_for_people_has_intervals_behind_it(model, texts, capsys):
    status, out, err = call(capsys, "codes", "compare", model, texts, "--bytes", "4", "--kinds", "scalar,binary")
    assert status == 0, err
    lines = out.splitlines()
    assert lines[0] == f"{model}, {texts}: 135 fit, 30 queries, 135 documents"
    assert lines[2].split() == ["name", "kept_r10", "kept_r100", "kept_spearman", "seconds", "encode_us"]
    assert [line.split()[0] for line in lines[3:6]] == ["float32", "scalar@4", "binary@4"]
    assert "95 % intervals over queries, of 1,000 draws:" in lines
    assert "without judgements there is no nDCG" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bytes", "8,x"), "--bytes '8,x': expected whole numbers"),
        (("--bytes", "8,0"), "A code has 1 to 127 bytes"),
        (("--kinds", "scalar,bits"), "There is no kind 'bits'"),
    ],
)
def test_wrong_comparisons_are_refused(model, texts, capsys, options, message):
    status, out, err = call(capsys, "codes", "compare", model, texts, *options)
    assert (status, out) == (2, "") and message in err


def fitted(capsys, model: Path, texts: Path, *options: str) -> None:
    status, _, err = call(capsys, "codes", "fit", model, texts, "--bytes", "8", "--kind", "scalar", *options)
    assert status == 0, err


def test_an_index_of_codes_is_searched(engine_name, model, texts, tmp_path, capsys):
    fitted(capsys, model, texts)
    for options in ((), ("--rescore", "f16"), ("--rescore", "i8")):
        out = tmp_path / f"index{len(options)}{options[-1:]}"
        asked = ("index", model, texts, out, "--code", "code-8", *options, "--engine", engine_name, "--json")
        status, said, err = call(capsys, *asked)
        assert status == 0, err
        about = json.loads(said)
        assert (about["code"], about["bytes_per_vector"], about["exact"]) == ("code-8", 8, True)
        assert about["bytes"] == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        text = json.loads(texts.read_text().splitlines()[5])["text"]
        status, said, err = call(capsys, "search", out, text, "--engine", engine_name, "--json")
        assert status == 0, err
        hits = json.loads(said)["results"][0]["hits"]
        assert text in [hit["text"] for hit in hits[:3]]


def test_an_index_says_what_a_vector_takes(model, texts, tmp_path, capsys):
    fitted(capsys, model, texts)
    status, out, err = call(capsys, "index", model, texts, tmp_path / "i", "--code", "code-8", "--rescore", "i8")
    assert status == 0, err
    assert "32 dimensions as scalar codes of 8 bytes and i8 to order the first hits" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--code", "code-9"), "There is no code 'code-9'"),
        (("--code", "code-8", "--dtype", "f16"), "--dims and --dtype belong to indexes without one"),
        (("--rescore", "f16"), "--rescore belongs to --code"),
    ],
)
def test_wrong_indexes_are_refused(model, texts, tmp_path, capsys, options, message):
    fitted(capsys, model, texts)
    status, _, err = call(capsys, "index", model, texts, tmp_path / "index", *options)
    assert status == 2 and message in err
    assert not (tmp_path / "index").exists()


def test_a_code_of_another_model_is_refused_everywhere(model, texts, tmp_path, capsys):
    from tiny import tiny_folder

    fitted(capsys, model, texts)
    other = tiny_folder(tmp_path / "other", seed=9)
    shutil.copytree(model / "metaembed" / "codes", other / "metaembed" / "codes")
    for asked in (
        ("index", other, texts, tmp_path / "index", "--code", "code-8"),
        ("embed", other, "a text", "--codes", "code-8"),
        ("eval", other, "--data", _pairs(texts, tmp_path), "--codes", "code-8"),
    ):
        status, _, err = call(capsys, *asked)
        assert status == 2 and "is of another model: its weights differ" in err, asked


def test_texts_as_bytes_of_a_code(engine_name, model, texts, tmp_path, capsys):
    fitted(capsys, model, texts)
    out = tmp_path / "codes.npy"
    asked = ("embed", model, "--input", texts, "--codes", "code-8", "--output", out, "--engine", engine_name)
    status, _, err = call(capsys, *asked)
    assert status == 0, err
    found = np.load(out)
    assert found.shape == (300, 8) and found.dtype == np.uint8
    loaded = embedder.load(model, engine=engine_name)
    codec = code_fit.load(loaded.folder, "code-8", fingerprint.of(loaded.folder)).codec
    rows = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    assert np.array_equal(found, codec.encode(loaded.encode(rows, normalize_embeddings=True)))
    assert json.loads((tmp_path / "codes.npy.json").read_text())["made"]["code"] == "code-8"
    status, said, _ = call(capsys, "embed", model, rows[0], "--codes", "code-8", "--engine", engine_name)
    assert json.loads(said) == {"text": rows[0], "code": found[0].tolist()}
    status, _, err = call(capsys, "embed", model, "a text", "--codes", "code-8", "--dims", "8")
    assert status == 2 and "--codes are codes of the model's whole vectors" in err


def test_eval_measures_a_fitted_code_beside_the_others(model, texts, tmp_path, capsys):
    fitted(capsys, model, texts)
    data = _pairs(texts, tmp_path)
    status, out, err = call(
        capsys, "eval", model, "--data", data, "--codes", "code-8,int8", "--bootstrap", "0", "--json"
    )
    assert status == 0, err
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    assert list(rows) == ["32", "int8@32", "code-8"] and rows["code-8"]["bytes_per_vector"] == 8
    assert 0.3 < rows["code-8"]["kept_r10"] < 1 and rows["code-8"]["kept_ndcg"] <= 1.05
    status, _, err = call(capsys, "eval", model, "--data", data, "--codes", "code-7")
    assert status == 2 and "There is no code 'code-7'; did you mean 'code-8'?" in err


def _pairs(texts: Path, tmp_path: Path) -> Path:
    rows = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"anchor": f"{one} the", "positive": one}) + "\n" for one in rows[:120]))
    return data
