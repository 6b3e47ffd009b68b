"""A run's texts by number: each with its prompt once, and one number for a text whatever prompt it carries."""

from pathlib import Path

import numpy as np
import pytest
from arrays import on
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.losses import info_nce, triplet
from mlx_metaembed.training import batches
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset, number

SIDES = {"query": "open ", "document": "read "}


def numbered(path: Path, rows: Rows, prompts: dict[str, str]) -> TokenizedDataset:
    folder = folders.read(tiny_folder(path, prompts=prompts))
    return number({"data": rows}, folder, Tokenizer(folder, 32))


def triples(anchors: list[str], positives: list[str], negatives: list[tuple[str, ...]]) -> Rows:
    return Rows({"anchor": anchors, "positive": positives, "negative": negatives}, {})


def whole(found: TokenizedDataset, path: Path) -> batches.Batch:
    """All rows as one batch."""
    folder = folders.read(path)
    store = found.store(Tokenizer(folder, 32), path, lambda count: None)
    return batches.batch(store, found.rows["data"], np.arange(len(found.rows["data"])), pad_id=0, chunk_tokens=4096)


@pytest.mark.parametrize("prompts", [{}, SIDES, {"query": "open "}], ids=["no prompts", "both", "one"])
def test_a_text_on_the_other_side_is_no_negative_of_its_own_row(tmp_path: Path, prompts: dict[str, str]):
    # "a" is an anchor and the second row's positive; "b" a positive, and with other spaces a negative.
    pairs = triples(["a", "c", "d"], ["b", "a", "e"], [("e",), (" b\n",), ("d",)])
    made = whole(numbered(tmp_path / "m", pairs, prompts), tmp_path / "m")
    assert made.mask.astype(int).tolist() == [
        # positives b, a, e; then the rows' negatives e, b, d
        [1, 0, 1, 1, 0, 1],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 1, 0],
    ]
    # Each text goes through once a prompt: a, c, d, b, e and " b\n", and with prompts "a" and "d" on both sides.
    assert len(made.texts) == (8 if prompts else 6)


def test_the_positives_of_one_anchor_are_none_of_its_negatives_with_other_spaces(tmp_path: Path):
    pairs = triples(["a", "a ", "c"], ["b", "d", "e"], [(), (), ()])
    made = whole(numbered(tmp_path / "m", pairs, SIDES), tmp_path / "m")
    assert made.mask.astype(int).tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(("settings", "times"), [({}, 1), ({"symmetric": True}, 1), ({"widths": (2, 4)}, 2)], ids=str)
def test_losses_do_not_push_a_text_from_itself(engine_name: str, tmp_path: Path, settings: dict, times: int):
    pairs = triples(["a", "c"], ["b", "a"], [(), ()])
    made = whole(numbered(tmp_path / "m", pairs, SIDES), tmp_path / "m")
    units = np.eye(4, dtype=np.float32)
    # Row 1's positive is row 0's own text, and lies where its anchor does: it would cost log(1 + e).
    anchors, positives = on(engine_name, units[[0, 1]]), on(engine_name, units[[2, 0]])
    found = info_nce(anchors, positives, None, on(engine_name, made.mask), temperature=1.0, **settings)
    assert float(found) == pytest.approx(times * (0 + np.log(2)) / 2, abs=1e-6)


def test_a_triplets_negative_that_is_its_own_anchor_counts_for_nothing(engine_name: str, tmp_path: Path):
    pairs = triples(["a", "c"], ["b", "d"], [("a",), ("e",)])
    made = whole(numbered(tmp_path / "m", pairs, SIDES), tmp_path / "m")
    vectors = np.eye(4, dtype=np.float32)
    anchors, positives = (on(engine_name, vectors[at : at + 2]) for at in (0, 2))
    negatives = on(engine_name, vectors[[0, 3]][:, None])
    # Row 0's negative, its own text, would cost 1.2; row 1's costs the margin alone.
    assert float(triplet(anchors, positives, negatives, on(engine_name, made.mask))) == pytest.approx(0.2)
