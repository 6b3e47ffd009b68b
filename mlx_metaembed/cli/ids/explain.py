"""`metaembed ids explain`: what the levels of each digit mean."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.opened import ids_argument, opened
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer
from mlx_metaembed.errors import CallError

EPILOG = """\b
Examples:
  metaembed ids explain novels.ids
  metaembed ids explain novels.ids --digit era --json
"""
SHOWN = 16
"""Levels of a digit that are printed."""


@click.command("explain", epilog=EPILOG)
@ids_argument
@click.option("--digit", "wanted", help="One digit, by its name or its number from 1. Default: all.")
@json_option
def command(ids: Path, wanted: str | None, as_json: bool) -> None:
    """Each digit of the scheme IDS: its kind, and how well it tells its column.

    For each level: how many texts have it, its label, the words that mark them, and examples.
    """
    from mlx_metaembed.semantic_ids import explain

    found = opened(ids)
    names = [explain.spoken(digit, at) for at, digit in enumerate(found.scheme.digits)]
    chosen = range(len(names)) if wanted is None else [_number(wanted, names)]
    told = {row["axis"]: row for row in found.about.get("measures", {}).get("axes", [])}
    rows, lines = [], []
    for at in chosen:
        digit, levels = found.scheme.digits[at], explain.levels(found, at)
        measured = {key: value for key, value in told.get(digit.name, {}).items() if key != "axis"}
        rows.append({"digit": at + 1, "name": names[at], "kind": digit.kind, "measured": measured, "levels": levels})
        said = f", right for {measured['accuracy']:.1%} of held-out texts" if measured else ""
        lines += ["", f"{names[at]} ({digit.kind}, {digit.levels} levels{said})"]
        for level in sorted(levels, key=lambda row: -row["texts"])[:SHOWN] if not digit.is_axis else levels:
            label = f" {level['label'][:60]}" if level["label"] else ""
            words = f"; {', '.join(level['words'])}" if level["words"] else ""
            share = f"{level['texts']:,} texts ({level['share']:.1%})"
            lines.append(f"  {level['level']}{label}: {share}{words}")
            lines += [f"      {text[:100]!r}" for text in level["examples"][:1]]
    answer({"ids": str(ids), "rows": rows}, as_json, lines[1:])


def _number(wanted: str, names: list[str]) -> int:
    if wanted in names:
        return names.index(wanted)
    if wanted.isdigit() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise CallError(f"There is no digit {wanted!r}; there are {', '.join(names)}")
