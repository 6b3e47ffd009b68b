"""`metaembed convert` of a repository: what a hub refuses or cuts short, through the command line."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import Hub, environment, serving

COMMAND = [sys.executable, "-m", "mlx_metaembed", "convert"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def hub(tiny: Path) -> Iterator[Hub]:
    with serving({"team/tiny": files(tiny)}, gated=("team/gated",)) as server:
        yield server


def convert(name: str, endpoint: str, home: Path, status: int, **others: str) -> str:
    """What the command says on stderr; a failure leaves nothing at OUT."""
    out = home / "out"
    surroundings = environment(endpoint, home, HF_HUB_DOWNLOAD_TIMEOUT="5", **others)
    done = subprocess.run([*COMMAND, name, str(out)], env=surroundings, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert out.is_dir() == (status == 0)
    return done.stderr


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("team/gated", ["is gated: accept its terms at https://huggingface.co/team/gated, then: hf auth login"]),
        (
            "team/absent",
            ["the hub has no repository of that name", "Check the spelling; if it is private: hf auth login"],
        ),
    ],
)
def test_what_the_hub_refuses_says_what_to_do(hub: Hub, tmp_path: Path, name: str, messages: list[str]) -> None:
    said = convert(name, hub.address, tmp_path, 2)
    for message in messages:
        assert message in said


def test_no_network(tmp_path: Path) -> None:
    assert "the hub can't be reached (no network" in convert("team/tiny", "http://127.0.0.1:9", tmp_path, 2)


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json"])
def test_a_download_that_was_cut_is_never_whole_and_goes_on(hub: Hub, tmp_path: Path, name: str) -> None:
    size = len(hub.repositories["team/tiny"][name])
    hub.cut[name] = size // 3
    try:
        assert "The hub did not give team/tiny whole:" in convert("team/tiny", hub.address, tmp_path, 2)
    finally:
        hub.cut.clear()
    for offline in ("1", "0"):
        said = convert("team/tiny", "http://127.0.0.1:9", tmp_path, 2, HF_HUB_OFFLINE=offline)
        assert "team/tiny is not whole in the cache, and the hub can't be reached" in said
    hub.asked.clear()
    convert("team/tiny", hub.address, tmp_path, 0)
    asked = dict(hub.asked)
    assert "tokenizer.json" not in asked
    assert name in asked
    assert (tmp_path / "out/model.safetensors").read_bytes() == hub.repositories["team/tiny"]["model.safetensors"]
    # Once whole, it needs no network.
    (tmp_path / "out").rename(tmp_path / "before")
    convert("team/tiny", "http://127.0.0.1:9", tmp_path, 0, HF_HUB_OFFLINE="1")
