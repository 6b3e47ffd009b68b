"""`metaembed eval` on a tiny model, on every engine."""

import json

import pytest
from calls import call

from mlx_metaembed import embedder, heads
from mlx_metaembed.heads import Fsq


@pytest.fixture
def with_head(tiny, tmp_path):
    """The tiny model with a code head: a folder of links, and the head beside them."""
    out = tmp_path / "with-head"
    out.mkdir()
    for entry in tiny.iterdir():
        (out / entry.name).symlink_to(entry)
    head = Fsq(32, (4,) * 12)
    heads.write({"short": head}, {f"short.{name}": array for name, array in head.initial(0).items()}, out)
    return out


def test_one_json_object_with_a_row_per_width_and_code(engine_name, with_head, pairs, capsys):
    status, out, err = call(
        capsys,
        "eval",
        with_head,
        *("--data", pairs, "--dims", "32,8", "--codes", "int8,short", "--codes", "binary"),
        *("--engine", engine_name, "--json"),
    )
    assert status == 0, err
    found = json.loads(out)
    assert {name: found[name] for name in ("model", "data", "task", "engine", "counts")} == {
        "model": str(with_head),
        "data": str(pairs),
        "task": "retrieval",
        "engine": engine_name,
        "counts": {"queries": 40, "corpus": 40},
    }
    assert [(row["name"], row["bytes_per_vector"]) for row in found["rows"]] == [
        ("32", 128),
        ("int8@32", 32),
        ("binary@32", 4),
        ("8", 32),
        ("int8@8", 8),
        ("binary@8", 1),
        ("short", 3),
    ]
    assert all(0 <= row[name] <= 1 for row in found["rows"] for name in ("ndcg@10", "recall@10", "mrr@10"))
    assert err.startswith(f"Engine: {engine_name} (")


def test_a_table_for_people(tiny, tmp_path, capsys):
    path = tmp_path / "scored.csv"
    path.write_text("sentence1,sentence2,score\na cat,a dog,3\nthe sun,the moon,4\none,many words here,0\n")
    status, out, err = call(capsys, "eval", tiny, "--data", path)
    lines = out.splitlines()
    assert (status, lines[:2]) == (0, [f"{tiny}, sts: 3 pairs", ""]), err
    assert lines[2].split() == ["name", "dimensions", "bytes_per_vector", "spearman", "pearson"]
    assert lines[3].split()[:3] == ["32", "32", "128"]
    assert lines[5] == "95 % intervals, of 1,000 draws:" and lines[6].split() == ["name", "spearman", "pearson"]
    assert len(lines) == 8


def test_both_engines_measure_the_same(two_engines, tiny, pairs, capsys):
    words = ("eval", tiny, "--data", pairs, "--dims", "32,16", "--json")
    one, other = (json.loads(call(capsys, *words, "--engine", name)[1])["rows"] for name in two_engines)
    assert [row["name"] for row in one] == [row["name"] for row in other]
    for left, right in zip(one, other, strict=True):
        assert {name: value for name, value in left.items() if name != "name"} == pytest.approx(
            {name: value for name, value in right.items() if name != "name"}, abs=1e-3
        )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--codes", "binray"],
            "no code 'binray'; did you mean 'binary'? This model knows: int8, binary, binary-hamming",
        ),
        (["--dims", "64"], "Width 64: the model gives 32 dimensions"),
        (["--dims", "8,x"], "--dims '8,x': expected whole numbers"),
        (["--max-characters", "5"], "expected fewer than 5"),
        (["--code", "int8"], "Did you mean '--codes'?"),
    ],
    ids=str,
)
def test_a_wrong_call_is_status_2_and_says_why(tiny, pairs, capsys, args, message):
    status, out, err = call(capsys, "eval", tiny, "--data", pairs, *args)
    assert (status, out) == (2, "")
    assert message in err


def test_the_rows_are_those_of_the_library(tiny, pairs, capsys):
    from mlx_metaembed import data
    from mlx_metaembed.evaluate.model import measure_model

    rows = json.loads(call(capsys, "eval", tiny, "--data", pairs, "--engine", "mlx", "--json")[1])["rows"]
    assert rows == measure_model(embedder.load(tiny, engine="mlx"), data.read(pairs), draws=1000)
