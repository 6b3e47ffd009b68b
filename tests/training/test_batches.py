"""Batches: order, shapes, masks, padding."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.training import batches
from mlx_metaembed.training.batches import TokenizedRows


def store(lengths: list[int]) -> Store:
    """Texts whose tokens all are their own number plus one."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.concatenate([np.full(length, text + 1, np.int32) for text, length in enumerate(lengths)])
    return Store(ids, starts, np.zeros(len(lengths), np.int32))


def test_an_epoch_has_every_row_once_and_depends_on_seed_and_number():
    tokens = np.arange(103)
    made = batches.epoch(tokens, 10, seed=(1, 0))
    assert sorted(np.concatenate(made).tolist()) == list(range(103))
    assert sorted(len(rows) for rows in made) == [3] + [10] * 10
    again = batches.epoch(tokens, 10, seed=(1, 0))
    assert all((x == y).all() for x, y in zip(made, again, strict=True))
    for other in (batches.epoch(tokens, 10, seed=(2, 0)), batches.epoch(tokens, 10, seed=(1, 1))):
        assert any((x != y).any() for x, y in zip(made, other, strict=True) if len(x) == len(y))


def test_rows_of_like_length_share_a_batch():
    tokens = np.random.default_rng(0).integers(5, 500, 1000)
    spread = [np.ptp(tokens[rows]) for rows in batches.epoch(tokens, 10, seed=(0, 0))]
    # A window of four batches of 10 out of 495 lengths: a quarter of the range, where random batches have nearly all.
    assert np.median(spread) < 495 / 4


@pytest.mark.parametrize(("rows", "size", "steps"), [(10, 5, 2), (11, 5, 2), (12, 5, 3), (3, 5, 1), (1, 5, 1)])
def test_a_last_batch_of_one_row_is_dropped(rows: int, size: int, steps: int):
    assert batches.steps_per_epoch(rows, size) == steps
    assert len(batches.epoch(np.ones(rows), size, seed=(0, 0))) == steps


@pytest.mark.parametrize(
    ("length", "padded"), [(0, 4), (1, 4), (4, 4), (5, 8), (64, 64), (65, 72), (129, 144), (257, 288), (512, 512)]
)
def test_padded_lengths(length: int, padded: int):
    assert chunks.bucket(length) == padded


def test_chunks_hold_every_text_where_they_say():
    lengths = np.random.default_rng(1).integers(2, 60, 77).tolist()
    made, places = chunks.chunks(store(lengths), range(77), pad_id=0, chunk_tokens=512)
    ids = [row for chunk in made for row in chunk.ids]
    masks = [row for chunk in made for row in chunk.mask]
    for text, place in enumerate(places):
        assert ids[place][: lengths[text]].tolist() == [text + 1] * lengths[text]
        assert masks[place].tolist() == [True] * lengths[text] + [False] * (len(ids[place]) - lengths[text])
    assert sum(chunk.tokens for chunk in made) == sum(lengths)
    for chunk in made:
        rows, width = chunk.ids.shape
        assert rows in (2, 4, 8, 16, 32, 64) and rows * width <= 512
        assert chunk.mask.any(axis=1).all()


@pytest.mark.parametrize(("length", "rows"), [(4, 8), (16, 8), (20, 4), (32, 4), (64, 2), (128, 1), (512, 1)])
def test_a_chunk_is_never_cut_finer(length: int, rows: int):
    assert chunks.least_rows(length) == rows
    made, _ = chunks.chunks(store([length] * rows), range(rows), pad_id=0, chunk_tokens=1)
    assert [chunk.ids.shape for chunk in made] == [(rows, length)]


def test_padding_never_passes_the_longest_text_and_an_empty_text_has_a_token():
    made, _ = chunks.chunks(store([130, 129, 0, 3]), range(4), pad_id=0, chunk_tokens=4096)
    assert max(chunk.ids.shape[1] for chunk in made) == 130
    assert all(chunk.pooled.any(axis=1).all() for chunk in made)


@pytest.mark.parametrize("batch_size", [24, 64, 256])
def test_shapes_are_few_and_padding_is_little_on_mixed_lengths(batch_size: int):
    random = np.random.default_rng(2)
    lengths = np.minimum(random.lognormal(3.8, 0.8, 20_000), 256).astype(int) + 3
    texts = store(lengths.tolist())
    columns = TokenizedRows({"anchor": np.arange(10_000), "positive": np.arange(10_000, 20_000)})
    shapes: Counter = Counter()
    real = padded = 0
    for rows in batches.epoch(columns.tokens(texts.lengths), batch_size, seed=(0, 0)):
        for chunk in batches.batch(texts, columns, rows, pad_id=0, chunk_tokens=4096).chunks:
            shapes[chunk.ids.shape] += 1
            real, padded = real + chunk.tokens, padded + chunk.ids.size
    assert chunks.padding_share(real, padded) < 0.08
    assert len(shapes) < 160


def rows_of(anchors: list, positives: list, negatives: list) -> TokenizedRows:
    found = {"anchor": anchors, "positive": positives, "negative": negatives}
    return TokenizedRows({role: np.array(numbers) for role, numbers in found.items()})


def test_a_text_that_rows_share_goes_through_once():
    columns = rows_of([0, 1], [2, 2], [[3, -1], [3, 4]])
    made = batches.batch(store([3] * 5), columns, np.array([0, 1]), pad_id=0, chunk_tokens=4096)
    assert sum(chunk.texts for chunk in made.chunks) == 5
    assert made.places["positive"][0] == made.places["positive"][1]
    assert made.places["negative"].shape == (2, 2)


def test_negatives_come_first_and_only_as_many_as_the_batch_has():
    columns = rows_of([0, 1], [2, 3], [[-1, 4, -1], [-1, -1, -1]])
    made = batches.batch(store([3] * 5), columns, np.array([0, 1]), pad_id=0, chunk_tokens=4096)
    assert made.places["negative"].shape == (2, 1)
    assert made.mask.tolist() == [[True, True, True, False], [True, True, True, False]]


def test_a_teachers_vectors_of_negatives_follow_them():
    columns = rows_of([0, 1], [2, 3], [[-1, 4, -1], [-1, -1, -1]])
    taught = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    columns = replace(columns, targets={"teacher.negative.a": taught, "teacher.anchor.a": taught[:, 0]})
    made = batches.batch(store([3] * 5), columns, np.array([0, 1]), pad_id=0, chunk_tokens=4096)
    # Row 0's only negative stood second; row 1 has none, and what stands there does not count.
    assert made.targets["teacher.negative.a"].shape == (2, 1, 2)
    assert made.targets["teacher.negative.a"][0].tolist() == [[2, 3]]
    alone = batches.batch(store([3] * 5), columns, np.array([1]), pad_id=0, chunk_tokens=4096)
    assert list(alone.targets) == ["teacher.anchor.a", "anchor_number"]


def test_what_is_no_negative_is_masked():
    # Rows: the same anchor twice with two positives; a positive that stands twice; a negative that is row 0's anchor.
    anchors, positives = np.array([0, 0, 1]), np.array([2, 3, 2])
    negatives = np.array([[4], [5], [0]])
    mask = batches.candidates_mask(anchors, positives, negatives)
    assert mask.astype(int).tolist() == [
        # own 2; 3 is the same anchor's; 2 again; 4 and 5 count; text 0 is the anchor itself
        [1, 0, 0, 1, 1, 0],
        [0, 1, 0, 1, 1, 0],
        # row 2: 2 is its own positive's text; 3 counts; own; all negatives count
        [0, 1, 1, 1, 1, 1],
    ]
