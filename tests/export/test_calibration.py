"""Rounding calibrated on texts: nearer to the float model, the same on both engines, measured on other texts."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.export import command
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import calibration, calibration_texts, distillation, kept
from mlx_metaembed.export.calibration import Calibration
from mlx_metaembed.export.mlx import export
from mlx_metaembed.files import safetensors

WORDS = sorted({word for text in TEXTS for word in text.replace(",", "").split()})


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file of 160 texts, of words that the tiny model knows."""
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(WORDS, random.integers(3, 12))) for _ in range(160)]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _exported(tiny: Path, out: Path, texts: Path, engine: str, **settings: object) -> dict[str, float]:
    figures: dict[str, float] = {}
    asked = Calibration(texts, engine=engine, **settings)
    export(folders.read(tiny), out, bits=2, group_size=32, dtype="float32", calibrate=asked, heard=figures.update)
    return figures


def test_moments_by_hand(tiny: Path, engine_name: str) -> None:
    model = load(str(tiny), engine=engine_name, dtype="float32")
    made = calibration._store(model, [("document", text) for text in TEXTS[:3]])
    found = calibration._moments(model, made, ["encoder.layer.0.attention.self.query"], lambda *told: None)
    assert list(found) == ["encoder.layer.0.attention.self.query"]
    # The first layer's input: the embeddings' sum, normalised.
    arrays = safetensors.read(tiny / "model.safetensors")
    rows = []
    for text in range(3):
        ids = made[text]
        x = arrays["embeddings.word_embeddings.weight"][ids] + arrays["embeddings.token_type_embeddings.weight"][0]
        x = x + arrays["embeddings.position_embeddings.weight"][: len(ids)]
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        rows.append(x * arrays["embeddings.LayerNorm.weight"] + arrays["embeddings.LayerNorm.bias"])
    rows = np.concatenate(rows)
    np.testing.assert_allclose(found["encoder.layer.0.attention.self.query"], rows.T @ rows / len(rows), atol=1e-5)


def test_each_part_brings_the_vectors_nearer(tiny: Path, texts: Path, tmp_path: Path, engine_name: str) -> None:
    held = calibration_texts.read(texts, 1_000, 0)
    model = load(str(tiny), engine=engine_name, dtype="float32")
    own = [text for _, text in (*held.queries, *held.searched)]
    wanted = model.encode(own)
    export(folders.read(tiny), tmp_path / "plain", bits=2, group_size=32, dtype="float32")
    plain = load(str(tmp_path / "plain"), engine=engine_name, dtype="float32").encode(own)
    rounded = _exported(tiny, tmp_path / "rounded", texts, engine_name, steps=0)
    distilled = _exported(tiny, tmp_path / "distilled", texts, engine_name, steps=60)
    before = float((plain * wanted).sum(axis=1).mean())
    assert before + 0.02 < rounded["cosine"]
    assert rounded["cosine"] + 0.008 < distilled["cosine"]
    # What was measured is what others load.
    found = load(str(tmp_path / "distilled"), engine=engine_name, dtype="float32").encode(own)
    assert float((found * wanted).sum(axis=1).mean()) == pytest.approx(distilled["cosine"], abs=1e-5)
    codes = [safetensors.read(tmp_path / name / "model.safetensors") for name in ("rounded", "distilled")]
    name = "encoder.layer.0.attention.self.query"
    np.testing.assert_array_equal(codes[0][f"{name}.weight"], codes[1][f"{name}.weight"])
    for part in (f"{name}.scales", f"{name}.biases", f"{name}.bias", "encoder.layer.1.output.LayerNorm.weight"):
        assert np.abs(codes[0][part] - codes[1][part]).max() > 1e-4
    for part in ("embeddings.word_embeddings.scales", "embeddings.position_embeddings.weight", "pooler.dense.bias"):
        np.testing.assert_array_equal(codes[0][part], codes[1][part])


def test_what_brings_nothing_nearer_changes_nothing(
    tiny: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "RATE", 1.0)
    for name, steps in (("rounded", 0), ("distilled", 4)):
        _exported(tiny, tmp_path / name, texts, "auto", steps=steps)
    found = [safetensors.read(tmp_path / name / "model.safetensors") for name in ("rounded", "distilled")]
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name], err_msg=name)


def test_both_engines_train_alike(tiny: Path, texts: Path, tmp_path: Path, two_engines: object) -> None:
    found = []
    for engine in ("mlx", "torch"):
        _exported(tiny, tmp_path / engine, texts, engine, steps=5)
        found.append(safetensors.read(tmp_path / engine / "model.safetensors"))
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], atol=2e-4, err_msg=name)


def test_the_float_model_stays_as_it_is(tiny: Path, texts: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}
    _exported(tiny, tmp_path / "out", texts, "auto", steps=2)
    assert {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "texts.txt") == ["out"]


def test_plain_texts_are_parted() -> None:
    made = [f"text {number}" for number in range(200)]
    found = calibration_texts._unjudged(made, np.random.default_rng(0))
    sides = [[text for _, text in side] for side in (found.fit, found.queries, found.searched)]
    assert [len(side) for side in sides] == [160, 10, 30]
    assert sorted(text for side in sides for text in side) == sorted(made)


def test_judged_rows_keep_their_answers(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"anchor": f"question {number}", "positive": f"answer {number}"} for number in range(100)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = calibration_texts.read(path, 1_000, 0)
    assert (len(found.queries), len(found.searched), len(found.fit)) == (20, 20, 160)
    for at, (prompt, text) in enumerate(found.queries):
        assert prompt == "query"
        assert [found.searched[row][1] for row in found.relevant[at]] == [text.replace("question", "answer")]
    assert not {text for _, text in found.fit} & {text for _, text in (*found.queries, *found.searched)}
    assert len(calibration_texts.read(path, 7, 0).fit) == 7


def test_kept_by_hand() -> None:
    queries, searched = np.eye(3, dtype=np.float32), np.eye(12, 3, dtype=np.float32)
    relevant = [{0: 1.0}, {1: 1.0}, {2: 1.0}]
    same = kept.kept((queries, searched), (queries, searched), relevant, 0)
    assert (same["kept_r10"], same["kept_ndcg"], same["ndcg@10"]) == (1, 1, 1)
    turned = np.roll(np.eye(12, 3, dtype=np.float32), 1, axis=0)
    found = kept.kept((queries, searched), (queries, turned), relevant, 0)
    # Each query's answer moved by one: the first one's has a score of 0 like nine others.
    assert found["kept_ndcg"] < 0.7
    assert found["cosine"] == pytest.approx(3 / 15)


@pytest.mark.parametrize("lines", [1, 39])
def test_too_few_texts(tiny: Path, tmp_path: Path, lines: int) -> None:
    path = tmp_path / "few.txt"
    path.write_text("".join(f"text {line}\n" for line in range(lines)), encoding="utf-8")
    with pytest.raises(CallError, match=f"has {lines} texts to calibrate on; expected some hundred, 40 at least"):
        export(folders.read(tiny), tmp_path / "out", bits=4, group_size=32, calibrate=Calibration(path))
    assert not (tmp_path / "out").exists()


def test_the_verb_says_what_is_kept(tiny: Path, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [str(tiny), str(out), "--to", "mlx", "--bits", "4", "--group-size", "32"]
    arguments += ["--calibrate", str(texts), "--calibration-steps", "2", "--json"]
    found = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
    assert (found["calibrated_on"], found["calibration_texts"], found["calibration_steps"]) == (str(texts), 1024, 2)
    assert 0.9 < found["cosine"] <= 1
    assert found["kept_r10_low"] <= found["kept_r10"] <= found["kept_r10_high"]
    assert "kept_ndcg" not in found
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "Measured on 8 queries in 24 texts of texts.txt, apart from those" in card
    assert f"| Cosine to the float model's vectors | {found['cosine']:.4f} |" in card


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "mlx", "--calibration-steps", "5"], "--calibration-steps belongs to --calibrate TEXTS"),
        (["--to", "sentence-transformers", "--calibrate", "x"], "--calibrate belongs to --to mlx"),
    ],
)
def test_options_that_belong_elsewhere(tiny: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(command, [str(tiny), str(tmp_path / "out"), *arguments])
    assert isinstance(result.exception, CallError)
    assert said in str(result.exception)
