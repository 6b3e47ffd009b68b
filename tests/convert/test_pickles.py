"""Torch's files without torch: exact numbers, and no pickle that does more than name tensors."""

import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bombs import PICKLES, compressed_entry, endless_directory
from pickled import archive, number, save, state_dict, tensor, word

from mlx_metaembed.convert import archive as archives
from mlx_metaembed.convert import opcodes, pickles
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor, read_tensor


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    tensors, _others = pickles.read(path)
    return {name: read_tensor(found) if isinstance(found, Tensor) else found for name, found in tensors.items()}


def test_numbers_come_back_exactly(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.array([0.5, -65504], np.float16),
        "ids": np.array([[1, -2]], np.int64),
        "brain": np.array([0x3FC0, 0xC010], np.uint16),
    }
    found = arrays_of(save(tmp_path / "w.bin", arrays))
    assert list(found) == list(arrays)
    for name in ("a", "half", "ids"):
        assert found[name].dtype == arrays[name].dtype
        np.testing.assert_array_equal(found[name], arrays[name])
    np.testing.assert_array_equal(found["brain"], np.array([1.5, -2.25], np.float32))


def test_views_of_one_storage(tmp_path: Path) -> None:
    row = np.arange(12, dtype=np.float32)
    views = {
        "shared": tensor("0", "float32", 12, 0, (12,), (1,)),
        "offset": tensor("0", "float32", 12, 6, (2, 3), (3, 1)),
        "transposed": tensor("0", "float32", 12, 0, (3, 4), (1, 3)),
        "every other": tensor("0", "float32", 12, 1, (5,), (2,)),
        "scalar": tensor("0", "float32", 12, 7, (), ()),
        "one row": tensor("0", "float32", 12, 2, (1, 3), (99, 1)),
        "empty": tensor("0", "float32", 12, 0, (0, 3), (3, 1)),
    }
    path = archive(tmp_path / "w.bin", state_dict(views), {"0": row.tobytes()})
    found = arrays_of(path)
    np.testing.assert_array_equal(found["shared"], row)
    np.testing.assert_array_equal(found["offset"], [[6, 7, 8], [9, 10, 11]])
    np.testing.assert_array_equal(found["transposed"], row.reshape(4, 3).T)
    np.testing.assert_array_equal(found["every other"], [1, 3, 5, 7, 9])
    np.testing.assert_array_equal(found["one row"], [[2, 3, 4]])
    assert found["scalar"] == 7
    assert found["empty"].shape == (0, 3)
    copied = [name for name, tensor in pickles.read(path)[0].items() if not isinstance(tensor, Tensor)]
    assert copied == ["transposed", "every other"]


def test_a_parameter_a_wrapper_and_what_is_no_tensor(tmp_path: Path) -> None:
    plain = tensor("0", "float32", 1, 0, (1,), (1,))
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + plain + b"\x88ccollections\nOrderedDict\n)RtR"
    inner = b"}(" + word("w") + parameter + word("epoch") + number(3) + b"u"
    path = archive(
        tmp_path / "w.pt", state_dict({"state_dict": inner, "step": number(9)}), {"0": np.ones(1, "<f4").tobytes()}
    )
    tensors, others = pickles.read(path)
    assert list(tensors) == ["w"]
    assert others == ["epoch"]


def test_what_torch_saves_is_read(tmp_path: Path, two_engines: tuple) -> None:
    import torch

    layer = torch.nn.Linear(3, 2)
    content = dict(layer.state_dict()) | {
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "brain": torch.tensor([1.5, -2.25], dtype=torch.bfloat16),
        "parameter": torch.nn.Parameter(torch.full((2,), 3.0)),
        "flag": torch.tensor([True, False]),
    }
    torch.save(content, tmp_path / "w.bin")
    found = arrays_of(tmp_path / "w.bin")
    assert found.keys() == content.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, content[name].detach().to(torch.float32).numpy())


class Runs:
    """Unpickled in the ordinary way, it leaves a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_runs_a_program_is_refused_and_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    hostile = pickle.dumps({"w": Runs(proof)}, protocol=2)
    pickle.loads(hostile)
    assert proof.exists()  # the weapon works
    proof.unlink()
    path = archive(tmp_path / "pytorch_model.bin", hostile, {})
    with pytest.raises(CallError, match=r"its pickle asks for (posix|nt)\.system, which is no part of a tensor"):
        pickles.read(path)
    assert not proof.exists()


HOSTILE = {
    "builtins.eval": b"cbuiltins\neval\n" + b"(" + word("1") + b"tR",
    "torch.load": b"ctorch\nload\n",
    "torch._utils._import_dotted_name": b"ctorch._utils\n_import_dotted_name\n",
    "collections.OrderedDict.fromkeys": b"\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93",
    "numpy.core.multiarray._reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_other_name_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "w.bin", state_dict({"w": HOSTILE[name]}), {})
    with pytest.raises(CallError, match="nothing of it was run") as error:
        pickles.read(path)
    assert f"asks for {name}," in str(error.value)


REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
BROKEN = {
    "behind the storage": tensor("0", "float32", 4, 0, (5,), (1,)),
    "offset": tensor("0", "float32", 4, 4, (1,), (1,)),
    "negative offset": tensor("0", "float32", 4, -1, (1,), (1,)),
    "negative stride": tensor("0", "float32", 4, 3, (4,), (-1,)),
    "blown up": tensor("0", "float32", 4, 0, (1000, 1000), (0, 0)),
    "more than the storage has": tensor("0", "float32", 5, 0, (5,), (1,)),
    "no storage": tensor("7", "float32", 4, 0, (4,), (1,)),
    "ranks": tensor("0", "float32", 4, 0, (4,), (1, 1)),
    "a number for a storage": REBUILD + b"(K\x01K\x00(t(ttR",
    "too few": REBUILD + b"(K\x01tR",
    "state on a name": REBUILD + b"}(" + word("__call__") + number(1) + b"ub",
    "unknown persistent id": word("storage") + b"Q",
    "stack": b"RRRR",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_tensor_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "w.bin", state_dict({"w": BROKEN[name]}), {"0": b"\0" * 16})
    with pytest.raises(CallError, match="can't be read as a pickle of tensors"):
        pickles.read(path)


def test_a_dict_that_holds_itself_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "w.bin", b"\x80\x02}q\x00(" + word("me") + b"h\x00u.", {})
    with pytest.raises(CallError):
        pickles.read(path)


def test_no_attribute_of_a_name_can_be_set(tmp_path: Path) -> None:
    attack = REBUILD + b"N}(" + word("shape") + number(1) + b"u\x86b"
    with pytest.raises(CallError, match="it puts something into what is no dict"):
        pickles.read(archive(tmp_path / "w.bin", state_dict({"w": attack}), {}))


def test_the_older_format_is_refused_clearly(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with pytest.raises(CallError, match=r"torch's format from before 1\.6"):
        pickles.read(tmp_path / "w.bin")


def test_a_compressed_storage_is_refused(tmp_path: Path) -> None:
    item = state_dict({"w": tensor("0", "float32", 4, 0, (4,), (1,))})
    with pytest.raises(CallError, match="compressed"):
        pickles.read(archive(tmp_path / "w.bin", item, {"0": b"\0" * 16}, zipfile.ZIP_DEFLATED))


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    data = save(tmp_path / "w.bin", {"a": np.ones(3, np.float32)}).read_bytes()
    for length in range(len(data)):
        (tmp_path / "cut.bin").write_bytes(data[:length])
        with pytest.raises(CallError):
            pickles.read(tmp_path / "cut.bin")


@pytest.mark.parametrize("content", [b"\x80\x02].", b"\x80\x02}.", b"\x80\x02K\x01."])
def test_a_pickle_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CallError, match="expected a"):
        pickles.read(archive(tmp_path / "w.bin", content, {}))


@pytest.mark.parametrize("name", PICKLES)
def test_a_bomb_takes_no_more_than_its_file(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "w.bin", PICKLES[name], {"0": b"\0" * 16})
    tracemalloc.start()
    try:
        with pytest.raises(CallError):
            pickles.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_more_opcodes_than_a_checkpoint_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcodes, "MOST_OPCODES", 50)
    path = archive(tmp_path / "w.bin", b"\x80\x02" + b"}" * 50 + b".", {})
    with pytest.raises(CallError, match="it has more than 50 opcodes"):
        pickles.read(path)


def test_views_that_repeat_a_storage_are_refused(tmp_path: Path) -> None:
    views = {str(at): tensor("0", "float32", 400, 0, (20, 20), (1, 20 - at)) for at in range(9)}
    path = archive(tmp_path / "w.bin", state_dict(views), {"0": b"\0" * 1600})
    with pytest.raises(CallError, match="it repeats its numbers in views that would take 14,400 bytes"):
        pickles.read(path)


@pytest.mark.parametrize("entry", ["byteorder", "data.pkl"])
def test_a_compressed_entry_is_not_read(tmp_path: Path, entry: str) -> None:
    path = compressed_entry(tmp_path / "w.bin", entry)
    assert path.stat().st_size < 2**18
    tracemalloc.start()
    try:
        with pytest.raises(CallError, match="compressed"):
            pickles.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_directory_larger_than_a_checkpoint_s_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_DIRECTORY_BYTES", 2**12)
    with pytest.raises(CallError, match=r"its directory has [0-9,]+ bytes, expected at most 4,096"):
        pickles.read(endless_directory(tmp_path / "w.bin"))


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    plain = tensor("0", "float32", 1, 0, (1,), (1,))
    entries = b"ccollections\nOrderedDict\n(](](" + word("w") + plain + b"eetR."
    path = archive(tmp_path / "w.bin", b"\x80\x02" + entries, {"0": np.full(1, 7, "<f4").tobytes()})
    assert arrays_of(path)["w"] == 7
