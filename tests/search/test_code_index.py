"""An index of codes: hits as the codec scores them, put in order by vectors, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes import kinds
from mlx_metaembed.codes.files import Stored
from mlx_metaembed.errors import CallError
from mlx_metaembed.search import code_index, index

WIDTH, COUNT = 32, 500
VECTORS = clustered(COUNT + 20, WIDTH)
SEARCHED, QUERIES = VECTORS[:COUNT], VECTORS[COUNT:]


def built(out: Path, kind: str = "scalar", size: int = 6, **settings: object) -> index.Opened:
    codec = kinds.fit(kind, SEARCHED, size)
    texts = [f"text {row}" for row in range(COUNT)]
    given = {"model": "some", "code": Stored(codec, {"weights": "00"}, {}), "name": "small"} | settings
    code_index.build(SEARCHED, texts, [f"id {row}" for row in range(COUNT)], out, **given)
    return index.open(out)


def test_hits_come_in_the_order_of_the_codes_scores(tmp_path: Path):
    opened = built(tmp_path / "index")
    scores = opened.codec.score(QUERIES, opened.codes)
    for line, hits in enumerate(opened.search(QUERIES, 7)):
        rows = np.argsort(-scores[line], kind="stable")[:7]
        assert [hit.row for hit in hits] == rows.tolist()
        assert [hit.text for hit in hits] == [f"text {row}" for row in rows]
        assert [hit.score for hit in hits] == pytest.approx(scores[line, rows])
    assert opened.nearest(QUERIES[3], 7)[0].tolist() == [hit.row for hit in opened.search(QUERIES[3:4], 7)[0]]
    assert opened.about.exact and opened.about.dtype == "code"


@pytest.mark.parametrize("rescore", ["f16", "i8"])
def test_the_first_hundred_are_put_in_order_by_vectors(tmp_path: Path, rescore: str):
    opened = built(tmp_path / "index", rescore=rescore)
    true = QUERIES @ SEARCHED.T
    found = [[hit.row for hit in hits] for hits in opened.search(QUERIES, 10)]
    plain = [[hit.row for hit in hits] for hits in built(tmp_path / "plain").search(QUERIES, 10)]
    near = np.argsort(-true, axis=1)[:, :10]
    kept = [np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near, rows, strict=True)]) for rows in (found, plain)]
    assert kept[0] > 0.95 and kept[0] > kept[1] + 0.1
    best = opened.search(QUERIES[:1], 1)[0][0]
    assert best.score == pytest.approx(true[0, best.row], abs=2e-3 if rescore == "f16" else 1e-2)


def test_an_error_bound_ends_the_restoring_of_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened = built(tmp_path / "index", "rabitq", 8, rescore="f16")
    restored = []
    whole = type(opened).vectors

    def counted(self: index.Opened, rows: np.ndarray) -> np.ndarray:
        restored.append(len(rows))
        return whole(self, rows)

    monkeypatch.setattr(type(opened), "vectors", counted)
    near = np.argsort(-(QUERIES @ SEARCHED.T), axis=1)[:, :5]
    found = [[hit.row for hit in hits] for hits in opened.search(QUERIES, 5)]
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(near, found, strict=True)]) > 0.97
    assert sum(restored) / len(QUERIES) < COUNT / 2


def test_only_the_files_of_the_index_are_there(tmp_path: Path):
    built(tmp_path / "index", rescore="f16")
    found = {path.relative_to(tmp_path / "index").as_posix() for path in (tmp_path / "index").rglob("*.*")}
    names = {"index.json", "codes.npy", "vectors.npy", "code/code.json", "code/code.safetensors"}
    assert found == names | {"corpus.jsonl", "offsets.npy"}
    assert np.load(tmp_path / "index" / "codes.npy").shape == (COUNT, 6)


@pytest.mark.parametrize("name", ["codes.npy", "vectors.npy", "code/code.safetensors", "code/code.json"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str):
    built(tmp_path / "index", rescore="f16")
    path = tmp_path / "index" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CallError, match=f"is damaged:\n  - {name}"):
        index.open(tmp_path / "index")


def test_codes_of_another_number_are_refused(tmp_path: Path):
    from mlx_metaembed.files import checksums, disk

    built(tmp_path / "index")
    about = json.loads((tmp_path / "index" / "index.json").read_text())
    np.save(tmp_path / "index" / "codes.npy", np.zeros((3, 6), np.uint8))
    about["files"]["codes.npy"] = checksums.of_file(tmp_path / "index" / "codes.npy")
    disk.write_json(tmp_path / "index" / "index.json", about)
    with pytest.raises(CallError, match=r"holds uint8 \[3, 6\], index.json says uint8 \[500, 6\]"):
        index.open(tmp_path / "index")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "euclidean"}, "can't be built for similarity 'euclidean'; codes give cosine and dot"),
        ({"rescore": "f8"}, "stored as f16 or i8; found 'f8'"),
        ({"rescore": "i8", "metric": "dot"}, "dtype i8 keeps no lengths"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, settings: dict, message: str):
    with pytest.raises(CallError, match=message):
        built(tmp_path / "index", **settings)
    assert not (tmp_path / "index").exists()


def test_a_model_that_changed_is_noticed(tmp_path: Path):
    opened = built(tmp_path / "index", size=12)
    opened.require_same(SEARCHED[opened.corpus.shortest()])
    with pytest.raises(CallError, match="gives other vectors"):
        opened.require_same(-SEARCHED[opened.corpus.shortest()])
