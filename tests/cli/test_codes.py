"""`metaembed codes` on a tiny model: fitted, kept, compared, and what is refused."""

import json

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
