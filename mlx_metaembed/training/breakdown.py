"""The metrics of a run by objective and by data set, where it has several: losses, batches, tokens and padding.

Losses are means since the last row of metrics.jsonl, since a set need not have a batch at each; the rest is counted
from the first step on. A set's loss is the sum that its batches minimise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from mlx_metaembed.inputs.chunks import padding_share
from mlx_metaembed.training import metrics
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.sampling import Source
from mlx_metaembed.training.weighting import WEIGHT

OBJECTIVE, SET = "loss/", "set/"
"""What the names begin with: loss/OBJECTIVE, set/NAME/tokens."""
COUNTED = ("batches", "tokens", "padded_tokens")
MOST = 2**63

Batches = Iterator[tuple[Source, Callable[[], Batch]]]


class Breakdown:
    """What the steps so far had of each data set, and the losses since the last row."""

    def __init__(self, parts: Parts):
        self._lengths = parts.store.lengths
        self._several = len(parts.objectives) > 1
        sources = parts.sources if len(parts.sources) > 1 else ()
        self._rows = {source.name: len(source.rows) for source in sources}
        self._counts = {name: dict.fromkeys(COUNTED, 0) for name in self._rows}
        self._losses: dict[str, list[float]] = {}

    def onward(self, stream: Batches, done: int, log: Sequence[Mapping[str, object]], group_size: int) -> Batches:
        """The stream after the batches that are `done`, `group_size` a step; those later than the log's are counted."""
        last = log[-1] if log else {"step": 0}
        for name, counts in self._counts.items():
            counts |= {what: _count(last, f"{SET}{name}/{what}") for what in COUNTED}
        for number, (source, make) in enumerate(islice(stream, done)):
            if number >= last["step"] * group_size and self._counts:
                self._count(source, make())
        return stream

    def add(self, source: Source, batch: Batch, loss: float, by_objective: Mapping[str, float]) -> None:
        """Count a batch with its loss and those of its objectives."""
        own = by_objective if self._several else {}
        found = {name if name.startswith(WEIGHT) else f"{OBJECTIVE}{name}": each for name, each in own.items()}
        if source.name in self._counts:
            self._count(source, batch)
            found[f"{SET}{source.name}/loss"] = loss
        for name, value in found.items():
            self._losses.setdefault(name, []).append(value)

    def row(self) -> dict[str, float]:
        """`{"loss/OBJECTIVE", "weight/OBJECTIVE", "set/NAME/loss", "set/NAME/rows", ...}`; empty where all is one."""
        means = {name: sum(found) / len(found) for name, found in self._losses.items()}
        counts = {
            f"{SET}{name}/{what}": count
            for name, rows in self._rows.items()
            for what, count in ({"rows": rows} | self._counts[name]).items()
        }
        return means | counts

    def reported(self) -> None:
        """Begin new means: the log has the row."""
        self._losses.clear()

    def _count(self, source: Source, batch: Batch) -> None:
        counts = self._counts[source.name]
        counts["batches"] += 1
        counts["tokens"] += int(self._lengths[batch.texts].sum())
        counts["padded_tokens"] += sum(chunk.ids.size for chunk in batch.chunks)


def data_sets(rows: Sequence[Mapping[str, object]]) -> list[dict]:
    """Each data set of a run out of the rows of its log, none where it has one.

    `{"name", "rows", "share", "tokens", "padding", "loss_first", "loss_last"}`: the share of the batches, the padding's
    share of the computed tokens (None where nothing was computed), and the means of the loss over the first and the
    last tenth of the rows that have it.
    """
    last = next((row for row in reversed(rows) if any(name.startswith(SET) for name in row)), {})
    suffix = "/batches"
    names = [name[len(SET) : -len(suffix)] for name in last if name.startswith(SET) and name.endswith(suffix)]
    batches = sum(_count(last, f"{SET}{name}{suffix}") for name in names)
    found = []
    for name in names:
        own = {what: _count(last, f"{SET}{name}/{what}") for what in ("rows", *COUNTED)}
        first, final = metrics.ends(rows, f"{SET}{name}/loss") or (None, None)
        padded = own["padded_tokens"]
        found.append(
            {
                "name": name,
                "rows": own["rows"],
                "share": own["batches"] / max(batches, 1),
                "tokens": own["tokens"],
                "padding": padding_share(own["tokens"], padded) if padded else None,
                "loss_first": first,
                "loss_last": final,
            }
        )
    return found


def loss_ends(rows: Sequence[dict]) -> tuple[float, float] | None:
    """The loss's means over the first tenth of the rows and over the last, of several data sets the mean of each one's:
    a tenth that has more of one set's batches says nothing about the run. None where fewer than two rows have it."""
    ends = [(each["loss_first"], each["loss_last"]) for each in data_sets(rows)]
    known = [pair for pair in ends if None not in pair]
    if not known:
        return metrics.ends(rows)
    first, last = (sum(each) / len(known) for each in zip(*known, strict=True))
    return first, last


def _count(row: Mapping[str, object], name: str) -> int:
    """A count of a row of the log; 0 for what is none."""
    value = row.get(name)
    return value if isinstance(value, int) and 0 <= value < MOST else 0
