"""GGUF files for the tests, written value by value: metadata of plain Python, tensors of NumPy or of blocks."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KINDS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q8_0": 8, "Q4_K": 12, "Q6_K": 14, "I32": 26, "BF16": 30}
ARRAYS = {"f": 6, "i": 5, "u": 4, "b": 7}


@dataclass(frozen=True)
class Blocks:
    """A tensor of a quantized type: its name, NumPy's shape, and its bytes."""

    kind: str
    shape: tuple[int, ...]
    data: bytes


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(given: object) -> bytes:
    """A value with its type before it."""
    if isinstance(given, bool):
        return struct.pack("<IB", 7, given)
    if isinstance(given, int):
        return struct.pack("<Ii", 5, given) if given < 0 else struct.pack("<II", 4, given)
    if isinstance(given, float):
        return struct.pack("<If", 6, given)
    if isinstance(given, (str, bytes)):
        return struct.pack("<I", 8) + text(given)
    if isinstance(given, np.ndarray):
        kind = 0 if given.dtype == np.uint8 else ARRAYS[given.dtype.kind]
        return struct.pack("<IIQ", 9, kind, len(given)) + given.tobytes()
    return struct.pack("<IIQ", 9, 8, len(given)) + b"".join(map(text, given))


def content(
    metadata: Mapping[str, object],
    tensors: Mapping[str, np.ndarray | Blocks],
    *,
    version: int = 3,
    alignment: int = 32,
    offsets: Mapping[str, int] | None = None,
) -> bytes:
    """The bytes of a file; `offsets` are put in the place of the right ones."""
    entries, data = [], b""
    for name, tensor in tensors.items():
        kind = tensor.kind if isinstance(tensor, Blocks) else {"f4": "F32", "f2": "F16"}[tensor.dtype.str[1:]]
        offset = (offsets or {}).get(name, len(data))
        shape = tensor.shape[::-1]
        entries.append(
            text(name)
            + struct.pack(
                f"<I{len(shape)}QIQ", len(shape), *shape, KINDS.get(kind, kind if type(kind) is int else 99), offset
            )
        )
        own = tensor.data if isinstance(tensor, Blocks) else tensor.tobytes()
        data += own + b"\0" * (-len(own) % alignment)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(text(key) + value(given) for key, given in metadata.items()) + b"".join(entries)
    return head + b"\0" * (-len(head) % alignment) + data


def write(
    path: Path, metadata: Mapping[str, object], tensors: Mapping[str, np.ndarray | Blocks], **how: object
) -> Path:
    path.write_bytes(content(metadata, tensors, **how))
    return path


def byte_pairs(pre: str = "gpt-2") -> dict[str, object]:
    """The words of a tiny byte-level tokenizer: an end, a turn, every byte, and a few merges."""
    from tokenizers import pre_tokenizers

    merges = ["t h", "th e", "Ġ the", "i n", "a n", "an d", "Ġ and", "Ġ a", "o r", "s o", "so r", "sor t"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<|end|>", "<|turn|>", *letters, *(merge.replace(" ", "") for merge in merges)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": np.array([3, 3, *[1] * (len(words) - 2)], np.int32),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.chat_template": "{% for message in messages %}{{ message['content'] }}<|turn|>{% endfor %}",
    }


WORDS = len(byte_pairs()["tokenizer.ggml.tokens"])
LLAMA = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "llama.block_count": 2,
    "llama.context_length": 64,
    "llama.embedding_length": 32,
    "llama.feed_forward_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.rope.freq_base": 5000.0,
    "llama.rope.dimension_count": 8,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.vocab_size": WORDS,
}


def llama_tensors(seed: int = 0, *, tied: bool = True) -> dict[str, np.ndarray]:
    """Random tensors of a tiny llama, by the names of GGUF."""
    shapes = {"token_embd": (WORDS, 32), "output_norm": (32,)} | ({} if tied else {"output": (WORDS, 32)})
    layer = {"attn_norm": (32,), "attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32)}
    layer |= {"ffn_norm": (32,), "ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64)}
    shapes |= {f"blk.{at}.{name}": shape for at in range(2) for name, shape in layer.items()}
    random = np.random.default_rng(seed)
    return {
        f"{name}.weight": (random.standard_normal(shape) * 0.2 + ("norm" in name)).astype(np.float32)
        for name, shape in shapes.items()
    }


def llama(path: Path, **changes: object) -> Path:
    """A whole file of a tiny llama; `changes` of its metadata, a value of None leaves a key out."""
    said = LLAMA | byte_pairs() | {key.replace("__", "."): given for key, given in changes.items()}
    return write(path, {key: given for key, given in said.items() if given is not None}, llama_tensors())
