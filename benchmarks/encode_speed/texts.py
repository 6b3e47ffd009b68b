"""What every contestant encodes, docstrings and functions in turn, and what it answers."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks import program, rows
from benchmarks.encode_speed import LENGTH, WARM_UP


def measure(encode: Callable[[list[str]], np.ndarray], *, path: str, count: int, vectors: str, **said: object) -> None:
    """Time `encode` on the first `count` texts, tokenising included; leave their vectors [count, D] in a file."""
    texts = [text for pair in zip(*rows.read(path), strict=True) for text in pair][:count]
    encode(texts[-WARM_UP:])
    began = time.perf_counter()
    found = encode(texts)
    seconds = time.perf_counter() - began
    np.save(vectors, found)
    tokens = rows.tokens(texts, LENGTH)
    program.answer(tokens_per_second=tokens / seconds, tokens=tokens, seconds=seconds, texts=len(texts), **said)
