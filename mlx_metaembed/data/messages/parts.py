"""Which threads are held out: whole ones, by conversation, by time or by chance."""

import hashlib
import sqlite3

import numpy as np

from mlx_metaembed.errors import CallError

WAYS = ("time", "conversation", "thread")


def held_out(base: sqlite3.Connection, *, by: str, share: float, seed: int) -> np.ndarray:
    """Whether each thread is held out, bool [threads], so that about `share` of the messages are.

    By time it is the threads that begin last; by conversation, and by thread, those that a hash of `seed` and name
    puts first. Raises CallError where a part would be empty, or no message has a time.
    """
    threads = base.execute(
        "SELECT thread, conversation, min(time), count(*) FROM messages GROUP BY thread ORDER BY thread"
    ).fetchall()
    sizes = np.array([size for *_, size in threads])
    # A thread of one message gives no row.
    sizes[sizes == 1] = 0
    if by == "time":
        if any(time is None and size for (_, _, time, _), size in zip(threads, sizes, strict=True)):
            raise CallError("Some messages have no time, so they can't be split by it; split by conversation or thread")
        groups = [(-(time or 0.0), thread) for thread, _, time, _ in threads]
    elif by == "conversation":
        groups = [(_hash(seed, name), name) for _, name, _, _ in threads]
    else:
        groups = [(_hash(seed, f"{name}/{thread}"), thread) for thread, name, _, _ in threads]
    chosen = _first(groups, sizes, share * sizes.sum())
    found = np.array([group in chosen for group in groups])
    if not sizes[found].any() or not sizes[~found].any():
        count = len({group for group, size in zip(groups, sizes, strict=True) if size})
        what = "conversation" if by == "conversation" else "thread"
        raise CallError(
            f"{count:,} {what}{'s' if count != 1 else ''} of two or more messages can't be split by {by} with a share "
            f"of {share:g}; expected something in both parts"
        )
    return found


def _first(groups: list[tuple], sizes: np.ndarray, wanted: float) -> set[tuple]:
    """The groups that come first and together have about so many messages, one at least."""
    by_group: dict[tuple, int] = {}
    for group, size in zip(groups, sizes, strict=True):
        by_group[group] = by_group.get(group, 0) + int(size)
    chosen, had = set(), 0
    for group in sorted(by_group):
        if had and had + by_group[group] / 2 > wanted:
            break
        chosen.add(group)
        had += by_group[group]
    return chosen


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()
