"""The command that installs an extra, by what pip left of how the kit was installed.

The words of direct_url.json are those that pip 26 writes.
"""

import json
from importlib import metadata
from pathlib import Path

import pytest

from mlx_metaembed.errors import missing_extra
from mlx_metaembed.files import installation

METADATA = """Metadata-Version: 2.4
Name: mlx-metaembed
Version: 0.1.0
Requires-Dist: numpy>=2
Provides-Extra: torch
Requires-Dist: torch>=2.6; extra == "torch"
Requires-Dist: transformers>=5.7; extra == "torch"
Provides-Extra: blas
Requires-Dist: mkl>=2024; (sys_platform == "linux" and platform_machine == "x86_64") and extra == "blas"
Provides-Extra: onnx
Requires-Dist: onnx>=1.17; extra == "onnx"
"""


def installed(path: Path, origin: object) -> metadata.Distribution:
    """An installed kit's metadata; `origin` is what direct_url.json holds, None where there is no such file."""
    path.mkdir()
    (path / "METADATA").write_text(METADATA)
    if origin is not None:
        (path / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
    return metadata.PathDistribution(path)


def of(tmp_path: Path, origin: object, *extras: str) -> str:
    return installation.command(*(extras or ("onnx",)), found=installed(tmp_path / "kit.dist-info", origin))


def test_a_clone_that_is_worked_in(tmp_path: Path):
    origin = {"dir_info": {"editable": True}, "url": f"file://{tmp_path}"}
    assert of(tmp_path, origin) == f"pip install -e '{tmp_path}[onnx]'"


def test_a_folder_with_a_space(tmp_path: Path):
    (tmp_path / "my clone").mkdir()
    assert of(tmp_path, {"dir_info": {}, "url": f"file://{tmp_path}/my%20clone"}, "onnx", "torch") == (
        f"pip install '{tmp_path}/my clone[onnx,torch]'"
    )


def test_a_wheel_on_the_disk(tmp_path: Path):
    wheel = tmp_path / "mlx_metaembed-0.1.0-py3-none-any.whl"
    wheel.touch()
    origin = {"archive_info": {"hash": "sha256=ee38", "hashes": {"sha256": "ee38"}}, "url": f"file://{wheel}"}
    assert of(tmp_path, origin) == f"pip install 'mlx-metaembed[onnx] @ file://{wheel}'"


@pytest.mark.parametrize(
    ("asked", "at"), [({"requested_revision": "main"}, "main"), ({}, "b6b79aeca76f9f473d752351db5cee2c99995246")]
)
def test_a_repository(tmp_path: Path, asked: dict, at: str):
    vcs = {"commit_id": "b6b79aeca76f9f473d752351db5cee2c99995246", "vcs": "git"} | asked
    origin = {"url": "https://example.org/kit.git", "vcs_info": vcs}
    assert of(tmp_path, origin) == f"pip install 'mlx-metaembed[onnx] @ git+https://example.org/kit.git@{at}'"


def test_a_wheel_on_the_net(tmp_path: Path):
    origin = {"archive_info": {}, "url": "https://example.org/kit.whl"}
    assert of(tmp_path, origin) == "pip install 'mlx-metaembed[onnx] @ https://example.org/kit.whl'"


@pytest.mark.parametrize("origin", [None, "no JSON", [], {"url": 3}])
def test_an_index(tmp_path: Path, origin: object):
    assert of(tmp_path, origin) == "pip install 'mlx-metaembed[onnx]'"


def test_where_it_came_from_is_gone(tmp_path: Path):
    origin = {"dir_info": {"editable": True}, "url": f"file://{tmp_path}/gone"}
    assert of(tmp_path, origin, "torch", "blas") == "pip install 'torch>=2.6' 'transformers>=5.7' 'mkl>=2024'"


def test_a_kit_that_was_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(installation, "NAME", "mlx-metaembed-that-nobody-has")
    clone = Path(installation.__file__).parents[2]
    assert installation.command("onnx") == f"pip install -e '{clone}[onnx]'"


def test_the_error_ends_in_the_command_for_this_kit():
    said = str(missing_extra("onnx", "onnx", "Reading model.onnx"))
    assert said == (
        f"Reading model.onnx needs onnx, which is not installed. Install it with: {installation.command('onnx')}"
    )
    assert said.rstrip("'").endswith("[onnx]")
