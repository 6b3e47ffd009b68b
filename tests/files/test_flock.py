"""The lock of a file: one holder at a time, free again when its file is closed."""

from pathlib import Path

from mlx_metaembed.files import flock


def test_one_holder_at_a_time(tmp_path: Path):
    with (tmp_path / "lock").open("a") as second:
        with (tmp_path / "lock").open("a") as first:
            assert flock.take(first.fileno()) is True
            assert flock.take(second.fileno()) is False
        assert flock.take(second.fileno()) is True


def test_a_system_without_locks_says_so(tmp_path: Path):
    with (tmp_path / "lock").open("a") as file:
        number = file.fileno()
    # A file that is closed has no lock to take: what EBADF says.
    assert flock.take(number) is None
