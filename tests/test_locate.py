"""Where a model lies: folders, installed distributions, and a hub that this test serves itself."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlx_metaembed import locate
from mlx_metaembed.errors import CallError


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


COMMIT = "a" * 40
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
    "team/inner": FILES | {"0_CLIPModel/config.json": b"{}", "0_CLIPModel/pytorch_model.bin": b"PK trunk"},
}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as its client asks for."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        repository, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        if repository == "team/gated":
            return self.send(403, b"{}", body, {"X-Error-Code": "GatedRepo"})
        if repository not in REPOSITORIES:
            return self.send(401, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        files = REPOSITORIES[repository]
        if api and rest[:1] == ["tree"]:
            listed = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()
            ]
            return self.send(200, json.dumps(listed).encode(), body)
        if api:
            siblings = [{"rfilename": name} for name in files]
            return self.send(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode(), body)
        data = files["/".join(rest[2:])]
        return self.send(200, data, body, {"X-Repo-Commit": COMMIT, "ETag": f'"{rest[-1]}-{len(data)}"'})

    def send(self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(data)),
            "Content-Type": "application/json",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def resolve(name: str, endpoint: str, home: Path, **environment: str) -> subprocess.CompletedProcess:
    """`locate.resolve` in a process of its own: the hub's client reads its settings when it is imported."""
    program = (
        "import sys\nfrom mlx_metaembed import errors, locate\n"
        "try:\n    print(locate.resolve(sys.argv[1]))\n"
        "except errors.CallError as error:\n    sys.exit(str(error))"
    )
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    keep = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name != "HF_TOKEN"
    }
    return subprocess.run(
        [sys.executable, "-c", program, name],
        env=keep | settings | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "pickles"),
    [
        ("team/whole", {"model.safetensors"}),
        ("team/pickled", {"pytorch_model.bin"}),
        ("team/inner", {"0_CLIPModel/config.json", "0_CLIPModel/pytorch_model.bin"}),
    ],
)
def test_a_repository_is_fetched_without_its_code(hub: str, tmp_path: Path, name: str, pickles: set[str]) -> None:
    found = resolve(name, hub, tmp_path)
    assert found.returncode == 0, found.stderr
    path = Path(found.stdout.strip())
    names = {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}
    dense = {"2_Dense/config.json", "2_Dense/pytorch_model.bin"}
    assert names == {"config.json", "modules.json", "vocab.txt"} | dense | pickles
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
        "There is no folder team/whole; as a repository of the hub it is not, or not whole, in the cache"
        in found.stderr
    )
    assert "Traceback" not in found.stderr
