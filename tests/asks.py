"""Rows that losses of each kind ask for, and what must hold of what they get."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError

PAIRS = {"roles": ("anchor", "positive"), "optional": ("negative",)}
TRIPLETS = {"roles": ("anchor", "positive", "negative")}
SCORED = {"roles": ("sentence1", "sentence2"), "targets": ("score",)}
LABELLED = {"roles": ("text",), "targets": ("label",)}
RATED = {"roles": ("text",), "targets": ("score",)}
JUDGED = {"roles": ("sentence1", "sentence2"), "targets": ("label",)}
CANDIDATES = {"roles": ("anchor", "positive", "negative"), "targets": ("positive_score", "negative_score")}
TEXTS = {"roles": ("text",)}


def wrote(path: Path, rows: tuple) -> Path:
    """The file with rows in it, as CSV or as JSON lines."""
    with path.open("w", newline="") as out:
        if path.suffix == ".csv":
            csv.writer(out).writerows(rows)
        else:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def fault(call, *args, **options) -> str:
    """The message of the CallError that a call raises."""
    with pytest.raises(CallError) as error:
        call(*args, **options)
    return str(error.value)


def same(rows, texts, **targets):
    """Check that rows hold these texts and targets, and no others."""
    assert rows.texts == texts
    assert {name: values.tolist() for name, values in rows.targets.items()} == targets
    kinds = {"label": np.int32}
    assert all(values.dtype == kinds.get(name, np.float32) for name, values in rows.targets.items())


def same_scores(rows, texts, near, far):
    """Check that rows hold these texts and the scores of candidates, NaN where there is none."""
    assert rows.texts == texts
    assert set(rows.targets) == {"positive_score", "negative_score"}
    np.testing.assert_array_equal(rows.targets["positive_score"], np.array(near, np.float32))
    np.testing.assert_array_equal(rows.targets["negative_score"], np.array(far, np.float32))
    assert {values.dtype for values in rows.targets.values()} == {np.dtype(np.float32)}
