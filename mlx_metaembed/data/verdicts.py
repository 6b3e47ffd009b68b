"""Labels beside pairs: which rows are pairs, and which texts are hard negatives of their anchor.

1 and entailment say that the two belong together, 0 and contradiction that they do not, as in sentence-transformers'
labelled pairs and its NLI triplets; neutral, and SNLI's -, say neither.
"""

from mlx_metaembed.errors import CallError

TOGETHER, APART, NEITHER = "together", "apart", "neither"
WORDS = {
    "1": TOGETHER,
    "1.0": TOGETHER,
    "true": TOGETHER,
    "entailment": TOGETHER,
    "0": APART,
    "0.0": APART,
    "false": APART,
    "contradiction": APART,
    "neutral": NEITHER,
    "-": NEITHER,
}
EXPECTED = "expected 1 or 0, or entailment, neutral or contradiction"


def verdict(label: object, *, numbers: bool = True) -> str | None:
    """What a label says, or None where it is none of the known words; `numbers` False where only words are clear."""
    word = str(label).strip().lower() if isinstance(label, str | int | float) else ""
    found = WORDS.get(word)
    return found if numbers or word.isalpha() or word == "-" else None


class Judged:
    """Rows with a verdict, taken one by one; `settle` gives the pairs with their hard negatives."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, tuple[str, ...]]] = []
        self._apart: dict[str, dict[str, None]] = {}
        self._counts = {TOGETHER: 0, APART: 0, NEITHER: 0}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def add(self, anchor: str, text: str, negatives: tuple[str, ...], said: str) -> None:
        """Take a row whose label said `said`."""
        self._counts[said] += 1
        if said == TOGETHER:
            self._rows.append((anchor, text, negatives))
        elif said == APART:
            self._apart.setdefault(anchor, {})[text] = None

    def settle(self, source: str) -> tuple[list[tuple[str, str, tuple[str, ...]]], list[str]]:
        """The pairs, each with the texts that its anchor does not belong to, and notes on what became of the rest.

        Raises CallError where no row is a pair.
        """
        if not self._rows:
            raise CallError(
                f"{source} has no row whose label says that its texts belong together; expected 1 or entailment"
            )
        positives: dict[str, set[str]] = {}
        for anchor, text, _ in self._rows:
            positives.setdefault(anchor, set()).add(text)
        found, rows = 0, []
        for anchor, text, negatives in self._rows:
            apart = [each for each in self._apart.get(anchor, ()) if each not in positives[anchor]]
            rows.append((anchor, text, (*negatives, *apart)))
        for anchor, texts in self._apart.items():
            found += len(texts) if anchor in positives else 0
        lost = self._counts[APART] - found
        notes = []
        if found:
            notes.append(f"{found:,} rows labelled 0 or contradiction are hard negatives of their anchor")
        if lost:
            notes.append(
                f"{lost:,} rows labelled 0 or contradiction are left out: no positive of their anchor, or a text twice"
            )
        if self._counts[NEITHER]:
            notes.append(f"{self._counts[NEITHER]:,} rows labelled neutral are left out")
        return rows, notes
