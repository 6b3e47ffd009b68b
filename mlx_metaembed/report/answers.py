"""Questions and what was found for them, by text, before training beside after."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.markup import tag, text

CODE_LINES, CODE_COLUMNS = 9, 140
"""What is shown of an answer's text."""
SIDES = (("before", "Before training"), ("after", "After training"))

Answer = Mapping[str, object]
"""`{"query", "before": hits, "after": hits}`, or `"hits"` alone; `"right_before"` and `"right_after"` are ranks of the
first right answer. A hit is `{"score", "text"}` with `"id"` and `"right"` where they are known; `"right"` may say in
words why it is."""


def answers(found: Sequence[Answer]) -> str:
    """Every question as a line that opens to its answers; the first is open."""
    return "".join(_answer(answer, opened=not place) for place, answer in enumerate(found))


def _answer(answer: Answer, *, opened: bool) -> str:
    sides = [(answer[side], heading) for side, heading in SIDES if answer.get(side) is not None]
    sides = sides or [(answer.get("hits"), "")]
    parts = [_side(list(hits or ()), heading) for hits, heading in sides]
    summary = tag("summary", tag("b", text(answer.get("query", ""))), _ranks(answer, sides))
    kind = "sides" if len(parts) > 1 else None
    return tag("details", summary, tag("div", *parts, class_=kind), class_="answer", open="" if opened else None)


def _ranks(answer: Answer, sides: Sequence[tuple]) -> str:
    """Where the right answer stood and stands, where that is known."""
    ranks = [answer.get(f"right_{side}") for side, _ in SIDES]
    if isinstance(ranks[0], int) and isinstance(ranks[1], int):
        sign = (ranks[1] < ranks[0]) - (ranks[1] > ranks[0])
        kind = {1: "good", -1: "bad", 0: "none"}[sign]
        moved = f"{ordinal(ranks[0])} → {ordinal(ranks[1])}" if sign else f"{ordinal(ranks[1])}, as before"
        return tag("span", "right answer: ", tag("span", moved, class_=kind))
    return tag("span", "no hits") if not any(list(hits or ()) for hits, _ in sides) else ""


def ordinal(rank: int) -> str:
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank:,}{ending}"


def _side(hits: Sequence[Mapping[str, object]], heading: str) -> str:
    listed = tag("ol", *(_hit(hit, rank) for rank, hit in enumerate(hits, 1))) if hits else tag("p", "no hits")
    return tag("div", tag("h3", text(heading)) if heading else "", listed if hits or heading else "")


def _hit(hit: Mapping[str, object], rank: int) -> str:
    score, name = units.finite(hit.get("score")), str(hit.get("id") or "")
    head = [tag("span", f"{rank}."), tag("span", units.DASH if score is None else units.quality(score))]
    # A row's number says nothing to people.
    if name and not name.isdecimal():
        head.append(tag("b", text(name)))
    if right := hit.get("right"):
        head.append(tag("em", text(right) if isinstance(right, str) else "right answer"))
    return tag("li", tag("div", *head, class_="hit"), tag("pre", tag("code", excerpt(str(hit.get("text") or "")))))


def excerpt(code: str) -> str:
    """The first lines, long ones cut, and how much is left out."""
    lines = code.strip("\n").splitlines()
    cut = [line if len(line) <= CODE_COLUMNS else line[: CODE_COLUMNS - 1] + "…" for line in lines[:CODE_LINES]]
    while cut and not cut[-1].strip():
        cut.pop()
    rest = len(lines) - len(cut)
    more = tag("i", f"\n… {rest:,} more line{'s' if rest > 1 else ''}") if rest > 0 else ""
    return text("\n".join(cut)) + more
