"""What is half-written: its name says who writes it, the dead's goes at the next call, the living's stays."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_metaembed.errors import JobError
from mlx_metaembed.files import disk, npy, partials


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_the_dead_go_and_no_others(tmp_path: Path):
    here, gone = partials.host(), dead()
    for name in (
        f".out.partial-{here}-{gone}",
        f".other.npy.partial-{here}-{gone}",
        f".out.partial-{gone}",
        f".out.partial-{here}-{os.getpid()}",
        f".out.partial-{here}-{os.getppid()}",
        f".out.partial-{os.getppid()}",
        f".out.partial-elsewhere-{gone}",
        f"out.partial-{here}-{gone}",
        ".out.partial-mine",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_text("half")
    with disk.replacing(tmp_path / "new"), disk.replacing_file(tmp_path / "beside") as file:
        file.write_text("whole")
        assert (tmp_path / f".new.partial-{here}-{os.getpid()}").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [
            "new",
            "beside",
            f".out.partial-{here}-{os.getppid()}",
            f".out.partial-{os.getppid()}",
            f".out.partial-elsewhere-{gone}",
            f"out.partial-{here}-{gone}",
            ".out.partial-mine",
        ]
    )


def test_a_host_name_of_any_kind_makes_a_file_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(socket, "gethostname", lambda: "ip-10-0/ü.local")
    name = partials.beside(tmp_path / ("é" * 100)).name
    assert partials.host() == "ip~10~0~~.local"
    assert partials.is_partial(name) and len(os.fsencode(name)) < 255
    assert name.endswith(f".partial-ip~10~0~~.local-{os.getpid()}")


def test_a_link_keeps_pointing_at_what_is_replaced(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "vectors.npy").write_text("old")
    (tmp_path / "vectors.npy").symlink_to("real/vectors.npy")
    with disk.replacing_file(tmp_path / "vectors.npy") as partial:
        partial.write_text("new")
    assert (tmp_path / "vectors.npy").is_symlink() and (tmp_path / "real" / "vectors.npy").read_text() == "new"


def test_two_that_write_one_folder_do_not_mix(tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(JobError, match="another process has written there meanwhile"), disk.replacing(out) as partial:
        (partial / "mine").write_text("mine")
        out.mkdir()
        (out / "theirs").write_text("theirs")
    assert [path.name for path in out.iterdir()] == ["theirs"] and list(tmp_path.iterdir()) == [out]
    with pytest.raises(JobError, match="this process writes it already"), disk.replacing(tmp_path / "new"):  # noqa: SIM117
        with disk.replacing(tmp_path / "new"):
            pass


def test_a_full_disk_is_named_with_its_cause():
    """/dev/full takes no byte: numpy.save would say how many items it could not write, and no reason."""
    import numpy as np

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    for write in (
        lambda: npy.save(Path("/dev/full"), np.zeros(100_000)),
        lambda: npy.save_rows(Path("/dev/full"), [np.zeros((100, 1000))], 100),
    ):
        with pytest.raises(OSError, match="No space left on device") as error:
            write()
        assert disk.cause(error.value) == "/dev/full: No space left on device"
    assert disk.cause(OSError("4 requested and 1 written")) == "4 requested and 1 written"


def test_rows_that_come_in_blocks_are_one_array(tmp_path: Path):
    import numpy as np

    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    npy.save_rows(tmp_path / "a.npy", [rows[:4], rows[4:]], 6)
    npy.save(tmp_path / "b.npy", rows)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows)
