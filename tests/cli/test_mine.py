"""`metaembed mine` on a tiny model, on every engine: what comes out, what is refused, and what trains."""

import shutil

import numpy as np
import pytest
from calls import call
from mined_rows import ANCHORS, mined, refused, write, write_pairs
from tiny import TEXTS, tiny_folder

from mlx_metaembed import embedder
from mlx_metaembed.files import disk


@pytest.fixture
def rows(tmp_path):
    return write_pairs(tmp_path / "rows.jsonl")


def scores(tiny, engine, queries=ANCHORS, texts=TEXTS):
    model = embedder.load(tiny, engine=engine)
    sides = [model.encode(list(each), normalize_embeddings=True) for each in (queries, texts)]
    return sides[0] @ sides[1].T


def test_the_nearest_that_are_no_answers(engine_name, tiny, rows, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    answer, found = mined(capsys, tiny, rows, out, "--negatives", 2, "--no-margin", "--engine", engine_name)
    expected = scores(tiny, engine_name)
    near = expected.diagonal().copy()
    np.fill_diagonal(expected, -2)
    order = np.argsort(-expected, axis=1)[:, :2]
    assert found == [
        {"anchor": anchor, "positive": text, "negative_1": TEXTS[one], "negative_2": TEXTS[two]}
        for anchor, text, (one, two) in zip(ANCHORS, TEXTS, order, strict=True)
    ]
    far = np.take_along_axis(expected, order, axis=1)
    assert answer["positive_score"]["mean"] == pytest.approx(near.mean(), abs=1e-5)
    assert answer["negative_score"] == pytest.approx({"mean": far.mean(), "min": far.min(), "max": far.max()}, abs=1e-5)
    del answer["positive_score"], answer["negative_score"]
    assert answer == {
        "model": str(tiny),
        "data": str(rows),
        "engine": engine_name,
        "out": str(out),
        "queries": 6,
        "corpus": 6,
        "rows": 6,
        "negatives": 12,
        "rows_left_out": 0,
        "rows_with_fewer": 0,
        "dropped": {},
        "search": "exact",
        "recall": 1.0,
        "range_max": 3,
        "judge": None,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]


def test_above_95_percent_of_the_positive_is_none(engine_name, tiny, rows, tmp_path, capsys):
    answer, found = mined(
        capsys, tiny, rows, tmp_path / "out.jsonl", "--negatives", 3, "--output-format", "list", "--engine", engine_name
    )
    expected = scores(tiny, engine_name)
    kept = expected <= 0.95 * expected.diagonal()[:, None]
    assert [len(row["negatives"]) for row in found] == [count for count in np.minimum(kept.sum(axis=1), 3) if count]
    # The positive itself is above 95 % of its score, and no candidate.
    assert answer["dropped"] == {"relative_margin": (~kept).sum() - 6}
    assert answer["rows_left_out"] + answer["rows"] == 6


def test_what_is_mined_trains_as_it_is(engine_name, tiny, rows, tmp_path, capsys):
    mined(capsys, tiny, rows, tmp_path / "out.jsonl", "--negatives", 2, "--no-margin")
    train = ["train", "--model", tiny, "--iters", 2, "--batch-size", 3, "--engine", engine_name]
    status, _, err = call(capsys, *train, "--data", tmp_path / "out.jsonl", "--out", tmp_path / "run")
    assert status == 0, err
    for loss in ("margin_mse", "kl"):
        scored = tmp_path / f"{loss}.jsonl"
        mined(capsys, tiny, rows, scored, "--negatives", 2, "--no-margin", "--scores")
        status, _, err = call(capsys, *train, "--data", scored, "--loss", loss, "--out", tmp_path / loss)
        assert status == 0, err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--negatives", 0], "negatives = 0: expected 1 or more"),
        (["--negatives", 6], "can't give 6 negatives"),
        (["--range-min", 5], "can't give 3 negatives after range_min = 5"),
        (["--range-min", 4, "--range-max", 2], "leave no rank between them"),
        (["--no-margin", "--absolute-margin", 0.1], "--no-margin and --absolute-margin are both given"),
        (["--add-positives"], "--add-positives belongs to --corpus"),
        (["--search", "graph"], "needs an index of more than 10,000 texts"),
        (["--cache", __file__], "test_mine.py is, or lies in, a file; expected the name of a folder"),
        (["--relative-margin", 5], "relative_margin = 5: expected a share"),
        (["--judge", "nowhere"], "There is no model folder nowhere"),
        (["--memory", "much"], "is no size"),
    ],
    ids=str,
)
def test_calls_that_can_not_be(tiny, rows, tmp_path, capsys, args, said):
    out = tmp_path / "out.jsonl"
    assert said in refused(capsys, out, tiny, rows, out, *args)


def test_out_is_a_new_file_of_json_lines(tiny, rows, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert "expected a name that ends in .jsonl" in refused(capsys, out, tiny, rows, out)
    status, _, err = call(capsys, "mine", tiny, rows, rows)
    assert (status, f"{rows} is there already" in err) == (2, True)


def test_nothing_left_is_a_failed_job(tiny, rows, tmp_path, capsys):
    status, out, err = call(capsys, "mine", tiny, rows, tmp_path / "out.jsonl", "--min-score", 1.5)
    assert (status, out) == (1, "")
    assert "No query is left with 3 negatives (candidates dropped:" in err
    assert not (tmp_path / "out.jsonl").exists()


def test_random_ones_by_seed(tiny, rows, tmp_path, capsys):
    found = [
        mined(
            capsys, tiny, rows, tmp_path / f"{at}.jsonl", "--negatives", 2, "--no-margin", "--sampling", "random",
            "--range-max", 5, "--seed", seed,
        )[1]
        for at, seed in enumerate((0, 0, 1))
    ]  # fmt: skip
    assert found[0] == found[1] != found[2]


def test_another_model_as_judge(engine_name, tiny, rows, tmp_path, capsys):
    other = tiny_folder(tmp_path / "other", seed=1)
    _, found = mined(
        capsys, tiny, rows, tmp_path / "out.jsonl", "--negatives", 1, "--no-margin", "--judge", other, "--scores",
        "--range-max", 5, "--engine", engine_name,
    )  # fmt: skip
    expected = scores(other, engine_name)
    assert [row["positive_score"] for row in found] == pytest.approx(expected.diagonal(), abs=1e-5)
    np.fill_diagonal(expected, -2)
    assert [row["negative_1"] for row in found] == [TEXTS[at] for at in expected.argmax(axis=1)]
    assert [row["negative_score_1"] for row in found] == pytest.approx(expected.max(axis=1), abs=1e-5)


def test_a_judge_that_is_none(tiny, rows, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    broken = tmp_path / "broken"
    disk.write_json(broken / "config.json", {"architectures": ["ResNet"], "model_type": "resnet", "hidden_size": 4})
    said = refused(capsys, out, tiny, rows, out, "--judge", broken)
    assert "broken is no judge" in said and "(found ResNet)" in said


def test_a_cache_keeps_vectors_for_the_next_call(tiny, rows, tmp_path, capsys, monkeypatch):
    cache = tmp_path / "cache"
    _, first = mined(capsys, tiny, rows, tmp_path / "1.jsonl", "--cache", cache, "--no-margin")
    assert len(list(cache.glob("vectors-*.f32"))) == 2
    asked = []
    monkeypatch.setattr(embedder.Embedder, "encode", lambda self, texts, **_: asked.append(texts))
    _, second = mined(capsys, tiny, rows, tmp_path / "2.jsonl", "--cache", cache, "--no-margin")
    assert (asked, second) == ([], first)


def test_equal_texts_are_never_negatives(tiny, tmp_path, capsys):
    """The query itself, its other positive, and either with other spaces."""
    pairs = [("open a socket", "join two paths"), ("open a socket", "read a file"), ("1 2", "3 4"), ("5", "6 7")]
    rows = write(tmp_path / "rows.jsonl", [{"anchor": anchor, "positive": text} for anchor, text in pairs])
    texts = ["open a  socket", "join  two paths", "read a file", "3 4", "6 7", "8"]
    corpus = write(tmp_path / "corpus.jsonl", [{"text": text} for text in texts])
    _, found = mined(capsys, tiny, rows, tmp_path / "out.jsonl", "--corpus", corpus, "--negatives", 3, "--no-margin")
    for row in found[:2]:
        assert {row[f"negative_{at}"] for at in (1, 2, 3)} == {"3 4", "6 7", "8"}


def test_what_an_ended_job_has_done_is_kept(tiny, rows, tmp_path, capsys, monkeypatch):
    from mlx_metaembed.mining import run

    monkeypatch.setattr(run, "PART", 2)
    out = tmp_path / "out.jsonl"
    _, whole = mined(capsys, tiny, rows, tmp_path / "whole.jsonl", "--no-margin")
    part, made = run.Part, []

    def ends_at_the_third(*given):
        made.append(given[4])
        if len(made) == 3:
            raise KeyboardInterrupt
        return part(*given)

    monkeypatch.setattr(run, "Part", ends_at_the_third)
    assert call(capsys, "mine", tiny, rows, out, "--no-margin")[0] == 130
    kept = out.with_name("out.jsonl.mining")
    assert not out.exists() and len(list(kept.glob("part-*.jsonl"))) == 2
    made.clear()
    shutil.copytree(kept, tmp_path / "again.jsonl.mining")
    _, found = mined(capsys, tiny, rows, out, "--no-margin")
    assert (found, made) == (whole, [range(4, 6)])
    assert not kept.exists()
    # Other settings: the parts are not those.
    monkeypatch.setattr(run, "Part", part)
    status, _, err = call(capsys, "mine", tiny, rows, tmp_path / "again.jsonl", "--no-margin", "--negatives", 1)
    assert (status, "holds rows of another call" in err) == (0, True), err
