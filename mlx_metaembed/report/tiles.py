"""The run in up to three figures, at the top of its page."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.progress.duration import duration
from mlx_metaembed.report import intervals, units
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.results import Entry
from mlx_metaembed.report.series import ends, series, values
from mlx_metaembed.report.tables import SIGNS
from mlx_metaembed.training.breakdown import data_sets

SHOWN = 3
"""Data sets whose losses a tile says."""


def tiles(entries: Sequence[Entry], shown: Sequence[str], metrics: Sequence[Mapping[str, object]]) -> str:
    """The run in up to three figures: quality at full width, the shortest vector that is as good, time and memory."""
    found = []
    measure = shown[0] if shown else ""
    widths = [entry for entry in entries if entry.is_width and entry.number("before", measure) is not None]
    full = max(widths, key=lambda entry: int(entry.label), default=None)
    if full and (after := full.number("after", measure)) is not None:
        before = full.number("before", measure)
        written, sign = units.change(before, after)
        if drawn := intervals.ends(full.stages["after"], f"{measure}_difference"):
            written += f" [{intervals.written(drawn, signed=True)}]"
            sign *= not drawn[0] <= 0 <= drawn[1]
        name = f"{units.label(measure)} at {full.label} dimensions"
        note = tag("span", written, class_=SIGNS[sign]) + f" by training, from {units.quality(before)}"
        found.append(tile(name, units.quality(after), note))
    if full and (least := _least(entries, measure, full)):
        size, entry = least
        whole = full.number("before", "bytes_per_vector")
        name = f"{entry.label} dimensions" if entry.is_width else entry.label
        note = f"{name}, {units.quality(entry.number('after', measure))}: {units.significant(whole / size)}× shorter"
        found.append(tile(f"Shortest as good as {full.label} untrained", text(units.size(size)), text(note)))
    losses = series(metrics, "loss")
    if not found and (sets := [each for each in data_sets(metrics) if _known(each)]):
        fell = [each["name"] for each in sets if each["loss_last"] < each["loss_first"]]
        said = [
            f"{each['name']} {units.significant(each['loss_first'])} → {units.significant(each['loss_last'])}"
            for each in sets[:SHOWN]
        ]
        note = ", ".join(said) + (f" and {len(sets) - SHOWN} more" if len(sets) > SHOWN else "")
        found.append(tile("Data sets whose loss fell", text(f"{len(fell)} of {len(sets)}"), text(note)))
    elif not found and len(values(losses)) > 1:
        first, last = ends(losses)
        note = f"from {units.significant(first)} in the first tenth"
        found.append(tile("Loss, last tenth of the steps", units.significant(last), text(note)))
    times, peaks = values(series(metrics, "elapsed_s")), values(series(metrics, "peak_memory_bytes"))
    if times:
        steps = f"{len(series(metrics, 'elapsed_s')):,} steps logged"
        note = f"peak memory {units.size(max(peaks))}" if peaks else steps
        found.append(tile("Training time", text(duration(max(times))), text(note)))
    return tag("dl", *found, class_="tiles") if found else ""


def _known(found: Mapping[str, object]) -> bool:
    return all(units.finite(found[name]) is not None for name in ("loss_first", "loss_last"))


def tile(name: str, figure: str, note: str) -> str:
    """A figure, which is markup as its note is, under a name."""
    return tag("div", tag("dt", text(name)), tag("dd", figure, class_="figure"), tag("dd", note, class_="note"))


def _least(entries: Sequence[Entry], measure: str, full: Entry) -> tuple[float, Entry] | None:
    """The fewest bytes a vector, shorter than the full one, that do after training what the full one did before."""
    whole, bar = full.number("before", "bytes_per_vector"), full.number("before", measure)
    good = [
        (size, place, entry)
        for place, entry in enumerate(entries)
        if (size := entry.number("after", "bytes_per_vector"))
        and whole
        and 0 < size < whole
        and (value := entry.number("after", measure)) is not None
        and value >= bar
    ]
    return (min(good)[0], min(good)[2]) if good else None
