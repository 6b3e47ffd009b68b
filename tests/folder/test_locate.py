"""Where a model lies: folders, installed distributions, and a hub that this test serves itself."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import environment, serving

from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import locate


def distribution(site: Path, name: str, files: list[str]) -> None:
    """An installed distribution, as pip leaves it."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("raise SystemExit('imported')" if file.endswith(".py") else "{}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three distributions on the path: an encoder, an encoder of two folders, and a program."""
    path = tmp_path / "site"
    distribution(
        path, "tiny-encoder", ["tiny_pack/__init__.py", "tiny_pack/model/config.json", "tiny_pack/model/modules.json"]
    )
    distribution(
        path, "nested-encoder", ["n/m/config.json", "n/m/modules.json", "n/m/old/config.json", "n/m/old/modules.json"]
    )
    distribution(path, "plain-program", ["plain_program/__init__.py", "plain_program/config.json"])
    monkeypatch.syspath_prepend(str(path))
    return path


def test_a_folder_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate.resolve(tmp_path) == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert locate.resolve(f"~/{tmp_path.name}") == tmp_path


@pytest.mark.parametrize("name", ["tiny-encoder", "tiny_encoder", "Tiny.Encoder"])
def test_an_installed_encoder_is_found_and_not_imported(site: Path, name: str) -> None:
    assert locate.resolve(name) == site / "tiny_pack/model"
    assert "tiny_pack" not in sys.modules


def test_the_outermost_folder_is_taken(site: Path) -> None:
    assert locate.resolve("nested-encoder") == site / "n/m"


def test_a_folder_goes_before_an_installed_encoder(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny-encoder").mkdir()
    assert locate.resolve("tiny-encoder") == Path("tiny-encoder")


@pytest.mark.parametrize("name", ["tiny-encodr", "plain-program", "a/b/c", "", "./absent", "../x/y"])
def test_a_name_that_is_nothing(site: Path, name: str) -> None:
    with pytest.raises(
        CallError, match=r"There is no model folder.*Installed from PyPI:.* nested-encoder.*tiny-encoder"
    ):
        locate.resolve(name)


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name/model"])
def test_a_name_that_no_folder_can_have(name: str) -> None:
    with pytest.raises(CallError, match="no model can have that name"):
        locate.resolve(name)


def test_the_nearest_is_named(site: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="did you mean 'tiny-encoder'"):
        locate.resolve("tiny-encodr")
    (tmp_path / "runs" / "demo-model").mkdir(parents=True)
    with pytest.raises(CallError, match=r"did you mean '.*/runs/demo-model'"):
        locate.resolve(str(tmp_path / "runs/demo-modl"))


def test_a_file_is_sent_to_convert(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CallError, match=r"is a file; expected a model folder.*metaembed convert"):
        locate.resolve(tmp_path / "model.safetensors")


FILES = {
    "config.json": b'{"model_type": "bert"}',
    "modules.json": b"[]",
    "modeling_evil.py": b"raise SystemExit",
    "onnx/config.json": b"{}",
    "2_Dense/config.json": b"{}",
    "2_Dense/pytorch_model.bin": b"PK dense",
    "vocab.txt": b"[PAD]",
}
REPOSITORIES = {
    "team/whole": FILES | {"model.safetensors": b"weights", "pytorch_model.bin": b"PK trunk"},
    "team/pickled": FILES | {"pytorch_model.bin": b"PK trunk"},
    "team/exported": FILES
    | {"onnx/model.onnx": b"graph", "onnx/model.onnx_data": b"numbers", "onnx/model_int8.onnx": b"graph"},
    "team/inner": FILES | {"0_CLIPModel/config.json": b"{}", "0_CLIPModel/pytorch_model.bin": b"PK trunk"},
}


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with serving(REPOSITORIES, gated=("team/gated",)) as server:
        yield server.address


def resolve(name: str, endpoint: str, home: Path, **others: str) -> subprocess.CompletedProcess:
    """`locate.resolve` in a process of its own: the hub's client reads its settings when it is imported."""
    program = (
        "import sys\nfrom mlx_metaembed import errors\nfrom mlx_metaembed.folder import locate\n"
        "try:\n    print(locate.resolve(sys.argv[1]))\n"
        "except errors.CallError as error:\n    sys.exit(str(error))"
    )
    return subprocess.run(
        [sys.executable, "-c", program, name],
        env=environment(endpoint, home, **others),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("team/whole", {"model.safetensors"}),
        ("team/pickled", {"pytorch_model.bin"}),
        ("team/exported", {"onnx/model.onnx", "onnx/model.onnx_data"}),
        ("team/inner", {"0_CLIPModel/config.json", "0_CLIPModel/pytorch_model.bin"}),
    ],
)
def test_a_repository_is_fetched_without_its_code(hub: str, tmp_path: Path, name: str, weights: set[str]) -> None:
    found = resolve(name, hub, tmp_path)
    assert found.returncode == 0, found.stderr
    path = Path(found.stdout.strip())
    names = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}
    dense = {"2_Dense/config.json", "2_Dense/pytorch_model.bin"}
    assert names == {"config.json", "modules.json", "vocab.txt"} | dense | weights
    # Once it is there, no network is needed.
    again = resolve(name, "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
    assert again.stdout == found.stdout, again.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "team/gated",
            "The hub's repository team/gated is gated: accept its terms at https://huggingface.co/team/gated",
        ),
        ("team/absent", "the hub has no repository of that name that this machine may read"),
        ("team/..", "a hub repository can't have that name"),
    ],
)
def test_what_the_hub_refuses(hub: str, tmp_path: Path, name: str, message: str) -> None:
    found = resolve(name, hub, tmp_path)
    assert found.returncode == 1
    assert message in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("offline", ["0", "1"])
def test_no_network(tmp_path: Path, offline: str) -> None:
    found = resolve("team/whole", "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE=offline)
    assert (
        "There is no folder team/whole, the cache has no repository of that name, and the hub can't be reached"
        in found.stderr
    )
    assert "Traceback" not in found.stderr


def test_the_nearest_in_the_cache_is_named(hub: str, tmp_path: Path) -> None:
    assert resolve("team/whole", hub, tmp_path).returncode == 0
    assert "There is no folder team/whol; did you mean 'team/whole'?" in resolve("team/whol", hub, tmp_path).stderr
