"""A query's negatives as rows of JSON: sentence-transformers' output formats, with columns that training reads.

n-tuple: anchor, positive, negative_1 .. negative_n. triplet: a row a negative. list: all of a row in `negatives`, so
that a row may have fewer. labeled-pair: anchor, positive, label, a row a text. labeled-list: texts and labels as lists.
"""

from collections.abc import Iterator, Sequence


def rows(
    output_format: str,
    query: str,
    positives: Sequence[tuple[str, float]],
    negatives: Sequence[tuple[str, float]],
    *,
    count: int,
    scores: bool,
) -> Iterator[dict]:
    """The rows of one query, of texts with scores; none in an n-tuple of fewer than `count`, none without a negative.

    With `scores` also positive_score and negative_score_1 .. (negative_scores of a list), which margin_mse and kl read;
    a labeled pair then has its score in place of its label.
    """
    if not negatives or (output_format == "n-tuple" and len(negatives) < count):
        return
    texts, values = [text for text, _ in negatives], [score for _, score in negatives]
    if output_format == "labeled-pair":
        for text, score, label in [(*each, 1) for each in positives] + [(*each, 0) for each in negatives]:
            yield {"anchor": query, "positive": text} | ({"score": score} if scores else {"label": label})
        return
    for positive, score in positives:
        row: dict[str, object] = {"anchor": query, "positive": positive}
        if output_format == "labeled-list":
            row["positive"] = [positive, *texts]
            yield row | ({"scores": [score, *values]} if scores else {"labels": [1] + [0] * len(texts)})
        elif output_format == "triplet":
            for text, value in negatives:
                own = {"positive_score": score, "negative_score": value} if scores else {}
                yield row | {"negative": text} | own
        elif output_format == "list":
            yield row | {"negatives": texts} | ({"positive_score": score, "negative_scores": values} if scores else {})
        else:
            row |= {f"negative_{at}": text for at, text in enumerate(texts, start=1)}
            if scores:
                row["positive_score"] = score
                row |= {f"negative_score_{at}": value for at, value in enumerate(values, start=1)}
            yield row
