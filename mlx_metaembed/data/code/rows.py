"""Rows out of a program: its functions with what says what they do, or its pieces; and which are there already."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator

from mlx_metaembed.data.code import chunks, comments, languages, names
from mlx_metaembed.data.code.choices import Choices
from mlx_metaembed.data.code.function import Function
from mlx_metaembed.data.code.program import Program
from mlx_metaembed.data.same_text import number

Row = dict[str, object]


class Taken:
    """The rows that are kept; `left_out` counts the others by their reason."""

    def __init__(self, choices: Choices) -> None:
        self.left_out: Counter = Counter()
        self._choices, self._seen = choices, set()

    def of(self, program: Program, path: str, origin: dict[str, str | None]) -> Iterator[Row]:
        """The rows of a program, in the order of its lines."""
        if self._choices.kind == "chunks":
            yield from self._chunks(program, path, origin)
            return
        speaks = _documented if self._choices.kind == "docstring" else _named
        for function in program.functions:
            anchor, positive, reason = speaks(function)
            reason = reason or ("too small" if function.is_trivial else "")
            if row := self.kept(anchor, positive, reason):
                yield row | about(function, program, path) | origin

    def kept(self, anchor: str, positive: str, reason: str = "") -> Row | None:
        """A pair; None where there is a reason against it, one of its texts is too long, or its code is known."""
        if not reason and max(len(anchor), len(positive)) >= self._choices.max_characters:
            reason = "too long"
        if not reason and not self._is_new(positive):
            reason = "duplicates"
        if reason:
            self.left_out[reason] += 1
            return None
        return {"anchor": anchor, "positive": positive}

    def _chunks(self, program: Program, path: str, origin: dict[str, str | None]) -> Iterator[Row]:
        ids: Counter = Counter()
        # No function lies in another one, so that both their ends stand in order.
        functions = sorted(program.functions, key=lambda each: each.first_line)
        firsts, lasts = ([each.first_line for each in functions], [each.last_line for each in functions])
        for chunk in chunks.chunks(program, self._choices.max_tokens, self._choices.lengths):
            if not any(map(str.isalpha, chunk.text)):
                self.left_out["no words"] += 1
            elif not self._is_new(chunk.text):
                self.left_out["duplicates"] += 1
            else:
                lines = f"{chunk.first_line}-{chunk.last_line}"
                ids[lines] += 1
                inside = functions[bisect_left(lasts, chunk.first_line) : bisect_right(firsts, chunk.last_line)]
                yield {
                    "text": chunk.text,
                    "id": f"{path}:{lines}" + (f"#{ids[lines]}" if ids[lines] > 1 else ""),
                    "path": path,
                    "lines": lines,
                    "language": languages.shown(program.language),
                    "name": ", ".join(each.name for each in inside[:8]),
                } | origin

    def _is_new(self, text: str) -> bool:
        """Whether a text differs from all before, in more than white space."""
        before = len(self._seen)
        self._seen.add(number(text))
        return len(self._seen) > before


def about(function: Function, program: Program, path: str) -> Row:
    """The columns that say where a function stands."""
    return {
        "path": path,
        "lines": f"{function.first_line}-{function.last_line}",
        "language": languages.shown(program.language),
        "name": function.name,
    }


def _documented(function: Function) -> tuple[str, str, str]:
    """A function's documentation, its text, and why they are no pair."""
    anchor = comments.summary(function.doc)
    return anchor, function.text, "" if anchor and function.text else "without documentation"


def _named(function: Function) -> tuple[str, str, str]:
    """The words of a function's name, its body, and why they are no pair."""
    anchor = names.spoken(function.own_name)
    return anchor, function.body, "" if anchor and function.body else "a name of one word"
