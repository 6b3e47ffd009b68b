"""ONNX exports in: the bits of the safetensors, whatever the exporter called them, and nothing of the file run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from calls import refused, run
from golden_variants import altered
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data
from states import GOLDEN

from mlx_metaembed.convert import convert
from mlx_metaembed.convert import onnx as exports
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors

STORED = sorted((GOLDEN / "onnx").glob("*.onnx"))


def exported(out: Path, family: str, file: Path, where: str = "onnx/model.onnx") -> Path:
    """A golden folder whose only weights are an ONNX file."""
    shutil.copytree(GOLDEN / family, out, ignore=shutil.ignore_patterns("model.safetensors", "expected.npz"))
    (out / where).parent.mkdir(exist_ok=True)
    shutil.copyfile(file, out / where)
    return out


def same_bits(out: Path, source: Path, optional: str = "pooler.") -> None:
    """A trunk's weights are those of the source; what an export of token states leaves out may lack."""
    found, expected = (safetensors.read(path / "model.safetensors") for path in (out, source))
    expected = {name: array for name, array in expected.items() if not name.startswith(optional)}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("where", ["onnx/model.onnx", "model.onnx"])
@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_a_stored_export_gives_the_bits_of_the_safetensors(tmp_path: Path, file: Path, where: str):
    source = exported(tmp_path / "source", "bert", file, where)
    run("convert", source, tmp_path / "out")
    same_bits(tmp_path / "out", GOLDEN / "bert")
    run("convert", source / where, tmp_path / "single")
    same_bits(tmp_path / "single", GOLDEN / "bert")


def test_both_exporters_are_stored():
    assert [file.stem for file in STORED] == ["bert-dynamo", "bert-legacy"]


@pytest.mark.parametrize("wrapper", ["", "auto_model"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "xlm-roberta", "mpnet", "modernbert", "qwen3", "t5"])
def test_an_export_of_today_gives_the_bits_of_the_safetensors(
    torch_engine: str, tmp_path: Path, family: str, wrapper: str
):
    from golden.make_onnx import export

    file = export(GOLDEN / family, tmp_path / "model.onnx", "legacy", wrapper)
    convert(exported(tmp_path / "source", family, file), tmp_path / "out")
    same_bits(tmp_path / "out", GOLDEN / family)


def test_constants_that_an_exporter_wrote_once_come_back_under_every_name(exporter: str, tmp_path: Path):
    def untrained(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [name for name in arrays if "query" in name]
        plain = {
            name: np.full_like(array, name.endswith("weight")) for name, array in arrays.items() if array.ndim == 1
        }
        return arrays | plain | dict.fromkeys((name for name in names if arrays[name].ndim == 2), arrays[names[0]])

    from golden.make_onnx import export

    source = altered(tmp_path / "untrained", "bert", change=untrained)
    file = export(source, tmp_path / "model.onnx", exporter)
    convert(exported(tmp_path / "source", "bert", file), tmp_path / "out")
    same_bits(tmp_path / "out", source)


def changed(path: Path, change: Callable[[onnx.ModelProto], None], file: Path = STORED[1]) -> Path:
    """The golden BERT with an ONNX file that was changed."""
    source = exported(path, "bert", file)
    model = onnx.load(source / "onnx/model.onnx")
    change(model)
    onnx.save(model, source / "onnx/model.onnx")
    return source


def test_numbers_in_a_file_beside_it(tmp_path: Path):
    def outside(model: onnx.ModelProto) -> None:
        convert_model_to_external_data(model, location="model.onnx_data", size_threshold=100)

    source = changed(tmp_path / "source", outside)
    assert (source / "onnx/model.onnx_data").stat().st_size > 80_000
    convert(source, tmp_path / "out")
    same_bits(tmp_path / "out", GOLDEN / "bert")
    (source / "onnx/model.onnx_data").write_bytes((source / "onnx/model.onnx_data").read_bytes()[:-1])
    assert "model.onnx_data is truncated or belongs to another file" in refused("convert", source, tmp_path / "cut")
    (source / "onnx/model.onnx_data").unlink()
    assert "keeps its weights in model.onnx_data, which is missing" in refused("convert", source, tmp_path / "cut")
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "", "..\\secret"])
def test_numbers_outside_the_folder_are_refused(tmp_path: Path, location: str):
    (tmp_path / "secret").write_bytes(b"\0" * 1_000_000)

    def elsewhere(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    source = exported(tmp_path / "source", "bert", STORED[1])
    model = onnx.load(source / "onnx/model.onnx")
    elsewhere(model)
    (source / "onnx/model.onnx").write_bytes(model.SerializeToString())
    assert "outside its folder" in refused("convert", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def without_scopes(model: onnx.ModelProto) -> None:
    for at, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{at}"
        del node.metadata_props[:]


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_without_scopes_the_bias_beside_a_matrix_names_it(tmp_path: Path, file: Path):
    convert(changed(tmp_path / "source", without_scopes, file), tmp_path / "out")
    same_bits(tmp_path / "out", GOLDEN / "bert")


def test_a_matrix_under_its_own_name_is_turned_where_a_product_takes_it(tmp_path: Path):
    def renamed(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == "MatMul" and node.input[1].startswith("onnx::"):
                name = ".".join(node.name.split("/")[1:-1]) + ".weight"
                tensor = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[1])
                tensor.name = node.input[1] = name

    convert(changed(tmp_path / "source", renamed), tmp_path / "out")
    same_bits(tmp_path / "out", GOLDEN / "bert")


def test_half_precision_stays(tmp_path: Path):
    def halved(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype == np.float32:
                tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), tensor.name))

    found = convert(changed(tmp_path / "source", halved), tmp_path / "out")
    assert found.config["dtype"] == "float16"
    expected = safetensors.read(GOLDEN / "bert/model.safetensors")
    for name, array in safetensors.read(tmp_path / "out/model.safetensors").items():
        np.testing.assert_array_equal(array, expected[name].astype(np.float16))


def nameless(model: onnx.ModelProto) -> None:
    without_scopes(model)
    for node in model.graph.node:
        if node.op_type == "Add":
            node.op_type = "Sub"


def quantized(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("MatMulInteger", ["a", "b"], ["c"]))


def fused(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("SkipLayerNormalization", ["a", "b"], ["c"], domain="com.microsoft"))


def shortened(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-2]


def two_of_one_name(model: onnx.ModelProto) -> None:
    names = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.name.endswith("query/MatMul")]
    for node in model.graph.node:
        if node.name == names[1]:
            node.name = names[0]


def empty(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    del model.graph.initializer[:]


BAD = {
    nameless: "has matrices without a name",
    two_of_one_name: "encoder.layer.0.attention.self.query.weight is another's",
    quantized: "is quantized (its operators: MatMulInteger): what quantization took off its weights can't be had back",
    fused: "was optimised for a runtime (its operators: SkipLayerNormalization)",
    shortened: "fetch it again",
    empty: "holds no weights; fetch it again",
}


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
def test_a_file_that_can_not_be_taken_is_named_and_leaves_nothing(tmp_path: Path, change: Callable):
    source = changed(tmp_path / "source", change)
    assert BAD[change] in refused("convert", source, tmp_path / "out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("content", [b"no protobuf at all", b"version https://git-lfs.github.com/spec/v1\n", b""])
def test_a_file_that_is_no_export(tmp_path: Path, content: bytes):
    source = exported(tmp_path / "source", "bert", STORED[1])
    (source / "onnx/model.onnx").write_bytes(content)
    assert "fetch" in refused("convert", source, tmp_path / "out")


def test_a_cut_file_is_refused_at_any_length(tmp_path: Path):
    data, path = STORED[1].read_bytes(), tmp_path / "model.onnx"
    whole, _ = exports.read(STORED[1])
    for length in range(0, len(data), 997):
        path.write_bytes(data[:length])
        try:
            found, _ = exports.read(path)
        except CallError:
            continue
        assert found.keys() < whole.keys()


def test_the_package_that_reads_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(CallError, match=r"Reading model\.onnx needs onnx.*Install it with: pip install .*\[onnx\]"):
        convert(exported(tmp_path / "source", "bert", STORED[1]), tmp_path / "out")


def test_an_engine_sends_an_export_to_convert(tmp_path: Path):
    source = exported(tmp_path / "source", "bert", STORED[1])
    assert f"Bring it in with: metaembed convert {source} OUT" in refused("embed", source, "x", "--engine", "mlx")


NAMES = {
    "scope of a node": b"pkg.torch.onnx.name_scopes",
    "operator": b"MatMul",
    "tensor": b"embeddings.word_embeddings.weight",
    "input": b"encoder.layer.0.attention.output.dense.bias",
}


@pytest.mark.parametrize("what", NAMES)
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, what: str):
    source = exported(tmp_path / "source", "bert", GOLDEN / "onnx/bert-dynamo.onnx")
    file, name = source / "onnx/model.onnx", NAMES[what]
    file.write_bytes(file.read_bytes().replace(name, b"\xff" + name[1:]))
    message = refused("convert", source, tmp_path / "out")
    assert "has a name that is not UTF-8 text (b" in message and "\\xff" in message


def test_a_node_without_its_inputs_is_refused(tmp_path: Path):
    tensor = numpy_helper.from_array(np.zeros((2, 2), np.float32), "a.weight")
    nodes = [helper.make_node(kind, ["a.weight"] * many, ["b"] * (kind != "Constant")) for kind, many in LACKING]
    model = helper.make_model(helper.make_graph(nodes, "graph", [], [], initializer=[tensor]))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CallError, match="has nodes that can't be") as error:
        exports.read(tmp_path / "model.onnx")
    assert "- Identity '' has 0 inputs and 1 outputs" in str(error.value)
    assert str(error.value).count("  - ") == len(LACKING)


LACKING = (("Identity", 0), ("MatMul", 1), ("Gemm", 1), ("Add", 3), ("Constant", 0))


@pytest.mark.parametrize("shape", [(-16, -2), (2**40, 0), (1,) * 40])
def test_a_shape_that_cannot_be_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    tensor = TensorProto(name="a.weight", data_type=TensorProto.FLOAT, dims=shape, raw_data=bytes(128))
    model = helper.make_model(helper.make_graph([], "graph", [], [], initializer=[tensor]))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(CallError, match=r"a\.weight has a shape that can't be: \("):
        exports.read(tmp_path / "model.onnx")
