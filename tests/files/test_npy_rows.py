"""Rows of a .npy, read as they are asked for."""

from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.files.npy import Rows

ARRAY = np.arange(60, dtype=np.float32).reshape(12, 5)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_are_those_of_the_array(order: str, dtype: type, tmp_path: Path):
    np.save(tmp_path / "a.npy", np.asarray(ARRAY, dtype, order=order))
    rows = Rows(tmp_path / "a.npy")
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == ((12, 5), dtype, 2, 12)
    for asked in (slice(0, 12), slice(3, 7), slice(10, 20), slice(12, 14), slice(0, 12, 5), np.array([11, 0, 4, 4])):
        np.testing.assert_array_equal(rows[asked], ARRAY[asked])
    np.testing.assert_array_equal(np.asarray(rows, np.float32), ARRAY)


def test_what_is_no_array_is_refused(tmp_path: Path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00torn")
    with pytest.raises(ValueError):
        Rows(tmp_path / "a.npy")
