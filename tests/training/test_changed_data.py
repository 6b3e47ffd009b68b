"""Data that changed while a run was stopped: scores and labels count as texts do."""

import json
from pathlib import Path

import numpy as np
import pytest
from runs import recipe, stop_after
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training import train
from mlx_metaembed.training.tokenized_dataset import number

SCORED = [{"sentence1": f"{TEXTS[0]} {row}", "sentence2": f"{TEXTS[1]} {row}", "score": row / 24} for row in range(24)]
LABELLED = [{"text": f"{TEXTS[0]} {row}", "label": ("cat", "dog", "owl")[row % 3]} for row in range(24)]
CANDIDATES = [
    {"query": f"{TEXTS[0]} {row}", "pos": [f"{TEXTS[1]} {row}"], "neg": [f"{TEXTS[2]} {row}"]}
    | {"pos_scores": [0.5 + row / 50], "neg_scores": [row / 50]}
    for row in range(24)
]
CHANGES = {
    "a score": (SCORED, "cosent", lambda rows: rows[7] | {"score": 0.99}),
    "a label": (LABELLED, "cross_entropy", lambda rows: rows[7] | {"label": "owl"}),
    "a candidate's score": (CANDIDATES, "kl", lambda rows: rows[7] | {"neg_scores": [0.99]}),
}


def key(path: Path, **changes: object) -> str:
    given = {"texts": {"text": ["sort a list", "open a socket"]}, "labels": ("cat", "dog")}
    given |= {"targets": {"label": np.array([0, 1], np.int32)}}
    folder = folders.read(path)
    return number({"data": Rows(**given | changes)}, folder, Tokenizer(folder, 32)).key


def test_the_key_of_rows_tells_names_dtypes_shapes_and_labels(tiny: Path):
    whole = np.array([0, 1], np.int32)
    changes = [
        {},
        {"texts": {"anchor": ["sort a list", "open a socket"]}},
        {"labels": ("cat", "owl")},
        {"targets": {"score": whole}},
        {"targets": {"label": whole.view(np.float32)}},
        {"targets": {"label": whole.reshape(2, 1)}},
        {"targets": {"label": whole[::-1]}},
    ]
    assert key(tiny) == key(tiny) and len({key(tiny, **each) for each in changes}) == 7


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_does_not_go_on_with_another_target(mlx_engine: str, tiny: Path, tmp_path: Path, change: str):
    rows, loss, changed = CHANGES[change]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = recipe(tiny, data, tmp_path / "out", engine=mlx_engine, loss=loss, fsq="", matryoshka=(), epochs=1)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(1)])
    data.write_text("".join(json.dumps(row) + "\n" for row in [*rows[:7], changed(rows), *rows[8:]]))
    with pytest.raises(CallError, match=r"rows\.jsonl or the tokenizer has changed since .*checkpoint-1 was written"):
        train(settings, resume=True)
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert train(settings, resume=True).steps == 3
