"""How far a job is, on stderr: one bar on a terminal and in a notebook, elsewhere a line every ten seconds.

A thread shows it, so that a step that takes minutes is not a silence of minutes. A job of less than ten seconds writes
no line.
"""

import contextlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Mapping

from mlx_metaembed.progress.duration import duration

EVERY, REFRESHED = 10.0, 1.0
"""Seconds between lines, and between two looks at a bar's clock."""
SETS = 4
"""Data sets whose losses are said one by one."""
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"
CLOCK = "{desc}: {elapsed}{postfix}"


class Progress:
    """A job of `length` units, or of unknown length where that is None; a context manager.

    `update` counts what is done, `say` puts words beside it. The bar vanishes at the end but where it is to `stay`.
    """

    def __init__(self, length: int | None, label: str, *, unit: str = "texts", initial: int = 0, stay: bool = False):
        self.length, self.label, self.unit, self.done = length, label, unit, initial
        self.words = ""
        self._stay, self._bar, self._written = stay, None, ""
        self._ended, self._thread = threading.Event(), None
        self._began = self._first_at = time.monotonic()
        self._first: int | None = None
        self._done_at: float | None = None

    def __enter__(self) -> "Progress":
        if in_notebook() or sys.stderr.isatty():
            self._bar = self._tqdm()
        self._thread = threading.Thread(target=self._show, args=(REFRESHED if self._bar is not None else EVERY,))
        self._thread.daemon = True
        self._thread.start()
        return self

    def __exit__(self, *failed: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.close()
        elif self._written and failed[0] is None:
            self._write()

    def update(self, count: int = 1) -> None:
        """Count so many more as done."""
        if self._first is None:
            # The first part of a job compiles: what is left is reckoned from the others.
            self._first, self._first_at = self.done + count, time.monotonic()
        self.done += count
        if self.done == self.length:
            self._done_at = time.monotonic()
        if self._bar is not None:
            self._bar.update(count)

    def say(self, words: str) -> None:
        """Show words beside the count."""
        self.words = words
        if self._bar is not None:
            self._bar.set_postfix_str(words, refresh=False)

    def give_way(self) -> None:
        """Leave no bar at the end: the job goes on behind another one."""
        if self._bar is not None:
            self._bar.leave = False

    def line(self, now: float) -> str:
        """The line that stands for the bar, at a time of `time.monotonic`."""
        # What goes on behind the last unit is none of this job's.
        elapsed = (self._done_at or now) - self._began
        if self.length is None:
            return ", ".join(filter(None, [f"{self.label}: {duration(elapsed)} so far", self.words]))
        share = f"{100 * self.done / self.length:.0f} %" if self.length else "100 %"
        parts = [f"{self.label}: {self.done:,} of {self.length:,} {self.unit} ({share})"]
        if self.words:
            parts.append(self.words)
        left = self._left(now)
        if self.done >= self.length:
            parts.append(f"took {duration(elapsed)}")
        else:
            parts.append(f"{duration(elapsed)} so far" if left is None else f"{duration(left)} left")
        return ", ".join(parts)

    def _left(self, now: float) -> float | None:
        """Seconds that the rest will take at the pace so far; None before there is one."""
        done = 0 if self._first is None else self.done - self._first
        return (now - self._first_at) / done * (self.length - self.done) if done > 0 else None

    def _show(self, seconds: float) -> None:
        # Nobody may be listening any more; the job goes on.
        with contextlib.suppress(OSError, ValueError):
            while not self._ended.wait(seconds):
                if self._bar is not None:
                    self._bar.refresh()
                else:
                    self._write()

    def _write(self) -> None:
        """The line on stderr, where it says something new."""
        line = self.line(time.monotonic())
        if line != self._written:
            print(line, file=sys.stderr, flush=True)
        self._written = line

    def _tqdm(self) -> object:
        with warnings.catch_warnings():
            # In a notebook without widgets it draws with characters, and need not say so.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm

            return tqdm(
                total=self.length,
                desc=self.label,
                unit=self.unit,
                initial=self.done,
                leave=self._stay,
                **_width(),
                bar_format=CLOCK if self.length is None else BAR,
                file=None if in_notebook() else sys.stderr,
            )


class Stages:
    """A training run's progress: its preparations one after another, then its steps, whose bar stays."""

    def __init__(self):
        self._current: Progress | None = None
        self._measured: dict[str, object] = {}
        self._by_set: dict[str, object] = {}

    def prepared(self, what: str, count: int, of: int, unit: str = "texts") -> None:
        """So many more of the texts are tokenised or embedded, or of another unit done."""
        self._stage(what, of, unit=unit).update(count)

    def step(self, row: Mapping[str, object]) -> None:
        """A step is done, with its row of metrics."""
        current = self._stage("training", row["steps"], unit="steps", initial=row["step"] - 1, stay=True)
        # A step has batches of some sets only.
        self._by_set |= {name: value for name, value in row.items() if _is_loss_of_set(name)}
        current.say(step_words({**self._by_set, **self._measured, **row}))
        current.update()

    def evaluated(self, row: Mapping[str, object]) -> None:
        """The model was measured: what was found stands beside the steps until it is measured again."""
        self._measured = {name: value for name, value in row.items() if name.startswith("eval/")}

    def close(self) -> None:
        if self._current is not None:
            self._current.__exit__(*sys.exc_info())
            self._current = None

    def _stage(self, label: str, length: int, **settings: object) -> Progress:
        if self._current is None or self._current.label != label:
            if self._current is not None and self._current.done != self._current.length:
                self._current.give_way()
            self.close()
            self._current = Progress(length, label, **settings).__enter__()
        return self._current


def step_words(row: Mapping[str, object]) -> str:
    """A step in words: its loss, by width where that is known, the first that was measured, and tokens a second.

    Of several data sets it is the last loss on each, or their mean where they are many.
    """
    by_width = [f"{name.removeprefix('loss@')}: {row[name]:.4f}" for name in row if name.startswith("loss@")]
    loss = f"loss {row['loss']:.4f}" + (f" ({', '.join(by_width)})" if by_width else "")
    if by_set := {name.split("/", 1)[1].rpartition("/")[0]: row[name] for name in row if _is_loss_of_set(name)}:
        each = ", ".join(f"{name} {value:.4f}" for name, value in by_set.items())
        mean = sum(by_set.values()) / len(by_set)
        loss = f"loss {each}" if len(by_set) <= SETS else f"loss {mean:.4f} (mean of {len(by_set)} data sets)"
    measured = next((name for name in row if name.startswith("eval/")), None)
    found = f", {measured.removeprefix('eval/')} {row[measured]:.4f}" if measured else ""
    return f"{loss}{found}, {row['tokens_per_second']:,.0f} tokens/s"


def _is_loss_of_set(name: str) -> bool:
    return name.startswith("set/") and name.endswith("/loss")


def _width() -> dict[str, object]:
    """How wide a bar is: as the terminal at any time, or 80 characters where a terminal does not say."""
    with contextlib.suppress(OSError, ValueError):
        if os.get_terminal_size(sys.stderr.fileno()).columns == 0:
            return {"ncols": 80, "nrows": 20}
    return {"dynamic_ncols": True}


def write(text: str) -> None:
    """A line on stderr, above the bar where one is shown."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    python = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None and hasattr(python, "get_ipython") else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})
