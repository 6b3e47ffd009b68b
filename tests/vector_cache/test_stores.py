"""SQLite and a real Redis server: what is kept, for how long, and what becomes of failures."""

import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.vector_cache import VectorCache, open_cache

ABOUT = {"weights": "w", "prompt": ""}


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """A server on a port of its own: its address, and its process."""
    pytest.importorskip("redis")
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(said, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                with socket.socket() as asked:
                    if not asked.connect_ex(("127.0.0.1", port)):
                        break
                time.sleep(0.1)
            yield f"redis://127.0.0.1:{port}/0", server
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (address, _):
        yield address


@pytest.fixture(params=["sqlite", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "new" / "vectors.sqlite")
    address = request.getfixturevalue("redis_address")
    import redis

    redis.Redis.from_url(address).flushall()
    return address


class Maker:
    """Gives each text its length and 1, and remembers which texts it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.asked.append(list(texts))
        return np.array([[len(text), 1] for text in texts], np.float32)


def filled(cache: VectorCache, texts: list[str], **about: object) -> tuple[np.ndarray, list[list[str]]]:
    maker = Maker()
    return cache.vectors(texts, ABOUT | about, 2, maker), maker.asked


def counts(cache: VectorCache) -> tuple[int, int, int]:
    return cache.counts.hits, cache.counts.misses, cache.counts.damaged


def test_only_what_is_missing_is_made_and_in_order(where: str):
    cache = open_cache(where)
    found, asked = filled(cache, ["one", "three", "one"])
    assert asked == [["one", "three"]] and found.tolist() == [[3, 1], [5, 1], [3, 1]]
    again = open_cache(where)
    found, asked = filled(again, ["three", "fifteen", "one"])
    assert asked == [["fifteen"]] and found.tolist() == [[5, 1], [7, 1], [3, 1]]
    assert counts(cache) == (0, 3, 0) and counts(again) == (2, 1, 0)


def test_another_way_of_making_has_another_vector(where: str):
    cache = open_cache(where)
    filled(cache, ["a"])
    for about in ({"weights": "other"}, {"prompt": "query: "}, {"length": 5}):
        assert filled(cache, ["a"], **about)[1] == [["a"]]
    assert cache.vectors(["a"], ABOUT, 3, lambda texts: np.ones((1, 3))).shape == (1, 3)


def test_vectors_expire(where: str):
    cache = open_cache(where, hours=0.2 / 3600)
    filled(cache, ["a"])
    assert filled(cache, ["a"])[1] == []
    time.sleep(0.25)
    assert filled(cache, ["a"])[1] == [["a"]]


def test_what_has_expired_leaves_the_file(tmp_path: Path):
    path = tmp_path / "c.sqlite"
    cache = open_cache(path, hours=0.01 / 3600)
    filled(cache, ["a", "b"])
    cache.close()
    time.sleep(0.05)
    assert rows(open_cache(path)) == 0


def rows(cache: VectorCache) -> int:
    return cache.store._base.execute("SELECT count(*) FROM vectors").fetchone()[0]


@pytest.mark.parametrize("damage", [b"short", b"\0" * 16, None], ids=["short", "zeros", "null"])
def test_a_damaged_row_is_made_anew(tmp_path: Path, damage: bytes | None):
    cache = open_cache(tmp_path / "c.sqlite")
    filled(cache, ["a", "b"])
    damaged = damage if damage is not None else "text"
    cache.store._base.execute("UPDATE vectors SET row = ? WHERE rowid = 1", (damaged,))
    found, asked = filled(cache, ["a", "b"])
    assert asked == [["a"]] and found.tolist() == [[1, 1], [1, 1]] and cache.counts.damaged == 1
    assert filled(cache, ["a"])[1] == []


def test_a_full_disk_is_told_once_and_what_is_there_is_still_read(tmp_path: Path):
    said: list[str] = []
    cache = open_cache(tmp_path / "c.sqlite", warn=said.append)
    filled(cache, ["a"])
    pages = cache.store._base.execute("PRAGMA page_count").fetchone()[0]
    cache.store._base.execute(f"PRAGMA max_page_count = {pages}")
    for count in (200, 300):
        texts = [f"{number} " * 9 for number in range(count)]
        found, asked = filled(cache, texts)
        assert [row[0] for row in found] == [len(text) for text in texts] and asked == [texts]
    assert len(said) == 1 and "keeps no more vectors: database or disk is full" in said[0]
    assert filled(cache, ["a"])[1] == []


def test_a_file_that_is_damaged_while_it_is_used_is_left_alone(tmp_path: Path):
    said: list[str] = []
    path = tmp_path / "c.sqlite"
    cache = open_cache(path)
    filled(cache, [f"text {number}" for number in range(2_000)])
    cache.close()
    bytes_ = bytearray(path.read_bytes())
    bytes_[8192:] = b"\xa5" * (len(bytes_) - 8192)
    cache = open_cache(tmp_path / "d.sqlite", warn=said.append)
    cache.close()
    (tmp_path / "d.sqlite").write_bytes(bytes_)
    try:
        cache = open_cache(tmp_path / "d.sqlite", warn=said.append)
    except CallError as error:
        assert "can't be used as a cache" in str(error)
        return
    found, asked = filled(cache, ["a", "text 5"])
    assert found.tolist() == [[1, 1], [6, 1]] and asked == [["a", "text 5"]] and len(said) == 1


def test_a_server_that_goes_away_is_told_once(tmp_path: Path):
    said: list[str] = []
    with redis_server(tmp_path) as (address, server):
        cache = open_cache(address, warn=said.append)
        filled(cache, ["a"])
        server.kill()
        server.wait()
        for _ in range(2):
            assert filled(cache, ["a"])[1] == [["a"]]
    assert len(said) == 1 and "is not used any more" in said[0]


def test_a_server_without_room_is_told_once_and_still_read(redis_address: str):
    import redis

    said: list[str] = []
    client = redis.Redis.from_url(redis_address)
    cache = open_cache(redis_address, warn=said.append)
    filled(cache, ["kept"])
    client.config_set("maxmemory", 1)
    try:
        for _ in range(2):
            assert filled(cache, ["b", "kept"])[1] == [["b"]]
    finally:
        client.config_set("maxmemory", 0)
    assert len(said) == 1 and "keeps no more vectors" in said[0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("http://localhost/x", "A cache at http:// is not known; expected the path of a file, or one of redis://"),
        ("", "A cache at ''; expected the path of a file"),
    ],
)
def test_places_that_are_none(where: str, message: str):
    with pytest.raises(CallError, match=message):
        open_cache(where)


def test_a_server_that_is_not_there_is_named_without_its_password():
    pytest.importorskip("redis")
    with pytest.raises(CallError, match=r"No Redis server answers at redis://localhost:1/0") as caught:
        open_cache("redis://:secret@localhost:1/0")
    assert "secret" not in str(caught.value)


def test_a_file_of_something_else_is_not_touched(tmp_path: Path):
    path = tmp_path / "chat.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE messages (text TEXT)")
    before = path.read_bytes()
    with pytest.raises(CallError, match="is an SQLite file of something else"):
        open_cache(path)
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    with pytest.raises(CallError, match=r"can't be used as a cache .*remove the file"):
        open_cache(tmp_path / "notes.txt")
    assert path.read_bytes() == before and len((tmp_path / "notes.txt").read_text()) == 1600


@pytest.mark.parametrize("hours", [0, -1, float("inf"), float("nan"), True, "48"])
def test_hours_are_a_number_above_0(tmp_path: Path, hours: object):
    with pytest.raises(CallError, match="expected a number above 0"):
        open_cache(tmp_path / "c.sqlite", hours=hours)
