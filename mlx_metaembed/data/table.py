"""Rows with named columns, one after another, into one shape: what JSON lines, CSV, Parquet and SQLite share.

The first row that is recognised sets the shape and the columns; every later row must have the same.
"""

from collections.abc import Mapping

from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.rows import Labelled, Pairs, Scored
from mlx_metaembed.data.shapes import KNOWN, Shape, complete, mismatch
from mlx_metaembed.errors import CallError


class Table:
    """Takes rows with `add`, notes what is wrong with them, and gives them as one of the row classes."""

    def __init__(self, faults: Faults, *, scores_as_text: bool = False) -> None:
        self.faults = faults
        self.shape: Shape | None = None
        self.used: tuple[str, ...] = ()
        self._scores_as_text = scores_as_text
        self._first = ""
        self._good: set[tuple[str, ...]] = set()
        self._columns: tuple[list, list, list] = ([], [], [])

    def header(self, where: str, columns: tuple[str, ...]) -> bool:
        """Whether columns belong to this table; the first that are recognised set its shape. Notes the faults."""
        if columns in self._good:
            return True
        fits = complete(columns)
        if self.shape is None:
            if len(fits) != 1:
                self.faults.add(where, None, mismatch(columns), group=columns)
                self.faults.advice[KNOWN] = None
                return False
            self.shape, self.used, self._first = fits[0], fits[0].used(columns), where
        elif self.shape not in fits and fits:
            names = [", ".join(shape.required) for shape in (fits[0], self.shape)]
            self.faults.add(
                where, None, f"columns {names[0]}, but {self._first} has {names[1]}; one file has one shape"
            )
            return False
        missing = [name for name in self.used if name not in columns]
        surplus = [name for name in self.shape.used(columns) if name not in self.used]
        for name in missing:
            self.faults.add(where, name, f"missing; {self._first} has it, and found are {', '.join(columns) or 'none'}")
        for name in surplus:
            self.faults.add(where, name, f"{self._first} has no such column; every row has the same")
        if not missing and not surplus:
            self._good.add(columns)
        return columns in self._good

    def add(self, where: str, row: Mapping[str, object]) -> None:
        """Take one row; `where` ("line 3") names it in faults."""
        if self.header(where, tuple(row)):
            getattr(self, f"_add_{self.shape.kind}")(where, row)

    def rows(self) -> Pairs | Scored | Labelled:
        """Everything taken. Raises CallError with every fault, or where there is no row."""
        self.faults.raise_any()
        if self.shape is None or not self._columns[0]:
            raise CallError(f"{self.faults.source} has no rows; expected at least one.\n{KNOWN}")
        if self.shape.kind == "scored":
            return Scored(*self._columns)
        if self.shape.kind == "labelled":
            return Labelled(*self._columns[:2])
        return Pairs(*self._columns)

    def _append(self, *values: object) -> None:
        for column, value in zip(self._columns, values, strict=False):
            column.append(value)

    def _good_texts(self, where: str, row: Mapping[str, object], names: tuple[str, ...]) -> bool:
        # A list: every column is checked, not only those before the first fault.
        return False not in [self.faults.text(where, name, row[name]) for name in names]

    def _add_pairs(self, where: str, row: Mapping[str, object]) -> None:
        if self._good_texts(where, row, self.used):
            anchor, positive, *negatives = (row[name] for name in self.used)
            self._append(anchor, positive, tuple(negatives))

    def _add_scored(self, where: str, row: Mapping[str, object]) -> None:
        good = self._good_texts(where, row, self.used[:2])
        score = self.faults.number(where, "score", row["score"], as_text=self._scores_as_text)
        if good and score is not None:
            self._append(row["sentence1"], row["sentence2"], score)

    def _add_labelled(self, where: str, row: Mapping[str, object]) -> None:
        text, label = row["text"], row["label"]
        if isinstance(label, int) and not isinstance(label, bool):
            label = str(label)
        if all([self.faults.text(where, "text", text), self.faults.text(where, "label", label)]):
            self._append(text, label)

    def _add_lists(self, where: str, row: Mapping[str, object]) -> None:
        """FlagEmbedding's row: one row a positive, each with all the negatives. Scores are checked, not kept."""
        good = [self.faults.text(where, "query", row["query"])]
        for name, fewest in (("pos", 1), ("neg", 0)):
            if name in row:
                good.append(self._good_list(where, name, row[name], fewest))
        for name, scores in (("pos", "pos_scores"), ("neg", "neg_scores")):
            # Files without scores often have the column, with null in it.
            if row.get(scores) is not None:
                good.append(self._good_scores(where, scores, row[scores], row.get(name)))
        if all(good):
            for positive in row["pos"]:
                self._append(row["query"], positive, tuple(row.get("neg", ())))

    def _good_list(self, where: str, name: str, texts: object, fewest: int) -> bool:
        if not isinstance(texts, list):
            advice = "; write [] where there are none" if texts is None and not fewest else ""
            self.faults.add(where, name, f"{kind(texts)}; expected a list of texts{advice}")
            return False
        if len(texts) < fewest:
            self.faults.add(where, name, "an empty list; expected at least one text")
            return False
        return False not in [self.faults.text(f"{where}, item {at}", name, text) for at, text in enumerate(texts, 1)]

    def _good_scores(self, where: str, name: str, scores: object, texts: object) -> bool:
        if not isinstance(scores, list):
            self.faults.add(where, name, f"{kind(scores)}; expected a list of numbers")
            return False
        if isinstance(texts, list) and len(texts) != len(scores):
            self.faults.add(where, name, f"{len(scores)} scores for {len(texts)} texts; expected one for each")
            return False
        numbers = [self.faults.number(f"{where}, item {at}", name, score) for at, score in enumerate(scores, 1)]
        return None not in numbers
