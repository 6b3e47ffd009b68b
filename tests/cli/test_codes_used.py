"""What a fitted code is for: an index, bytes of texts, a figure of `eval`; a code of another model is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from calls import call

from mlx_metaembed import embedder
from mlx_metaembed.evaluate import code_fit
from mlx_metaembed.search import fingerprint


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
