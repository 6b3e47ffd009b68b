"""An ONNX export's initializers as a checkpoint's tensors, under the checkpoint's names and the right way round.

Exporters transpose what a MatMul takes and call it `onnx::MatMul_1234` or `val_54`: its name is that of the module
whose node takes it, or of the bias added next. The graph is looked at, never run.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.convert.names import summary
from mlx_metaembed.errors import CallError, faults, missing_extra
from mlx_metaembed.files.safetensors import ITEM_BYTES, MOST_DIMENSIONS, NUMPY_DTYPES, Tensor, read_tensor

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

DTYPES = {1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64"}
DTYPES |= {12: "U32", 13: "U64", 16: "BF16"}
"""ONNX's numbers for dtypes and safetensors' words."""
QUANTIZED = ("Quantize", "Integer", "QLinear", "NBits", "QAttention", "QGemm", "QEmbed")
"""Parts of the names of operators that take or make quantized numbers."""
QUOTED = re.compile(r"'([^']*)'")
PRODUCTS = ("MatMul", "Gemm")
TAKES = {"Constant": (0,), "Identity": (1,), "Add": (2,), "MatMul": (2,), "Gemm": (2, 3)}
"""How many inputs those operators have that a name is taken from."""
FOLDERS = ("onnx", "")
"""Where a model folder has its `model.onnx`, the likelier first."""
Found = dict[str, Tensor | np.ndarray]


def file_of(folder: Path) -> Path | None:
    """The folder's ONNX export in full precision; None where there is none."""
    paths = (folder / where / "model.onnx" for where in FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def folder_of(path: Path) -> Path:
    """The model folder that an ONNX file belongs to: the one above where it lies in `onnx`."""
    inner = path.parent.name == "onnx" and not (path.parent / "config.json").is_file()
    return path.parent.parent if inner else path.parent


def read(path: Path) -> tuple[Found, list[str]]:
    """The weights of an ONNX file by the checkpoint's names, and the names of floating constants that are none.

    Numbers in a file beside it stay there until they are read. Raises CallError where the package onnx is missing, the
    file is no ONNX model or is cut short, is quantized or fused for a runtime, or a matrix can't be named.
    """
    graph = _graph(path)
    _require_text(path, graph)
    _require_whole(path, graph)
    _require_plain(path, graph)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    # Some exporters write small or folded matrices as nodes.
    tensors |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value" and len(attribute.t.dims) == 2
    }
    placed: dict[str, tuple[str, bool]] = {}
    nameless, used = [], set()
    for name, source, turned in _names(graph, tensors):
        used.add(source)
        if name is None or placed.get(name, (source, turned)) != (source, turned):
            nameless.append(f"{source} {tuple(tensors[source].dims)}" + (f": {name} is another's" if name else ""))
        else:
            placed[name] = (source, turned)
    if nameless:
        raise faults(
            f"{path} has matrices without a name: neither their nodes nor a bias beside them say whose they are.",
            nameless,
            "Export it anew with a recent torch, or convert the safetensors that it came from.",
        )
    placed |= {name: (name, False) for name in tensors if name not in used and _is_named(name)}
    found = {name: _array(path, tensors[source], turned) for name, (source, turned) in placed.items()}
    if not found:
        raise CallError(f"{path} holds no weights; fetch it again")
    left = [
        name
        for name, tensor in tensors.items()
        if name not in used
        and not _is_named(name)
        and tensor.data_type in (1, 10, 11, 16)
        and math.prod(tensor.dims) > 1
    ]
    return found, left


def _graph(path: Path) -> "GraphProto":
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise missing_extra("onnx", "onnx", f"Reading {path.name}") from None
    with path.open("rb") as file:
        if file.read(8) == b"version ":
            raise CallError(f"{path} is a pointer that git-lfs left, not the weights; fetch them with: git lfs pull")
    try:
        return onnx.load(str(path), format="protobuf", load_external_data=False).graph
    except DecodeError:
        raise CallError(
            f"{path} is truncated or is no ONNX model ({path.stat().st_size:,} bytes); fetch it again"
        ) from None


def _require_text(path: Path, graph: "GraphProto") -> None:
    """Raise CallError where a name is not UTF-8; protobuf lets it through, as bytes or as an error of its own."""
    try:
        texts = [text for node in graph.node for text in (node.name, node.op_type, node.domain, *node.input)]
        texts += [text for node in graph.node for text in (*node.output, *(each.name for each in node.attribute))]
        entries = [entry for node in graph.node for entry in node.metadata_props]
        for tensor in graph.initializer:
            texts.append(tensor.name)
            entries += tensor.external_data
        texts += [text for entry in entries for text in (entry.key, entry.value)]
    except UnicodeDecodeError as error:
        texts = [error.object]
    if wrong := next((text for text in texts if not isinstance(text, str)), None):
        raise CallError(f"{path} has a name that is not UTF-8 text ({wrong!r:.60}); it is damaged, fetch it again")


def _require_whole(path: Path, graph: "GraphProto") -> None:
    """Raise CallError where a node that is looked at lacks what it takes or gives."""
    wrong = [
        f"{node.op_type} {node.name!r:.60} has {len(node.input)} inputs and {len(node.output)} outputs"
        for node in graph.node
        if node.op_type in TAKES and (len(node.input) not in TAKES[node.op_type] or len(node.output) != 1)
    ]
    if wrong:
        raise faults(f"{path} has nodes that can't be:", wrong, "It is damaged, fetch it again.")


def _require_plain(path: Path, graph: "GraphProto") -> None:
    """Raise CallError where the weights are no longer the checkpoint's: quantized, or fused for a runtime."""
    quantized = sorted({node.op_type for node in graph.node if any(part in node.op_type for part in QUANTIZED)})
    if quantized:
        raise CallError(
            f"{path} is quantized (its operators: {summary(quantized)}): what quantization took off its weights can't "
            "be had back. Take the export in full precision, model.onnx or model_fp16.onnx, or the safetensors"
        )
    fused = sorted(
        {node.op_type for node in graph.node if node.domain not in ("", "ai.onnx", "pkg.onnxscript.torch_lib")}
    )
    if fused:
        raise CallError(
            f"{path} was optimised for a runtime (its operators: {summary(fused)}), which joins weights of several "
            "layers; take the export before optimisation, mostly model.onnx, or the safetensors"
        )


def _names(graph: "GraphProto", tensors: Mapping[str, "TensorProto"]) -> Iterator[tuple[str | None, str, bool]]:
    """Of each use that tells a weight's name or side: the name (None: unknown), the initializer, whether to turn it.

    Tensors with the same numbers may stand there once: then Identity gives the others' names, or their modules do.
    """
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    same = {name: source for name, source in same.items() if source in tensors}
    uses = Counter(name for node in graph.node for name in node.input if name in tensors)
    added = _biases(graph, {*tensors, *same})
    # What a product takes has its own side, see below.
    taken = {node.input[1] for node in graph.node if node.op_type in PRODUCTS and len(node.input) > 1}
    for name in {*same, *same.values()} - taken:
        if _is_named(name):
            yield name, same.get(name, name), False
    for node in graph.node:
        scope = _scope(node)
        for source in node.input:
            kind = source.rpartition(".")[2]
            if uses[source] > 1 and len(tensors[source].dims) == 1 and _is_named(source) and kind in ("weight", "bias"):
                yield source, source, False
                if scope and f"{scope}.{kind}" not in tensors:
                    yield f"{scope}.{kind}", source, False
        if node.op_type not in PRODUCTS or len(node.input) < 2:
            continue
        source = same.get(node.input[1], node.input[1])
        if source not in tensors or len(tensors[source].dims) != 2:
            continue
        turned = not any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if _is_named(node.input[1]):
            yield node.input[1], source, turned
            continue
        bias = node.input[2] if len(node.input) > 2 else added.get(node.output[0], "")
        beside = bias.removesuffix(".bias") if _is_named(bias) and bias.endswith(".bias") else ""
        # The node's own module first: a bias may stand for others with the same numbers.
        yield (f"{scope or beside}.weight" if scope or beside else None), source, turned


def _biases(graph: "GraphProto", known: set[str]) -> dict[str, str]:
    """The name of the stored tensor that is added to a value, by the value's name."""
    pairs = [node.input for node in graph.node if node.op_type == "Add"]
    return {value: bias for pair in pairs for value, bias in (pair, reversed(pair)) if bias in known}


def _scope(node: "NodeProto") -> str:
    """The dotted name of the module that a node was made from; empty where the exporter left none."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            # The modules from the outermost in, and the operation last.
            return next(iter(QUOTED.findall(entry.value)[-2:-1]), "")
    steps = node.name.split("/")
    return ".".join(steps[1:-1]) if node.name.startswith("/") else ""


def _is_named(name: str) -> bool:
    """Whether an initializer has a name of the checkpoint's, not one that an exporter made."""
    return "." in name and "/" not in name and "::" not in name


def _array(path: Path, tensor: "TensorProto", turned: bool) -> Tensor | np.ndarray:
    """One initializer's numbers; those in another file stay there, unless they have to be turned."""
    dtype, shape = DTYPES.get(tensor.data_type), tuple(tensor.dims)
    if dtype is None:
        raise CallError(f"{path}: {tensor.name} has a dtype that is not supported (ONNX's number {tensor.data_type})")
    if len(shape) > MOST_DIMENSIONS or not all(0 <= length < 2**31 for length in shape):
        raise CallError(f"{path}: {tensor.name} has a shape that can't be: {shape!s:.80}; fetch it again")
    if tensor.data_location == tensor.EXTERNAL:
        stored = _external(path, tensor, dtype, shape)
        return np.ascontiguousarray(read_tensor(stored).T) if turned else stored
    array = _inside(tensor, dtype)
    if array.size != math.prod(shape):
        raise CallError(f"{path}: {tensor.name} has {array.size} numbers for shape {shape}; fetch it again")
    array = array.reshape(shape)
    return np.ascontiguousarray(array.T) if turned else array


def _inside(tensor: "TensorProto", dtype: str) -> np.ndarray:
    """The numbers in a row that lie in the file itself, bfloat16 as float32."""
    from onnx import numpy_helper

    if tensor.raw_data and dtype == "BF16":
        return (np.frombuffer(tensor.raw_data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    if tensor.raw_data:
        whole = len(tensor.raw_data) // ITEM_BYTES[dtype] * ITEM_BYTES[dtype]
        return np.frombuffer(tensor.raw_data[:whole], NUMPY_DTYPES[dtype])
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError):
        return np.zeros(0)
    return np.asarray(array, np.float32 if dtype == "BF16" else NUMPY_DTYPES[dtype]).reshape(-1)


def _external(path: Path, tensor: "TensorProto", dtype: str, shape: tuple[int, ...]) -> Tensor:
    """Where a tensor lies in a file beside the ONNX file. Raises CallError where it would lie elsewhere, or is cut."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    where = PurePosixPath(entries.get("location", ""))
    if not where.parts or where.is_absolute() or ".." in where.parts or "\\" in str(where):
        raise CallError(f"{path} is refused: {tensor.name} is said to lie in {str(where)!r}, outside its folder")
    data = path.parent / where
    if not data.is_file():
        raise CallError(f"{path} keeps its weights in {where}, which is missing; fetch it into {path.parent}")
    size = math.prod(shape) * ITEM_BYTES[dtype]
    try:
        start, length = int(entries.get("offset", 0)), int(entries.get("length", size))
    except ValueError:
        start = length = -1
    if start < 0 or length != size or start + size > data.stat().st_size:
        raise CallError(
            f"{data} is truncated or belongs to another file: {tensor.name} needs {size:,} bytes from {start:,}, "
            f"it has {data.stat().st_size:,}; fetch it again"
        )
    return Tensor(data, dtype, shape, start, start + size)
