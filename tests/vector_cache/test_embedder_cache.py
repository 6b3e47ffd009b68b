"""A model with a cache: the same vectors, each text computed once, and nothing of another model."""

import json
from pathlib import Path

import numpy as np
import pytest
from calls import call
from tiny import TEXTS, tiny_folder

from mlx_metaembed.embedder import load
from mlx_metaembed.vector_cache import open_cache


def test_vectors_are_those_without_a_cache(engine_name: str, tiny: Path, tmp_path: Path):
    plain = load(tiny, engine=engine_name, dtype="float32").encode(TEXTS)
    model = load(tiny, engine=engine_name, dtype="float32", cache=tmp_path / "c.sqlite")
    told: list[int] = []
    np.testing.assert_array_equal(model.encode(TEXTS), plain)
    np.testing.assert_array_equal(model.encode(TEXTS, progress=told.append), plain)
    np.testing.assert_array_equal(model.encode(TEXTS, truncate_dim=8), plain[:, :8])
    np.testing.assert_array_equal(model.encode(TEXTS[0]), plain[0])
    assert model.cache.counts.misses == len(TEXTS) and model.cache.counts.hits == 2 * len(TEXTS) + 1
    assert sum(told) == len(TEXTS)


def test_what_makes_another_vector_is_no_hit(engine_name: str, tmp_path: Path):
    cache = open_cache(tmp_path / "c.sqlite")
    settings = {"engine": engine_name, "dtype": "float32", "cache": cache}
    model = load(tiny_folder(tmp_path / "a", seed=1), **settings)
    model.encode(TEXTS)
    model.encode(TEXTS, prompt="query: ")
    load(tiny_folder(tmp_path / "b", seed=2), **settings).encode(TEXTS)
    load(tmp_path / "a", max_seq_length=3, **settings).encode(TEXTS)
    assert cache.counts.hits == 0
    load(tmp_path / "a", **settings).encode(TEXTS)
    assert cache.counts.hits == len(TEXTS)


def test_embed_and_search_say_what_the_cache_had(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    cache = ["--cache", tmp_path / "c.sqlite", "--json"]
    said = [ran(capsys, "embed", tiny, "one", "two", *cache)["cache"] for _ in range(2)]
    assert said == [{"hits": 0, "misses": 2, "damaged": 0}, {"hits": 2, "misses": 0, "damaged": 0}]
    (tmp_path / "corpus.txt").write_text("one\ntwo\n")
    ran(capsys, "index", tiny, tmp_path / "corpus.txt", tmp_path / "ix", "--json")
    # The index compares a text of its own, which is one of the two.
    assert ran(capsys, "search", tmp_path / "ix", "three", *cache)["cache"] == {"hits": 1, "misses": 1, "damaged": 0}


def ran(capsys: pytest.CaptureFixture, *words: object) -> dict:
    status, said, err = call(capsys, *words)
    assert status == 0, err
    return json.loads(said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cache-hours", "3"], "--cache-hours belongs to --cache"),
        (["--cache", "c.sqlite", "--cache-hours", "0"], "0.0 is not in the range x>0"),
        (["--cache", "c.sqlite", "--image"], "--cache belongs to texts"),
    ],
)
def test_options_that_say_nothing(tiny: Path, words: list[str], message: str, capsys: pytest.CaptureFixture):
    status, _, err = call(capsys, "embed", tiny, "one", *words)
    assert status == 2 and message in err
