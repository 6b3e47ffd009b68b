"""Changes that know a format: safetensors, tokenizers, JSON, rows of data, TOML; others in `binary_changes`."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzz import binary_changes, json_changes

Random = np.random.Generator


def _header(path: Path) -> tuple[dict, bytes] | None:
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0] if len(data) > 8 else 0
    try:
        return json.loads(data[8 : 8 + length]), data[8 + length :]
    except ValueError:
        return None


def _write(path: Path, header: str, data: bytes) -> None:
    text = header.encode("utf-8", "surrogatepass")
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def _safetensors(path: Path, random: Random) -> str | None:
    found = _header(path)
    if found is None:
        return None
    header, data = found
    names = [name for name in header if name != "__metadata__"]
    kind = int(random.integers(7))
    if kind <= 1 or not names:
        made = json_changes.changed(json.dumps(header), random)
        _write(path, made[0], data)
        return f"header: {made[1]}"
    entry = header[names[random.integers(len(names))]]
    other = header[names[random.integers(len(names))]]
    if kind == 2:
        entry["data_offsets"] = other["data_offsets"]
        said = "two tensors in one place"
    elif kind == 3:
        entry["shape"], entry["dtype"] = entry["shape"][::-1], ["F16", "F64", "I32", "BF16", "U8"][random.integers(5)]
        said = "another dtype"
    elif kind == 4:
        shift = int(random.choice([-8, -1, 1, 8, 2**31]))
        entry["data_offsets"] = [offset + shift for offset in entry["data_offsets"]]
        said = f"offsets moved by {shift}"
    elif kind == 5:
        header["__metadata__"] = [{"a": 1}, [], "x", {"format": "pt", "b": ["c"]}, {"a": "x" * 10**6}][
            random.integers(5)
        ]
        said = "metadata"
    else:
        first, last = entry["data_offsets"]
        value = [np.nan, np.inf, -np.inf, 3e38, 1e-40, 0, -1][random.integers(7)]
        numbers = bytearray(data)
        numbers[first:last] = np.full((last - first) // 4, value, np.float32).tobytes().ljust(last - first, b"\0")
        data, said = bytes(numbers), f"numbers are {value}"
    _write(path, json.dumps(header), data)
    return said


def _tokenizer(path: Path, random: Random) -> str | None:
    try:
        content = json.loads(path.read_text())
        kind = int(random.integers(8))
        ids = [120, 121, 5000, 2**31 - 1, 2**32 - 1, 10**9]
        if kind == 0:
            content["added_tokens"] = [_added(f"[N{at}]", int(ids[random.integers(6)]) + at) for at in range(3)]
            return _put(path, content, "added tokens far away")
        if kind == 1:
            special = next(iter(content["post_processor"]["special_tokens"].values()))
            special["ids"] = [ids[random.integers(6)]] * int(random.choice([1, 2, 3000]))
            return _put(path, content, f"ids of a special token {special['ids'][:2]}")
        if kind == 2:
            content["post_processor"]["single"] *= int(random.choice([2, 30, 3000]))
            return _put(path, content, "special tokens without end")
        if kind == 3:
            deep = content["pre_tokenizer"]
            for _ in range(int(random.choice([3, 100, 2000]))):
                deep = {"type": "Sequence", "pretokenizers": [deep]}
            content["pre_tokenizer"] = deep
            return _put(path, content, "a deep pre-tokenizer")
        if kind == 4:
            content["truncation"] = {"direction": "Left", "max_length": 1, "strategy": "LongestFirst", "stride": 5}
            content["padding"] = {"strategy": {"Fixed": 99999}, "direction": "Left", "pad_to_multiple_of": 8}
            content["padding"] |= {"pad_id": 3, "pad_type_id": 7, "pad_token": "x"}
            return _put(path, content, "truncation and padding of its own")
        if kind == 5:
            content["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "a b" * 1000}
            return _put(path, content, "a normalizer that multiplies")
    except (ValueError, KeyError, TypeError, StopIteration, AttributeError):
        pass
    made = json_changes.changed(path.read_text(errors="replace"), random)
    if made is None:
        return None
    path.write_text(made[0])
    return made[1]


def _added(token: str, id: int) -> dict:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id, "content": token, **flags, "special": True}


def _put(path: Path, content: object, said: str) -> str:
    path.write_text(json.dumps(content))
    return said


def _json(path: Path, random: Random) -> str | None:
    made = json_changes.changed(path.read_text(errors="replace"), random)
    if made is None:
        return None
    path.write_text(made[0], encoding="utf-8", errors="surrogatepass")
    return made[1]


def _lines(path: Path, random: Random) -> str | None:
    """One row of JSON lines, or of text, changed."""
    lines = path.read_text(errors="replace").splitlines()
    if not lines:
        return None
    at = int(random.integers(len(lines)))
    made = json_changes.changed(lines[at], random) if lines[at].startswith("{") else None
    if made is None:
        odd = [
            "",
            "\0",
            "\x1b[31m",
            '"',
            "\ud800",
            "é" * 3000,
            "\u2028",
            "a," * 5000,
            '"' * 99,
            "x " * 60_000,
            "\r",
            "\ufeff",
        ]
        where = int(random.integers(len(lines[at]) + 1))
        made = lines[at][:where] + odd[random.integers(len(odd))] + lines[at][where:], "an odd character"
    lines[at] = made[0]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    return f"line {at + 1}: {made[1]}"


def _toml(path: Path, random: Random) -> str:
    lines = path.read_text(errors="replace").splitlines()
    at = int(random.integers(len(lines) or 1))
    values = (
        "-1",
        "0",
        "1e999",
        "nan",
        '""',
        "[]",
        "{a = 1}",
        "true",
        '"x"',
        "[[1]]",
        "1979-05-27",
        "9" * 4000,
        '"4x999999999"',
    )
    key = lines[at].partition("=")[0] if lines else "model"
    lines[at : at + 1] = [f"{key}= {values[random.integers(len(values))]}"]
    if random.random() < 0.2:
        lines.append("[" * 3000)
    path.write_text("\n".join(lines))
    return f"{lines[at]:.60}"


CHANGES: dict[str, Callable[[Path, Random], str | None]] = {
    ".safetensors": _safetensors,
    ".json": _json,
    ".jsonl": _lines,
    ".txt": _lines,
    ".csv": _lines,
    ".tsv": _lines,
    ".py": _lines,
    ".bin": binary_changes.zip,
    ".db": binary_changes.sqlite,
    ".onnx": binary_changes.onnx,
    ".npy": binary_changes.numpy,
    ".gguf": binary_changes.gguf,
    ".toml": _toml,
}


def changed(path: Path, random: Random) -> str | None:
    """Change one file in the way of its format; what was done, None where it has none that is known."""
    change = _tokenizer if path.name == "tokenizer.json" else CHANGES.get(path.suffix)
    return change(path, random) if change else None
