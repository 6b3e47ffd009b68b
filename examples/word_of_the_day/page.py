"""The page of the pipeline: what each stage found, and what the language model writes."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report.document import document, section
from mlx_metaembed.report.markup import tag, text

ABOUT = (
    "Kappa says how well the code of what was written agrees with the ID that was asked for: 1 wholly, 0 no better "
    "than chance. The gain is over what is written for another text's ID; the ceiling is what real texts reach, cut at "
    "as many tokens. The last columns have kappa for IDs that were learned, and for others made of the same levels."
)
KAPPAS = {"name": "Texts", "digit": "Digit", "kappa": "Kappa", "kappa_range": "95 %", "exact": "Exact"}
GAINS = {
    "digit": "Digit", "gain": "Gain", "gain_range": "95 %", "of_ceiling": "Of ceiling", "kappa_seen": "Learned",
    "kappa_unseen": "Other",
}  # fmt: skip
WRITTEN = {"name": "Texts", "distinct_2": "Distinct pairs of words", "tokens": "Tokens"}
AXES = {"axis": "Axis", "texts": "Texts", "accuracy": "Right", "within_one": "Within one", "probe": "Probe"}
SECONDS = {"name": "Stage", "seconds": "Seconds"}


def page(results: Mapping) -> str:
    """The page as a string, of results as run.py gathers them."""
    seconds = [{"name": name, "seconds": value} for name, value in results["seconds"].items()]
    examples = [
        tag("p", tag("b", text(row["name"])), " ", text(example))
        for row in results["written"]
        for example in row["examples"]
    ]
    bits = ", ".join(f"{name.removeprefix('bits_')} {value:.3f}" for name, value in results["bits"].items() if value)
    return document(
        "Word of the day",
        [
            tag("header", tag("h1", "Word of the day"), tag("p", text(results["lede"]))),
            section("Is it what was asked for?", tag("p", ABOUT), _table(results["gains"], GAINS)),
            section("Agreement", _table(results["rows"], KAPPAS)),
            section("Written", _table(results["written"], WRITTEN), *examples),
            section("Foretold", tag("p", text(f"Bits a token on held-out texts: {bits}.")) if bits else ""),
            section("The axes on held-out texts", _table(results["axes"], AXES)),
            section("Time", _table(seconds, SECONDS)),
        ],
    )


def _table(rows: Sequence[Mapping], names: Mapping[str, str]) -> str:
    if not rows:
        return ""
    head = tag("thead", tag("tr", *(tag("th", text(name), scope="col") for name in names.values())))
    lines = []
    for row in rows:
        first, *others = [_cell(_range(row, key) if key.endswith("_range") else row.get(key)) for key in names]
        lines.append(tag("tr", tag("th", first, scope="row"), *(tag("td", each) for each in others)))
    return tag("table", head, tag("tbody", *lines))


def _range(row: Mapping, key: str) -> str | None:
    """An interval in words; None where there is none."""
    ends = [row.get(key.replace("_range", end)) for end in ("_low", "_high")]
    return None if None in ends else "{:.2f} to {:.2f}".format(*ends)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return text(f"{value:.2f}" if isinstance(value, float) else value)
