"""A GGUF file's header: what it says, and every way in which it can be wrong."""

import struct
from pathlib import Path

import gguf_files
import numpy as np
import pytest
from gguf_files import LLAMA, Blocks, byte_pairs, llama_tensors

from mlx_metaembed.convert.gguf import file, header, packed
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import read_tensor

ONE = {"a": np.ones((2, 32), np.float32)}


def test_values_of_every_type(tmp_path: Path):
    said = {"a": True, "b": 7, "c": -7, "d": 0.5, "e": "é", "f": ["x", ""], "g": np.arange(3, dtype=np.int32)}
    found = file.read(gguf_files.write(tmp_path / "a.gguf", said, ONE)).metadata
    assert {key: found[key] for key in "abcdef"} == {key: said[key] for key in "abcdef"}
    assert found["g"].tolist() == [0, 1, 2]


def test_tensors_are_numpys(tmp_path: Path):
    given = {"a": np.arange(96, dtype=np.float32).reshape(3, 32), "b": np.arange(5, dtype=np.float16)}
    found = file.read(gguf_files.write(tmp_path / "a.gguf", {"general.alignment": 64}, given, alignment=64)).tensors
    for name, tensor in given.items():
        assert found[name].shape == tensor.shape
        np.testing.assert_array_equal(read_tensor(found[name]), tensor)
    assert (found["a"].dtype, found["b"].dtype) == ("F32", "F16")


def test_rows_are_read_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packed, "PIECE_NUMBERS", 64)
    given = np.arange(160, dtype=np.float32).reshape(5, 32)
    tensor = file.read(gguf_files.write(tmp_path / "a.gguf", {}, {"a": given})).tensors["a"]
    assert [len(piece) for piece in tensor.pieces()] == [2, 2, 1]
    np.testing.assert_array_equal(read_tensor(tensor), given)
    np.testing.assert_array_equal(read_tensor(tensor.changed(lambda rows: rows[::-1])), given[::-1])


def test_as_the_reference_reader_has_it(tmp_path: Path):
    gguf = pytest.importorskip("gguf")
    path = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("words", ["a", "é"])
    writer.add_float64("width", 0.1)
    random = np.random.default_rng(0)
    kinds = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")
    for name in kinds:
        kind = gguf.GGMLQuantizationType[name]
        rows = gguf.quantize(random.standard_normal((4, 64)).astype(np.float32), kind)
        writer.add_tensor(name, rows, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found, reference = file.read(path), gguf.GGUFReader(path)
    assert found.metadata == {"general.architecture": "llama", "words": ["a", "é"], "width": 0.1}
    assert [tensor.name for tensor in reference.tensors] == list(found.tensors) == list(kinds)
    for tensor in reference.tensors:
        own = found.tensors[tensor.name]
        np.testing.assert_array_equal(read_tensor(own), gguf.dequantize(tensor.data, tensor.tensor_type))


def made(**how: object) -> bytes:
    return gguf_files.content(LLAMA | byte_pairs(), llama_tensors(), **how)


def with_entry(shape: tuple[int, ...] = (2, 32), kind: object = "F32", data: bytes = bytes(256)) -> bytes:
    return gguf_files.content({}, {"a": Blocks(kind, shape, data)})


def counted(tensors: int, keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + bytes(64)


def keyed(data: bytes) -> bytes:
    """A file whose only key has these bytes as its value."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_files.text("key") + data


BAD = {
    "is no GGUF file: it begins with b'GGML'": b"GGML" + bytes(64),
    "is no GGUF file: it begins with b''": b"",
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\n",
    "is GGUF of version 4, expected 2 or 3": made(version=4),
    "is GGUF of version 1, expected 2 or 3": made(version=1),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "it ends at byte 20, in the middle of its header": made()[:20],
    "a string at byte 183 says that it has 20 bytes, but only 9 bytes follow": made()[:200],
    "an array of strings at byte 673 says that it has 270 items, but only 219 bytes follow": made()[:900],
    "it says that it has 18,446,744,073,709,551,615 tensors": counted(2**64 - 1, 0),
    "and 4,294,967,296 keys": counted(0, 2**32),
    "a string at byte 24 says that it has 1,152,921,504,606,846,976 bytes, but only": counted(0, 1)[:24]
    + struct.pack("<Q", 2**60)
    + bytes(64),
    "an array of strings at byte 43 says that it has 1,099,511,627,776 items": keyed(struct.pack("<IIQ", 9, 8, 2**40)),
    "an array at byte 43 says that it has 18,446,744,073,709,551,615": keyed(struct.pack("<IIQ", 9, 12, 2**64 - 1)),
    "has values of the type 9; expected numbers or strings": keyed(struct.pack("<IIQ", 9, 9, 1)),
    "has the unknown type 77": keyed(struct.pack("<I", 77) + bytes(8)),
    "is not UTF-8 (byte 48)": keyed(struct.pack("<I", 8) + gguf_files.text(b"a\xff")),
    "has the key 'a' twice": b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + 2 * (gguf_files.text("a") + gguf_files.value(1)),
    "general.alignment = 24": gguf_files.content({"general.alignment": 24}, ONE),
    "general.alignment = 0": gguf_files.content({"general.alignment": 0}, ONE),
    "general.alignment = '32'": gguf_files.content({"general.alignment": "32"}, ONE),
    "is one of 3 parts of a model": gguf_files.content({"split.count": 3}, ONE),
    "has 5 dimensions, expected 1 to 4": with_entry((1, 1, 1, 2, 32)),
    "Q5_0: 1 tensors, 'a' first": with_entry(kind="Q5_0"),
    "of the unknown type 99: 1 tensors": with_entry(kind=99),
    "no tensor has the shape (0, 32)": with_entry((0, 32)),
    "no tensor has the shape (18446744073709551615, 32)": with_entry((2**64 - 1, 32)),
    "no tensor has the shape (2147483647, 2147483647)": with_entry((2**31 - 1, 2**31 - 1)),
    "rows of 33, but Q4_0 has blocks of 32": with_entry((2, 33), "Q4_0"),
    "'a': it ends at byte": with_entry((2, 64)),
    "its offset 8 is no multiple of 32": gguf_files.content({}, ONE, offsets={"a": 8}),
    "'a': it ends at byte 18,": gguf_files.content({}, ONE, offsets={"a": 2**64 - 32}),
    "'b': 128 of its bytes belong to 'a' too": gguf_files.content({}, ONE | {"b": ONE["a"]}, offsets={"b": 128}),
    "has no tensors": gguf_files.content({"a": 1}, {}),
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said(message: str, tmp_path: Path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(BAD[message])
    with pytest.raises(CallError) as raised:
        file.read(path)
    assert message in str(raised.value) and str(path) in str(raised.value)


def test_a_tensor_twice(tmp_path: Path):
    content = gguf_files.content({}, {"a": ONE["a"], "b": ONE["a"]}).replace(gguf_files.text("b"), gguf_files.text("a"))
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(CallError, match="'a': it stands there twice"):
        file.read(tmp_path / "bad.gguf")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path):
    content, path = made(), tmp_path / "cut.gguf"
    # The last tensor has no padding behind it.
    for size in [*range(0, len(content), 997), len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(CallError):
            file.read(path)


def test_a_header_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = gguf_files.write(tmp_path / "a.gguf", {"words": ["word"] * 1000}, ONE)
    monkeypatch.setattr(header, "MOST_BYTES", 10_000)
    with pytest.raises(CallError, match="4 bytes, but only 3 bytes of a header may follow"):
        file.read(path)
    monkeypatch.undo()
    monkeypatch.setattr(header, "MOST_STRINGS", 500)
    with pytest.raises(CallError, match="more than 500 strings"):
        file.read(path)


def test_no_more_is_read_than_the_header(tmp_path: Path):
    """A file with holes, of a size that can't be held."""
    path = gguf_files.write(tmp_path / "a.gguf", {}, {"a": Blocks("F32", (2**20, 2**20), b"")})
    with path.open("r+b") as opened:
        opened.truncate(2**42 + 2**20)
    assert file.read(path).tensors["a"].shape == (2**20, 2**20)
