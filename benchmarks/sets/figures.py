"""What the answers come to: quality beside another's, speed, and what is forgotten, each with an interval.

An interval is where 95 % of paired draws lie, of the units and of the seeds together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks import ratios
from benchmarks.sets import BASE, CONTESTANTS, OURS, OURS_MLX, SEEDS, SETS, THEIRS, THEIRS_SAME
from benchmarks.sets.turn import file
from mlx_metaembed.files.disk import read_json

Answers = dict[int, dict]
"""A contestant's answers on a set by seed."""
KEPT = ("stsb", "banking77")


def answers(label: str, name: str, work: Path) -> Answers:
    """Those that are there."""
    paths = {seed: file(label, name, seed, work) for seed in SEEDS}
    return {seed: read_json(path) for seed, path in paths.items() if path.is_file()}


def difference(first: Answers, second: Answers, figure: str) -> dict[str, float]:
    """`{"first", "second", "difference", "low", "high", "seeds"}` of a figure over the seeds that both have."""
    seeds = sorted(first.keys() & second.keys())
    values = [[side[seed][figure]["value"] for seed in seeds] for side in (first, second)]
    drawn = np.array([np.subtract(first[seed][figure]["draws"], second[seed][figure]["draws"]) for seed in seeds])
    picked = np.random.default_rng(0).integers(0, len(seeds), (drawn.shape[1], len(seeds)))
    means = drawn[picked, np.arange(drawn.shape[1])[:, None]].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    one, other = map(mean, values)
    return {
        "first": one,
        "second": other,
        "difference": one - other,
        "low": float(low),
        "high": float(high),
        "seeds": len(seeds),
    }


def quality(work: Path) -> list[dict]:
    """A row a set and pair of contestants that both have answers: the figure, and tokens a second as a ratio."""
    found = []
    for name in SETS:
        for label, other in ((OURS, BASE), (OURS, THEIRS), (OURS, THEIRS_SAME), (OURS_MLX, THEIRS_SAME)):
            first, second = answers(label, name, work), answers(other, name, work)
            if other == BASE:
                second = dict.fromkeys(first, second.get(0)) if second else {}
            if not first.keys() & second.keys():
                continue
            row = {"set": name, "figure": SETS[name].figure, "label": label, "beside": other}
            row |= difference(first, second, "task")
            for unit in ("tokens_per_second", "tokens_per_cpu_second") if other != BASE else ():
                row[unit] = _speed(first, second, unit)
            found.append(row)
    return found


def _speed(first: Answers, second: Answers, unit: str) -> dict[str, float] | None:
    both = [seed for seed in first.keys() & second.keys() if unit in first[seed] and unit in second[seed]]
    return ratios.ratios(*([side[seed][unit] for seed in both] for side in (first, second))) if both else None


def kept(work: Path) -> list[dict]:
    """A row a set and contestant that was asked: what its task gains over the base, and stsb and banking77 lose."""
    found = []
    for name in SETS:
        base = answers(BASE, name, work).get(0)
        for label in (label for label, each in CONTESTANTS.items() if each.kept and label != BASE and base):
            own = answers(label, name, work)
            if own:
                before = dict.fromkeys(own, base)
                row = {figure: difference(own, before, figure) for figure in ("task", *KEPT)}
                found.append({"set": name, "label": label} | row)
    return found


def lines(rows: Sequence[Mapping], forgotten: Sequence[Mapping]) -> list[str]:
    """Both tables in Markdown."""
    found = [
        "| set | metaembed | beside | its figure | difference | tokens a second, ratio | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        speed = row.get("tokens_per_cpu_second")
        ratio = f"{speed['median']:.2f} ({speed['min']:.2f} to {speed['max']:.2f})" if speed else "-"
        engine = " (MLX)" if row["label"] == OURS_MLX else ""
        found.append(
            f"| {row['set']}, {row['figure']} | {row['first']:.4f}{engine} | {row['beside']} | {row['second']:.4f} | "
            f"{_between(row)} | {ratio} | {row['seeds']} |"
        )
    found += [
        "",
        "| trained on | how | task | stsb | banking77 | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for row in forgotten:
        cells = [_between(row[figure]) for figure in ("task", *KEPT)]
        found.append(f"| {row['set']} | {row['label']} | {' | '.join(cells)} | {row['task']['seeds']} |")
    return found


def _between(found: Mapping[str, float]) -> str:
    """A difference with its interval."""
    return f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
