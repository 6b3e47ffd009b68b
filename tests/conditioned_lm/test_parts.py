"""What is held out, and the order of the rest."""

from pathlib import Path

import numpy as np
import pytest
from language_models import tiny_lm

from mlx_metaembed.conditioned_lm import base, parts
from mlx_metaembed.conditioned_lm.batches import Batch, Batches
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.settings import Settings
from mlx_metaembed.conditioned_lm.tokens import Tokens

LEVELS = Levels(("", ""), (3, 4))


def test_half_of_what_is_held_out_has_ids_that_are_not_learned():
    random = np.random.default_rng(0)
    ids = np.column_stack([random.integers(0, 8, 1_000), random.integers(0, 8, 1_000)])
    own, held = parts.split(ids, 0.2, seed=0)
    assert sorted([*own, *held]) == list(range(1_000)) and len(held) == 200
    seen = parts.seen(ids[own], ids[held])
    assert 70 <= (~seen).sum() <= 100
    assert own.tolist() == parts.split(ids, 0.2, seed=0)[0].tolist() != parts.split(ids, 0.2, seed=1)[0].tolist()


def test_every_level_keeps_two_texts_to_learn_from():
    # Level 2 of the first digit is seen once, level 1 of it twice.
    ids = np.array([[0, 0]] * 20 + [[1, 1]] * 2 + [[2, 0]])
    own, held = parts.split(ids, 0.5, seed=0)
    assert {20, 21, 22} <= set(own.tolist()) and len(held) == 12


def test_nothing_is_held_out_of_a_share_of_none():
    assert parts.split(np.zeros((9, 1), int), 0.0, seed=0)[1].tolist() == []


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(base.find(str(tiny_lm(tmp_path / "lm"))))


def made(tokens: Tokens, **settings: object) -> Batches:
    texts = [" ".join(["sort a list"] * (1 + at % 4)) for at in range(10)]
    ids = np.array([[at % 3, at % 4] for at in range(10)], np.int32)
    return Batches(texts, ids, tokens, LEVELS, Settings(**({"condition": "film", "batch_size": 4} | settings)))


def test_a_batch_has_the_start_the_text_and_its_end(tokens: Tokens):
    batch = made(tokens).made([0], np.array([[1, 2]]))
    words = tokens.of(["sort a list"], 9)[0]
    assert batch.ids.tolist() == [[2, *words, 0, 0, 0]] and words[-1] == 3
    assert batch.mask.tolist() == [[False, True, True, True, True, False, False, False]]
    assert batch.count == 4


def test_a_text_has_its_id_before_it(tokens: Tokens):
    batch = made(tokens, condition="text").made([0, 0], np.array([[1, 2], [3, 4]]))
    start = tokens.before([1, 2])
    assert batch.ids[0, : len(start)].tolist() == start and not batch.mask[0, : len(start)].any()
    # The levels behind the last stand for none.
    none = tokens.before(None)
    assert batch.ids[1, : len(none)].tolist() == none != start


def test_a_long_text_is_cut_and_has_no_end(tokens: Tokens):
    assert tokens.of(["sort a list", "sort a"], 3) == [
        tokens.of(["sort a list"], 9)[0][:3],
        [*tokens.of(["sort a"], 9)[0]],
    ]


def test_an_epoch_has_every_text_once_in_an_order_of_the_seed(tokens: Tokens):
    batches = made(tokens, id_dropout=0)
    assert batches.an_epoch == 3
    shown = [[tuple(row) for row in batches.at(step).ids] for step in (1, 2, 3)]
    assert [len(rows) for rows in shown] in ([4, 4, 2], [4, 2, 4], [2, 4, 4])
    again = made(tokens, id_dropout=0)
    assert again.at(2).ids.tolist() == batches.at(2).ids.tolist()
    counted = sum(batches.at(step).count for step in (1, 2, 3))
    assert counted == sum(3 * (1 + at % 4) + 1 for at in range(10))


def test_some_ids_are_dropped(tokens: Tokens):
    assert all((made(tokens, id_dropout=1).at(step).digits == LEVELS.none).all() for step in (1, 2, 3))
    batches = made(tokens, id_dropout=0.5)
    dropped = np.concatenate([(batches.at(step).digits == LEVELS.none).all(1) for step in range(1, 61)])
    assert 0.35 < dropped.mean() < 0.65
    # A digit is dropped with the whole ID.
    assert not any(((batches.at(s).digits == LEVELS.none).sum(1) == 1).any() for s in range(1, 61))


def test_a_batch_goes_through_in_parts_of_few_logits():
    batch = Batch(np.zeros((5, 2), np.int32), np.ones((5, 1_024), np.int32), np.ones((5, 1_024), bool))
    assert [len(part.ids) for part in batch.parts(2**14)] == [2, 2, 1]
    assert [len(part.ids) for part in batch.parts(2**20)] == [1] * 5
