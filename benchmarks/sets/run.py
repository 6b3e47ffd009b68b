"""Every contestant on every set with every seed, one process a turn. What is answered already is not asked again."""

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from benchmarks import process
from benchmarks.sets import BASE, SEEDS, SETS, TURNS
from benchmarks.sets.turn import file


def ask(data: Path, work: Path, threads: int | None) -> None:
    """Let each turn's contestants train and be examined; their answers lie in the folder `work`.

    Seeds come one after another, so that a run that is cut short has whole ones; every second has the order of the kits
    reversed.
    """
    work.mkdir(parents=True, exist_ok=True)
    for labels, name, seed in turns():
        if all(file(label, name, seed, work).is_file() for label in labels):
            continue
        print(f"  {name}, seed {seed}: {', then '.join(labels)}", file=sys.stderr, flush=True)
        options = {"labels": "+".join(labels), "set": name, "seed": seed, "data": data, "work": work}
        process.measure("benchmarks.sets.turn", options, threads)


def turns() -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Who takes turns on which set with which seed."""
    yield from (((BASE,), name, 0) for name in SETS)
    for seed, labels, name in product(SEEDS, TURNS, SETS):
        yield labels[::-1] if seed % 2 and labels == TURNS[0] else labels, name, seed
