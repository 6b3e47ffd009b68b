"""Changes inside formats of bytes that stay whole: torch's zip and its pickle, ONNX, SQLite, NumPy's, GGUF."""

import re
import sqlite3
import struct
import zipfile
from pathlib import Path

import bombs
import numpy as np

Random = np.random.Generator


def zip(path: Path, random: Random) -> str | None:
    """A pickle's opcodes changed inside a whole archive, or a bomb in their place."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, ValueError):
        return None
    name = next(name for name in entries if name.endswith("data.pkl"))
    pickle, said = bytearray(entries[name]), "pickle: opcodes changed"
    kind = int(random.integers(4))
    if kind == 0:
        chosen = sorted(bombs.PICKLES)[random.integers(len(bombs.PICKLES))]
        pickle, said = bombs.PICKLES[chosen], f"pickle: {chosen}"
    elif kind == 1:
        where = int(random.integers(len(pickle)))
        pickle[where:where] = [b"}", b"(", b"R", b"b", b"0", b"cos\nsystem\n", b"r\xff\xff\xff\xff", b"2", b"."][
            random.integers(9)
        ]
    else:
        for _ in range(int(random.choice([1, 2, 9]))):
            pickle[random.integers(len(pickle))] = int(random.integers(256))
    entries[name] = bytes(pickle)
    compression = zipfile.ZIP_DEFLATED if random.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, data in entries.items():
            if random.random() > 0.01:
                archive.writestr(entry, data)
    return said


def onnx(path: Path, random: Random) -> str | None:
    """One initializer or node changed in a graph that stays whole."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    tensors, nodes = model.graph.initializer, model.graph.node
    tensor, node = tensors[random.integers(len(tensors))], nodes[random.integers(len(nodes))]
    kind = int(random.integers(8))
    if kind == 0:
        tensor.dims[:] = [[-1, -tensor.dims[0]], [2**40, 0], [0], [1] * 70, [2**62, 4], []][random.integers(6)]
        said = f"{tensor.name}: dims {list(tensor.dims)[:3]}"
    elif kind == 1:
        tensor.data_type = int(random.integers(30))
        said = f"{tensor.name}: data type {tensor.data_type}"
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: int(random.integers(len(tensor.raw_data) + 1))]
        said = f"{tensor.name}: raw data cut"
    elif kind == 3:
        tensor.data_location = tensor.EXTERNAL
        values = ("config.json", "../x", "/etc/passwd", "", "a" * 5000, "a\0b", "model.onnx", ".", "tokenizer.json")
        entries = {
            "location": values[random.integers(len(values))],
            "offset": ["0", "-1", "x", "9" * 30][random.integers(4)],
        }
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        said = f"{tensor.name}: external {entries}"
    elif kind == 4:
        tensor.name = ["", "a", "encoder..weight", nodes[0].output[0], "x" * 5000, "a.b/c::d"][random.integers(6)]
        said = f"a tensor renamed to {tensor.name!r:.30}"
    elif kind == 5 and node.input:
        node.input[0] = [node.output[0], tensor.name, "", "nothing"][random.integers(4)]
        said = f"{node.name}: another input"
    elif kind == 6:
        node.op_type = ["Constant", "Identity", "MatMul", "Gemm", "DequantizeLinear", ""][random.integers(6)]
        said = f"{node.name}: is {node.op_type}"
    else:
        del node.input[:]
        said = f"{node.name}: without inputs"
    path.write_bytes(model.SerializeToString())
    return said


SQL = (
    "create view endless as with recursive n(x) as (select 1 union all select x + 1 from n) "
    "select x as anchor, x as positive from n",
    "alter table pairs rename column anchor to other",
    "insert into pairs values (null, x'00ff')",
    "insert into pairs values (1.5, 7)",
    "insert into pairs values (cast(x'ff' as text), 'b')",
    "create table another (anchor, positive, score)",
    "drop table pairs",
    "insert into pairs values (zeroblob(100000000), 'b')",
    "update pairs set anchor = '' where rowid = 2",
    "alter table pairs add column negative",
    'create table "a b\'c" (anchor text, positive text)',
)


def sqlite(path: Path, random: Random) -> str | None:
    statement = SQL[random.integers(len(SQL))]
    try:
        with sqlite3.connect(path) as base:
            base.execute(statement)
        base.close()
    except sqlite3.Error:
        return None
    return statement


def numpy(path: Path, random: Random) -> str:
    """NumPy's header: a shape, dtype or order that its bytes do not have."""
    headers = (
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '|O', 'shape': (3,)}",
    )
    headers += (
        "{'descr': '<f8', 'fortran_order': True, 'shape': (-1,), }",
        "(" * 500,
        "{'descr': [('a','<i4')], 'fortran_order': False, 'shape': (2,), }",
    )
    text = headers[random.integers(len(headers))].encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + path.read_bytes()[128:])
    return "another header"


def gguf(path: Path, random: Random) -> str:
    """A type, a value, a count, a shape or an offset of GGUF's header: the bytes behind a name, or those before it."""
    data = bytearray(path.read_bytes())
    names = list(re.finditer(rb"(general|llama|tokenizer|blk|token_embd|output)[a-z0-9_.]*", bytes(data[:20_000])))
    found = names[random.integers(len(names))]
    width = int(random.choice([1, 4, 8]))
    at = (
        found.start() - 8
        if random.random() < 0.2
        else found.end() + int(random.choice([0, 0, 4, 4, 8, 12, 20, 24, 28]))
    )
    number = [0, 1, 2, 3, 8, 9, 33, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**64 - 1][random.integers(12)]
    data[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
    path.write_bytes(data)
    return f"{found[0].decode()}: {number} in {width} bytes {at - found.end():+} from it"
