"""What a run asks of its rows: texts by role and targets, the columns that give them, and which losses take what."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from mlx_metaembed.data import shapes
from mlx_metaembed.data.shapes import SHAPES, TEXTS, Shape
from mlx_metaembed.errors import CallError

FAMILIES = {
    "pairs": ("anchor", "positive", "negative"),
    "sentences": ("sentence1", "sentence2"),
    "texts": ("text",),
}
"""The roles that stand in one row together."""
TARGETS = ("score", "label", "positive_score", "negative_score")
PAIRS = (
    ("anchor", "positive"),
    ("query", "positive"),
    ("query", "answer"),
    ("question", "answer"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
)
SENTENCES = tuple(sorted(PAIRS, key=lambda names: names[0] != "sentence1"))
LISTS = (("query", "pos"), ("query", "positives"), ("anchor", "positives"))
TAKERS = {
    "a label": "cross_entropy, nt_xent and the batch triplets take the label of a text",
    "a score": "cosent, angle, mse and the contrastive losses take the score of two sentences, mse that of a text",
    "a negative": "info_nce, gist, triplet, mega_batch_margin, margin_mse, kl and kl_in_batch take negatives",
    "a prompt": "a recipe gives prompts by role, in [[data]]",
    "candidates' scores": "margin_mse and kl take the scores of positives and negatives",
}


@dataclass(frozen=True)
class Wanted:
    """The roles and targets of the rows that losses take; `optional` roles are read where they are there."""

    roles: tuple[str, ...]
    optional: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @cached_property
    def families(self) -> list[str]:
        """The families of what is required, else of what may be there. Raises CallError where two are required."""
        known = [role for roles in FAMILIES.values() for role in roles]
        if unknown := [role for role in (*self.roles, *self.optional) if role not in known]:
            raise CallError(f"There is no role {unknown[0]!r}; known: {', '.join(known)}")
        if unknown := [target for target in self.targets if target not in TARGETS]:
            raise CallError(f"There is no target {unknown[0]!r}; known: {', '.join(TARGETS)}")
        found = [name for name, roles in FAMILIES.items() if set(roles) & set(self.roles)]
        if len(found) > 1:
            raise CallError(
                f"No row has {', '.join(self.roles)} all together; give the rows of each kind a data set of its own, "
                "which may have the same path"
            )
        found = found or [name for name, roles in FAMILIES.items() if set(roles) & set(self.optional)] or ["texts"]
        # The columns of pairs and of two sentences are the same.
        return [name for name in found if name != "sentences" or "pairs" not in found]

    @property
    def is_pairs(self) -> bool:
        """Whether it is pairs without a target, which labels and judgements give too."""
        return self.families == ["pairs"] and not self.targets

    @property
    def is_texts(self) -> bool:
        """Whether it is texts alone, which rows of any kind give."""
        return self.families[-1:] == ["texts"] and not self.targets

    @cached_property
    def groups(self) -> list[tuple[Shape, ...]]:
        """The shapes that give such rows; those of a group come before those of the next."""
        if self.is_pairs:
            return [SHAPES]
        if self.is_texts:
            return [(TEXTS,), tuple(Shape("rows", names, negatives=True) for names in (*PAIRS, *LISTS))]
        groups = [tuple(self._shapes({}))]
        if "label" in self.targets:
            groups.append(tuple(self._shapes({"label": "gold_label"})))
        elif "score" in self.targets:
            groups.append(tuple(self._shapes({"score": "label"})))
        if not groups[0]:
            raise CallError(f"No row has a text alone and {', '.join(self.targets)}; ask for anchor and positive")
        return groups

    def fits(self, columns: Collection[str], chosen: Collection[str] = ()) -> list[Shape]:
        """The shapes of the first group that columns fit, and that read every column that was `chosen`."""
        for group in self.groups:
            fits = [each for each in group if not each.missing(columns) and set(chosen) <= set(each.used(columns))]
            if fits:
                return fits
        return []

    def mismatch(self, columns: Collection[str], chosen: Collection[str] = ()) -> str:
        """Why columns give no such row, or may be read in more than one way."""
        fits = self.fits(columns, chosen)
        if fits or self.is_pairs:
            said, more = shapes.mismatch(columns, chosen, fits), trains(columns)
            return f"{said}. {more}" if more and not fits else said
        found = ", ".join(repr(name[:40]) for name in columns) or "none"
        more = trains(columns)
        if self.fits(columns):
            return f"columns {found} fit no shape that has {' and '.join(map(repr, chosen))}"
        closest = min((each for group in self.groups for each in group), key=lambda each: len(each.missing(columns)))
        lacking = closest.missing(columns)
        some = lacking and any(name in columns for name in closest.required)
        lacks = " and ".join(map(repr, lacking)) if some else "what is asked"
        return f"columns {found} lack {lacks}; taken are {self.taken}" + (f". {more}" if more else "")

    @property
    def taken(self) -> str:
        """The columns that give such rows, the first of each kind."""
        return " or ".join(f"({group[0]})" for group in self.groups if group)

    def by_position(self, cells: Collection[object]) -> tuple[str, ...]:
        """The names of cells without any, where the asked columns are so many; else none."""
        first = self.groups[0][0]
        scores = [name for name, column in first.targets if not column]
        return first.required if first.targets and not scores and len(cells) == len(first.required) else ()

    def _shapes(self, renamed: dict[str, str]) -> Iterator[Shape]:
        """The shapes with each target in the column of its name, or in that of `renamed`."""
        for family in self.families:
            negatives = family == "pairs" and "negative" in (*self.roles, *self.optional)
            plain = {"pairs": (*PAIRS, *LISTS), "sentences": SENTENCES, "texts": (("text",),)}[family]
            if family == "texts" and ({"positive_score", "negative_score"} & set(self.targets) or renamed):
                continue
            columns = [(name, "" if name.endswith("_score") else renamed.get(name, name)) for name in self.targets]
            for names in plain:
                # A number beside premise and hypothesis is a class: 0 stands for entailment.
                if not (renamed.get("score") and names[0] == "premise"):
                    yield Shape("rows", (*names, *(each for _, each in columns if each)), (), negatives, tuple(columns))


TRAINS = (
    (
        "scored candidates",
        Wanted(("anchor", "positive", "negative"), (), ("positive_score", "negative_score")),
        ("margin_mse", "kl"),
    ),
    (
        "scored pairs",
        Wanted(("sentence1", "sentence2"), (), ("score",)),
        ("cosent", "mse", "angle", "contrastive", "online_contrastive"),
    ),
    (
        "pairs",
        Wanted(("anchor", "positive"), ("negative",)),
        ("info_nce", "gist", "triplet", "mega_batch_margin", "kl_in_batch"),
    ),
    (
        "labelled texts",
        Wanted(("text",), (), ("label",)),
        (
            *("cross_entropy", "nt_xent", "batch_hard_triplet", "batch_hard_soft_margin_triplet"),
            *("batch_semi_hard_triplet", "batch_all_triplet"),
        ),
    ),
    ("scored texts", Wanted(("text",), (), ("score",)), ("mse",)),
    ("texts", Wanted(("text",)), ("distillation", "similarity_distillation", "relative_similarity_distillation")),
)
"""Kinds of rows, and the losses that take them."""


def trains(columns: Collection[str]) -> str:
    """Which losses take rows of some columns, as a sentence; empty where none does."""
    found = []
    for kind, wanted, losses in TRAINS:
        fits = [shape for shape in wanted.fits(columns) if not wanted.is_pairs or shape.kind == "pairs"]
        used = fits[0].used(columns) if fits else ()
        if fits and not any(shapes.meant(name, fits[0], used, training=True) for name in columns if name not in used):
            *others, last = losses
            found.append(f"{', '.join(others)} or {last} ({kind})" if others else f"{last} ({kind})")
    return f"Such rows train with {', '.join(found)}" if found else ""


def taker(name: str, what: str) -> str:
    """What takes a column that says `what`, as an addition to a fault."""
    found = TAKERS.get("candidates' scores" if shapes.is_candidates(name) else what, "")
    return f"; {found}" if found else ""
