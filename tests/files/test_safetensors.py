"""Safetensors without an engine: exact numbers back, hostile files named."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors


def written(path: Path, entries: object, data: bytes = b"") -> Path:
    """A file with any header."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize("dtype", sorted({dtype.__name__ for dtype in safetensors.NUMPY_DTYPES.values()}))
def test_every_dtype_comes_back_exactly(tmp_path: Path, dtype: str) -> None:
    arrays = {
        "a": np.arange(6).reshape(2, 3).astype(dtype),
        "scalar": np.array(1, dtype),
        "none": np.zeros((0, 4), dtype),
    }
    safetensors.write(tmp_path / "w", arrays)
    found = safetensors.read(tmp_path / "w")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_transposed_array_is_written_in_its_own_order(tmp_path: Path) -> None:
    safetensors.write(tmp_path / "w", {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T})
    np.testing.assert_array_equal(safetensors.read(tmp_path / "w")["a"], [[0, 3], [1, 4], [2, 5]])


def test_bfloat16_rounds_to_nearest_even() -> None:
    step = 2.0**-7  # between 1 and 2
    values = np.array([1, 1 + step / 2, 1 + step * 1.5, 1 + step * 0.51, -3, np.inf, np.nan, 0], np.float32)
    expected = [1, 1, 1 + 2 * step, 1 + step, -3, np.inf, np.nan, 0]
    bits = safetensors.bfloat16_bits(values)
    np.testing.assert_array_equal((bits.astype(np.uint32) << 16).view(np.float32), np.array(expected, np.float32))


def test_a_tensor_keeps_its_bytes_bfloat16_too(tmp_path: Path) -> None:
    bits = struct.pack("<3H", 0x3FC0, 0xC010, 0x7F81)  # 1.5, -2.25, and a NaN that reading and rounding would change
    written(tmp_path / "a", {"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}, bits)
    safetensors.write(tmp_path / "b", safetensors.header(tmp_path / "a"))
    assert safetensors.header(tmp_path / "b")["x"].dtype == "BF16"
    assert (tmp_path / "b").read_bytes()[-6:] == bits
    safetensors.write(tmp_path / "c", safetensors.header(tmp_path / "b"), dtype="float32")
    np.testing.assert_array_equal(safetensors.read(tmp_path / "c")["x"], np.array([1.5, -2.25, np.nan], np.float32))


def test_a_dtype_is_for_floats_only(tmp_path: Path) -> None:
    safetensors.write(tmp_path / "w", {"f": np.ones(1), "i": np.ones(1, np.uint32)}, dtype="float16")
    assert {name: tensor.dtype for name, tensor in safetensors.header(tmp_path / "w").items()} == {
        "f": "F16",
        "i": "U32",
    }


def test_float16_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"big has values up to 7e\+04, float16 ends at 65504"):
        safetensors.write(tmp_path / "w", {"fine": np.ones(2), "big": np.array([1, 7e4])}, dtype="float16")
    # An infinity that was there already is kept.
    safetensors.write(tmp_path / "w", {"infinite": np.array([np.inf, 1])}, dtype="float16")
    assert np.isinf(safetensors.read(tmp_path / "w")["infinite"][0])


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    safetensors.write(tmp_path / "whole", {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float16)})
    data = (tmp_path / "whole").read_bytes()
    for length in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(CallError, match="truncated"):
            safetensors.header(tmp_path / "cut")


@pytest.mark.parametrize("first", [b"\x80\x02", b"\x80\x04", b"PK"])
def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path, first: bytes) -> None:
    length = int.from_bytes(first, "little")
    entry = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    path = written(tmp_path / "w", json.dumps(entry).encode().ljust(length), struct.pack("<f", 2.5))
    assert path.read_bytes()[:2] == first
    assert safetensors.read(path)["a"] == np.float32(2.5)


@pytest.mark.parametrize("data", [b"\x80\x04\x95" + b"." * 40, b"PK\x03\x04" + b"\0" * 40, b"\x80\x02}q\x00."])
def test_a_pickle_under_the_name_of_safetensors_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(CallError, match="is a pickle or a zip, not safetensors; a pickle can run code"):
        safetensors.header(tmp_path / "model.safetensors")


def test_a_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n")
    with pytest.raises(CallError, match="git lfs pull"):
        safetensors.header(tmp_path / "w")


WRONG = {
    "no offsets": {"dtype": "F32", "shape": [1]},
    "text": "F32",
    "negative": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]},
    "before the data": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
    "wide": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 0]},
    "unknown": {"dtype": "F4", "shape": [1], "data_offsets": [0, 1]},
    "short": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
    "float shape": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]},
}


def test_all_faults_of_a_header_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(CallError) as error:
        safetensors.header(written(tmp_path / "w", WRONG, b"\0" * 4))
    for name in WRONG:
        assert f"  - {name}: " in str(error.value)


@pytest.mark.parametrize("text", [b"{" * 9, b"{\xff}", b'{"a":' * 3_000])
def test_a_header_that_is_no_json_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(CallError, match="header is not JSON"):
        safetensors.header(written(tmp_path / "w", text))


def test_compare_lists_missing_wrong_and_unknown() -> None:
    with pytest.raises(CallError) as error:
        safetensors.compare(Path("m"), {"a": (1,), "b": (2, 3), "c": (1,)}, {"b": (3, 2), "c": (1,), "d": (9,)})
    assert str(error.value).splitlines()[1:4] == [
        "  - a (1,): missing",
        "  - b: shape (3, 2), the configuration says (2, 3)",
        "  - d (9,): not part of this architecture",
    ]


F32 = {"dtype": "F32", "shape": [2]}
IN_A_ROW = {"a": F32 | {"data_offsets": [0, 8]}, "b": F32 | {"data_offsets": [8, 16]}}
CONTRADICTIONS = {
    "overlap": (
        {"a": F32 | {"data_offsets": [0, 8]}, "b": F32 | {"data_offsets": [4, 12]}},
        "b: its first 4 bytes belong to a as well",
    ),
    "same bytes": (
        {"a": F32 | {"data_offsets": [0, 8]}, "b": F32 | {"data_offsets": [0, 8]}},
        "b: its first 8 bytes belong to a as well",
    ),
    "inside another": (
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "b": F32 | {"data_offsets": [4, 12]}},
        "b: its first 8 bytes belong to a as well",
    ),
    "hole": (
        {"a": F32 | {"data_offsets": [0, 8]}, "b": F32 | {"data_offsets": [12, 20]}},
        "b: 4 bytes that belong to no tensor lie before it",
    ),
    "hole at the start": (
        {"a": F32 | {"data_offsets": [8, 16]}},
        "a: 8 bytes that belong to no tensor lie before it",
    ),
    "metadata of numbers": (IN_A_ROW | {"__metadata__": {"step": 3}}, "__metadata__: expected words by name"),
    "metadata of a list": (IN_A_ROW | {"__metadata__": ["pt"]}, "__metadata__: expected words by name"),
    "a shape of text": ({"a": {"dtype": "F32", "shape": "", "data_offsets": [0, 4]}}, "a: expected a dtype, a shape"),
    "a length past counting": (
        {"a": {"dtype": "F32", "shape": [0, 2**40], "data_offsets": [0, 0]}},
        "a: expected a dtype, a shape",
    ),
    "dimensions without end": (
        {"a": {"dtype": "F32", "shape": [1] * 70, "data_offsets": [0, 4]}},
        "a: expected a dtype, a shape",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_bytes_of_two_tensors_or_of_none_are_named(tmp_path: Path, case: str) -> None:
    entries, message = CONTRADICTIONS[case]
    size = max(entry["data_offsets"][1] for entry in entries.values() if "data_offsets" in entry)
    with pytest.raises(CallError, match="contradicts itself") as error:
        safetensors.header(written(tmp_path / "w", entries, bytes(size)))
    assert message in str(error.value)


def test_metadata_may_be_null_as_mlx_writes_it(tmp_path: Path) -> None:
    path = written(tmp_path / "w", IN_A_ROW | {"__metadata__": None}, bytes(16))
    assert list(safetensors.header(path)) == ["a", "b"]
    assert safetensors.metadata(path) == {}


def test_tensors_may_lie_in_any_order_and_be_empty(tmp_path: Path) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [8, 8]}
    entries = {"b": IN_A_ROW["b"], "empty": empty, "a": IN_A_ROW["a"]}
    assert list(safetensors.header(written(tmp_path / "w", entries, bytes(16)))) == ["b", "empty", "a"]


def test_a_header_larger_than_any_checkpoint_has_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MOST_HEADER_BYTES", 64)
    with pytest.raises(CallError, match="has a header of 143 bytes, expected at most 64"):
        safetensors.header(written(tmp_path / "w", IN_A_ROW | {"__metadata__": {}}, bytes(16)))
