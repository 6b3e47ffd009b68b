"""RoBERTa's positions: counted over all but pad tokens, from after the padding index."""

import shutil
from pathlib import Path

import numpy as np
from states import GOLDEN, encoder, expected

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.files import disk


def positions(ids: list, padding_idx: int) -> list:
    engines.choose("mlx")
    import mlx.core as mx

    from mlx_metaembed.on_mlx.encoders.roberta import positions

    return positions(mx.array(ids), padding_idx).tolist()


def test_positions_start_after_the_padding_index():
    assert positions([[0, 9, 8, 2, 1, 1]], 1) == [[2, 3, 4, 5, 1, 1]]
    assert positions([[0, 9, 2]], 5) == [[6, 7, 8]]


def test_padding_on_the_left_and_the_pad_token_in_a_text_are_not_counted():
    assert positions([[1, 1, 0, 9, 2]], 1) == [[1, 1, 2, 3, 4]]
    assert positions([[0, 1, 9, 2]], 1) == [[2, 1, 3, 4]]


def test_padding_on_the_left_changes_nothing(engine_name: str):
    ids, mask, states = expected("roberta")
    order = np.argsort(mask, axis=1, kind="stable")
    left = np.take_along_axis(ids, order, axis=1), np.take_along_axis(mask, order, axis=1)
    found = encoder(engine_name, GOLDEN / "roberta")(*left)
    np.testing.assert_allclose(found[left[1]], states[mask], rtol=0, atol=1e-5)


def test_the_longest_text_is_two_shorter_than_the_table(engine_name: str, tmp_path: Path):
    path = tmp_path / "m"
    shutil.copytree(GOLDEN / "roberta", path)
    disk.write_json(path / "sentence_bert_config.json", {"max_seq_length": 514})
    assert folders.read(path).max_seq_length == 30
    ids = np.full((1, 30), 9, np.int32)
    assert np.isfinite(encoder(engine_name, path)(ids, ids > 0)).all()
