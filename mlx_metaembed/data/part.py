"""A file's rows in two parts that share no text and no group: read twice, with a hash held of each text.

Rows that have an equal text (but for white space), in any column of texts, belong together, and so do rows of one
group; whatever hangs together goes to one part.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.data import row_stream, sources, writers
from mlx_metaembed.data.joined import Joined
from mlx_metaembed.data.same_text import number
from mlx_metaembed.errors import CallError


@dataclass(frozen=True)
class Parted:
    """How many rows went where, and how many groups of rows hang together; the largest has `largest` rows."""

    train: int
    held_out: int
    groups: int
    largest: int
    notes: tuple[str, ...]


class Groups:
    """Which rows hang together: those that share a key, and what these share others with."""

    def __init__(self) -> None:
        self.joined = Joined()
        self._first: dict[int, int] = {}

    def add(self, keys: set[int]) -> None:
        """Take the next row, which shares `keys` with others."""
        row = self.joined.add()
        for each in keys:
            self.joined.join(self._first.setdefault(each, row), row)


def part(
    source: str,
    train: Path,
    held_out: Path,
    *,
    share: float,
    by: str = "",
    depth: int | None = None,
    seed: int = 0,
    mapped: str = "",
    no_header: bool = False,
    told: Callable[[], None] = lambda: None,
) -> Parted:
    """Write about `share` of a source's rows to `held_out` and the others to `train`, in their order.

    Rows of one `by` stay together; where it is a path with `depth`, those of one folder so far down.
    Raises CallError where the source can't be read, has no texts or no column `by`, or hangs together as a whole.
    """
    path = sources.split(source)[0]
    for out in (train, held_out):
        writers.require_name(out, path)
    if train.resolve() == held_out.resolve():
        raise CallError(f"{train} is to have both parts; name two files")
    groups, texts, names, names_by = Groups(), {}, (), False

    def take(where: str, row: dict[str, object]) -> None:
        nonlocal names, names_by
        names = names or tuple(row)
        found = row_stream.texts_of(row)
        texts.update(dict.fromkeys(found))
        keys = {number(text) for each in found.values() for text in each if text.strip()}
        if by and row.get(by) is not None:
            names_by = True
            keys.add(number(f"\0{_folder(str(row[by]), depth) if depth else row[by]}"))
        groups.add(keys)
        told()

    settings = {"mapped": mapped, "no_header": no_header}
    notes = row_stream.fill(source, take, **settings)
    row_stream.require_texts(source, texts, names)
    if by and not names_by:
        raise CallError(f"{source} has no column {by!r} to part by; found are {', '.join(map(repr, names[:20]))}")
    numbers, sizes = groups.joined.numbers()
    apart = _apart(source, numbers, share, seed)
    with ExitStack() as stack:
        write = [stack.enter_context(writers.json_lines(each)) for each in (train, held_out)]
        rows = iter(apart[numbers].tolist())

        def again(where: str, row: dict[str, object]) -> None:
            at = next(rows, None)
            if at is None:
                raise CallError(f"{source} has grown while it was read; try again when nothing writes to it")
            write[int(at)](writers.plain(f"{source}, {where}", row))
            told()

        row_stream.fill(source, again, **settings)
    held = int(apart[numbers].sum())
    return Parted(len(numbers) - held, held, len(sizes), int(sizes.max()), notes)


def _folder(path: str, depth: int) -> str:
    """The first folders of a path, at most so many; an empty text for what lies in none."""
    return "/".join(path.replace("\\", "/").split("/")[:-1][:depth])


def _apart(source: str, numbers: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Whether each group is held out: in a drawn order, those that do not lead past the share by more than a half."""
    sizes = np.bincount(numbers)
    wanted, had = share * len(numbers), 0
    apart = np.zeros(len(sizes), bool)
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        size = sizes[group]
        if had < wanted and had + size / 2 <= wanted + 0.5 and had + size < len(numbers):
            apart[group] = True
            had += size
    if not had:
        raise CallError(
            f"{source}: {len(numbers):,} rows hang together in {len(sizes):,} group{'s' if len(sizes) > 1 else ''} by "
            f"equal texts or by the column, the largest of {sizes.max():,}; expected one that is about {share:g} of "
            "them. Texts that many rows have (negatives, a label's name) join them: leave such a column out, like "
            "--columns negative="
        )
    return apart
