"""The key of an array of vectors: whose texts its rows are of, told without the texts."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.data import vector_key
from mlx_metaembed.errors import CallError

TEXTS = [f"text {row}" for row in range(5)]


def keyed(folder: Path, texts: list[str]) -> Path:
    """An array of so many rows, with the key of the texts beside it."""
    array = folder / "v.npy"
    np.save(array, np.zeros((len(texts), 2), np.float32))
    vector_key.write(vector_key.path_of(array), array, texts, {"model": "m"})
    return array


OTHERS = {
    "the same": (TEXTS, ""),
    "other spaces around": ([f" {text}\n" for text in TEXTS], ""),
    "another text": (
        [*TEXTS[:3], "other", TEXTS[4]],
        "row 3 (from 0) is not of the text 'other'",
    ),
    "another order": (
        [TEXTS[0], TEXTS[2], TEXTS[1], *TEXTS[3:]],
        "it has the same texts in another order, from row 1 on (from 0)",
    ),
    "fewer": (TEXTS[:4], "it has 5 rows, and there are 4 texts; the first 4 are the same"),
    "more": ([*TEXTS, "more"], "it has 5 rows, and there are 6 texts; the first 5 are the same"),
    "all others": (["a", "b"], "it has 5 rows, and there are 2 texts"),
    "two for one": (["text 0text 1", *TEXTS[1:]], "row 0 (from 0) is not of the text 'text 0text 1'"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_key_says_how_texts_differ(tmp_path: Path, name: str):
    texts, said = OTHERS[name]
    assert vector_key.read(keyed(tmp_path, TEXTS)).difference(texts) == said


def test_many_texts_are_told_apart_by_blocks(tmp_path: Path):
    texts = [str(row) for row in range(2_050)]
    key = vector_key.read(keyed(tmp_path, texts))
    assert (key.rows_a_block, len(key.blocks)) == (4, 513)
    assert key.difference(texts) == ""
    other = [*texts[:2_049], "other"]
    assert key.difference(other) == "rows 2,048 to 2,049 (from 0) are not all of the same texts"
    assert key.difference(texts[::-1]) == "it has the same texts in another order, from row 0 on (from 0)"
    assert key.difference(texts[:11]) == "it has 2,050 rows, and there are 11 texts; the first 8 are the same"
    assert vector_key.path_of(tmp_path / "v.npy").stat().st_size < 20_000


def test_an_array_without_a_key_has_none(tmp_path: Path):
    np.save(tmp_path / "v.npy", np.zeros((2, 2)))
    assert vector_key.read(tmp_path / "v.npy") is None


def test_an_array_that_was_written_again_is_not_the_key_s(tmp_path: Path):
    array = keyed(tmp_path, TEXTS)
    np.save(array, np.ones((5, 2), np.float32))
    with pytest.raises(CallError, match=r"v\.npy\.json is not the key of .*v\.npy as it is now: its content changed"):
        vector_key.read(array)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": True}, "is no key of vectors: count missing or of another kind"),
        ({"blocks": "abc", "file": None}, "is no key of vectors: blocks, file missing or of another kind"),
        ({"count": 6}, "is damaged: 5 blocks of 1 for 6 texts"),
        ({"rows_a_block": 0}, "is damaged: 5 blocks of 0 for 5 texts"),
        ({"blocks": [1, 2, 3, 4, 5]}, "is damaged: 5 blocks of 1 for 5 texts"),
        ({"file": {}}, "is not the key of"),
    ],
)
def test_a_damaged_key_is_refused(tmp_path: Path, change: dict, said: str):
    array = keyed(tmp_path, TEXTS)
    path = vector_key.path_of(array)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CallError) as error:
        vector_key.read(array)
    assert said in str(error.value)
    assert "Embed the texts again" in str(error.value)
