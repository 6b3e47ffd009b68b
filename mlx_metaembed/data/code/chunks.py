"""A program cut at its definitions into pieces of at most so many tokens, neighbours merged (cAST, arXiv:2506.15655).

What stands between two blocks, comments and decorators, belongs to the second one. Lines are counted from 0 here.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlx_metaembed.data.code.program import Children, Program, blocks

Lengths = Callable[[Sequence[str]], list[int]]
PIECE = re.compile(r"[^\W\d_]{1,5}|\d{1,3}|[^\s]")
DEEPEST = 100
"""Blocks inside blocks that are looked into."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: lines as they stand there, the first and the last counted from 1."""

    text: str
    first_line: int
    last_line: int


def estimated(texts: Sequence[str]) -> list[int]:
    """About how many tokens texts have: a run of up to 5 letters or 3 digits is one, and so is every sign."""
    return [len(PIECE.findall(text)) for text in texts]


def chunks(program: Program, most: int, lengths: Lengths = estimated) -> Iterator[Chunk]:
    """The pieces of a program in their order; together they have every line that is not blank.

    A line of more than `most` tokens is cut between words. `lengths` counts what it puts around a text once too often,
    so that no piece has more than `most`.
    """
    lines = program.text.split("\n")
    sums = [0, *accumulate(lengths([f"{line}\n" for line in lines]))]
    root, children = blocks(program)
    for start, end in _merged(root, 0, len(lines), children, most, sums, 0):
        while start < end and not lines[start].strip():
            start += 1
        while end > start and not lines[end - 1].strip():
            end -= 1
        if end - start == 1 and sums[end] - sums[start] > most:
            yield from (Chunk(text, end, end) for text in _cut(lines[start], most, lengths))
        elif start < end:
            yield Chunk("\n".join(lines[start:end]), start + 1, end)


def _merged(
    node: object, start: int, end: int, children: Children, most: int, sums: list[int], depth: int
) -> Iterator[tuple[int, int]]:
    """Lines `start` to `end` in pieces that fit, or of one line: blocks, those that are too large cut in turn."""
    if sums[end] - sums[start] <= most or end - start == 1:
        yield start, end
        return
    held = start
    for first, last, inner in _parts(node, start, end, children, depth):
        if sums[last] - sums[held] <= most:
            continue
        if held < first:
            yield held, first
        held = first
        if sums[last] - sums[first] > most:
            yield from _merged(inner, first, last, children, most, sums, depth + 1)
            held = last
    if held < end:
        yield held, end


def _parts(node: object, start: int, end: int, children: Children, depth: int) -> Iterator[tuple[int, int, object]]:
    """The lines of each block in a node, from the end of the one before; single lines where it has no two."""
    found: list[tuple[int, int, object]] = []
    for first, last, inner in children(node) if node is not None and depth < DEEPEST else ():
        last = min(last, end)
        if found and first < found[-1][1]:
            # Blocks that share a line are one, like a function's name and its body: the longer one is cut further.
            before = found[-1]
            longer = inner if last - first > before[1] - before[0] else before[2]
            found[-1] = (before[0], max(before[1], last), longer)
        elif last > start:
            found.append((found[-1][1] if found else start, last, inner))
    if found:
        found[-1] = (found[-1][0], end, found[-1][2])
        yield from found
        return
    yield from ((at, at + 1, None) for at in range(start, end))


def _cut(line: str, most: int, lengths: Lengths) -> Iterator[str]:
    """A line in pieces of at most so many tokens, between words, or inside one that has more."""
    pieces = [piece for word in re.findall(r"\s*\S+", line) for piece in re.findall(r"(?s).{1,200}", word)]
    held, count = "", 0
    for piece, size in zip(pieces, lengths(pieces), strict=True):
        while size > most and len(piece) > 1:
            if held.strip():
                yield held.strip()
            held, count = "", 0
            cut = max(1, len(piece) * most // size)
            yield piece[:cut].strip()
            piece = piece[cut:]
            size = lengths([piece])[0]
        if count + size > most and held.strip():
            yield held.strip()
            held, count = "", 0
        held, count = held + piece, count + size
    if held.strip():
        yield held.strip()
