"""A file is as its checksum says or it is not, whatever lies in its place: no pipe is waited for, no device read."""

import os
from pathlib import Path

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import checksums, safetensors

WRITTEN = {"bytes": 9, "crc32": 0xCBF43926}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"123456789")
    return tmp_path / "file"


def test_a_file_is_known_by_its_bytes_and_its_crc(file: Path):
    assert checksums.of_file(file) == WRITTEN
    assert checksums.difference(file, WRITTEN) == ""
    assert checksums.difference(file, {"bytes": 9, "crc32": 1}) == "its content changed"
    assert checksums.difference(file, {"bytes": 1_234, "crc32": 1}) == "9 bytes, 1,234 were written"
    assert checksums.difference(file, "9") == "its content changed"


def test_what_is_no_file_is_not_read(file: Path):
    other = file.with_name("other")
    assert checksums.difference(other, WRITTEN) == checksums.difference(file.parent, WRITTEN) == "missing"
    os.mkfifo(other)
    said = f"{other} can't be read: it is a device or a pipe; expected a file"
    assert checksums.difference(other, WRITTEN) == said
    other.unlink()
    other.symlink_to("/dev/zero")
    assert checksums.difference(other, WRITTEN) == said


def test_a_file_of_another_size_is_not_read(file: Path):
    os.truncate(file, 1 << 40)
    assert checksums.difference(file, WRITTEN) == "1,099,511,627,776 bytes, 9 were written"


def test_a_pipe_is_no_safetensors_file(tmp_path: Path):
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(CallError, match="it is a device or a pipe; expected a file"):
        safetensors.header(tmp_path / "a.safetensors")


def test_a_name_that_no_file_can_have_is_no_traceback(tmp_path: Path):
    assert "can't be read" in checksums.difference(tmp_path / ("x" * 5000), WRITTEN)
    assert checksums.difference(tmp_path / "a\0b", WRITTEN) == "missing"
