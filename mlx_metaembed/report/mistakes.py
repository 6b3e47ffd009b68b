"""What training did not mend and what it changed: the hardest mistakes, and neighbours that are others now."""

from collections.abc import Callable, Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.answers import SIDES, answers, excerpt, ordinal
from mlx_metaembed.report.markup import tag, text

Mistake = Mapping[str, object]
SENTENCES = (("one sentence", "sentence1"), ("the other", "sentence2"))


def mistakes(found: object) -> str:
    """Every mistake (see `evaluate.mistakes`) as a line that opens to its texts; nothing for what has another form."""
    shown = []
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and (write := next((write for name, write in KINDS.items() if name in each), None)):
            shown.append(write(each, not shown))
    return "".join(shown)


def neighbours(found: object) -> str:
    """How many neighbours are the same after training, and the queries with the fewest of them (see
    `evaluate.changed`); nothing for what has another form."""
    if not isinstance(found, dict):
        return ""
    kept, first, queries, nearest = (
        units.finite(found.get(name)) for name in ("kept", "first_changed", "queries", "nearest")
    )
    if None in (kept, first, queries, nearest):
        return ""
    said = (
        f"Of the {nearest:,.0f} nearest texts {units.share(kept)} are the same after training; {first:,.0f} of "
        f"{queries:,.0f} queries have another first one."
    )
    shown = found.get("answers")
    shown = [each for each in shown if _is_answer(each)] if isinstance(shown, list) else []
    return tag("p", text(said + (" These changed most:" if shown else ""))) + answers(shown)


def _retrieval(each: Mistake, opened: bool) -> str:
    right, first = _part(each.get("right")), _part(each.get("first"))
    rank, before = each.get("rank_after"), each.get("rank_before")
    stood = f"right answer {_place(rank)}" + (f", {_place(before)} before training" if before else "")
    sides = [(f"The right answer, {_place(rank)}", right), ("Ranked first", first)]
    return _entry(each.get("query"), stood, sides, opened)


def _scored(each: Mistake, opened: bool) -> str:
    said = f"people {_number(each.get('score'))}{_above(each.get('score_place'))}"
    said += f" · cosine {_number(each.get('cosine_after'))}{_above(each.get('cosine_place'))}"
    if each.get("cosine_before") is not None:
        said += f" · {_number(each.get('cosine_before'))} before training"
    sides = [(name.capitalize(), {"text": each.get(key)}) for name, key in SENTENCES]
    return _entry(each.get("sentence1"), said, sides, opened)


def _judged(each: Mistake, opened: bool) -> str:
    said = "they belong together" if each.get("together") is True else "they do not belong together"
    said += f" · cosine {_number(each.get('cosine_after'))}{_above(each.get('cosine_place'))}"
    if each.get("cosine_before") is not None:
        said += f" · {_number(each.get('cosine_before'))} before training"
    sides = [(name.capitalize(), {"text": each.get(key)}) for name, key in SENTENCES]
    return _entry(each.get("sentence1"), said, sides, opened)


def _labelled(each: Mistake, opened: bool) -> str:
    near = _part(each.get("nearest"))
    said = f"{each.get('label')}, taken for {each.get('guess_after')}"
    if each.get("guess_before") is not None:
        before = each["guess_before"]
        said += ", as before training" if before == each.get("guess_after") else f", for {before} before training"
    return _entry(each.get("text"), said, [(f"The nearest text of {near.get('label')}", near)], opened)


KINDS: dict[str, Callable[[Mistake, bool], str]] = {
    "query": _retrieval,
    "together": _judged,
    "sentence1": _scored,
    "label": _labelled,
}
"""What writes a mistake, by a field that only its kind has."""


def _entry(query: object, said: str, sides: Sequence[tuple[str, Mistake]], opened: bool) -> str:
    parts = []
    for heading, part in sides:
        score = units.finite(part.get("score"))
        head = heading + (f", score {units.quality(score)}" if score is not None else "")
        parts.append(
            tag(
                "div",
                tag("h3", text(head)) if head else "",
                tag("pre", tag("code", excerpt(str(part.get("text") or "")))),
            )
        )
    summary = tag("summary", tag("b", text(query or "")), tag("span", text(said)))
    kind = "sides" if len(parts) > 1 else None
    return tag("details", summary, tag("div", *parts, class_=kind), class_="answer", open="" if opened else None)


def _is_answer(each: object) -> bool:
    """Whether hits are lists of objects."""
    sides = [each.get(side, []) for side, _ in SIDES] if isinstance(each, dict) else [None]
    return all(isinstance(hits, list) and all(isinstance(hit, dict) for hit in hits) for hits in sides)


def _part(value: object) -> Mistake:
    return value if isinstance(value, dict) else {}


def _place(rank: object) -> str:
    return ordinal(rank) if isinstance(rank, int) else units.DASH


def _number(value: object) -> str:
    found = units.finite(value)
    return units.DASH if found is None else units.significant(found)


def _above(place: object) -> str:
    found = units.finite(place)
    return "" if found is None else f", above {100 * found:.0f} % of the pairs"
