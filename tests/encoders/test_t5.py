"""T5's encoder half: the buckets of its bias, its sums in float16, dropout, and checkpoints with a decoder."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected, lowest_cosine
from steps import loaded, one_step

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.files import disk


def t5():
    engines.choose("mlx")
    from mlx_metaembed.on_mlx.encoders import t5

    return t5


def test_buckets_are_single_distances_then_ranges():
    found = t5().buckets(200, 32, 128)
    # Query 0 looks ahead: rows 16 to 31. Eight single distances, then eight ranges from 8 to 128 by the logarithm.
    ahead = {
        0: 0,
        1: 17,
        7: 23,
        8: 24,
        11: 24,
        12: 25,
        15: 25,
        16: 26,
        32: 28,
        64: 30,
        90: 30,
        91: 31,
        128: 31,
        199: 31,
    }
    assert {distance: found[0, distance] for distance in ahead} == ahead
    behind = {0: 0, 1: 1, 7: 7, 8: 8, 16: 10, 64: 14, 91: 15, 199: 15}
    assert {distance: found[199, 199 - distance] for distance in behind} == behind


def test_padding_on_the_left_changes_nothing(engine_name: str):
    ids, mask, states = expected("t5")
    left = np.argsort(mask, axis=1, kind="stable")
    ids, mask = np.take_along_axis(ids, left, 1), np.take_along_axis(mask, left, 1)
    states = np.take_along_axis(states, left[:, :, None], 1)
    found = encoder(engine_name, GOLDEN / "t5")(ids, mask)
    np.testing.assert_allclose(found[mask], states[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["t5", "t5_gated"])
def test_sums_may_pass_float16(tmp_path: Path, family: str):
    def louder(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return arrays | {name: array * 20_000 for name, array in arrays.items() if name.endswith(".wo.weight")}

    path = altered(tmp_path / "loud", family, change=louder)
    ids, mask, _ = expected(family)
    whole, half = (encoder("mlx", path, dtype)(ids, mask)[mask] for dtype in ("float32", "float16"))
    assert np.isfinite(half).all()
    assert lowest_cosine(half, whole) > 0.9999


def test_training_computes_what_encoding_computes(engine_name: str):
    engine, _, batch = loaded(engine_name, GOLDEN / "t5_gated")
    encoding, training = (engine.numpy(engine.embed(batch.chunks[0], seed=seed)["dense"]) for seed in (None, 5))
    np.testing.assert_allclose(training, encoding, atol=1e-6)


def test_dropout_of_states_is_drawn_by_the_seed(engine_name: str):
    one, again, other = (
        one_step(engine_name, GOLDEN / "t5", cached=True, dropout=0.3, seed=seed)[0] for seed in (5, 5, 6)
    )
    assert one == again
    assert abs(one - other) > 1e-4


def test_a_decoder_and_second_names_are_left_out(engine_name: str, tmp_path: Path):
    def whole(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        words = arrays["shared.weight"]
        copies = {"encoder.embed_tokens.weight": words, "decoder.embed_tokens.weight": words, "lm_head.weight": words}
        return arrays | copies | {"decoder.final_layer_norm.weight": np.ones(32, np.float32)}

    path = altered(tmp_path / "whole", "t5", change=whole)
    assert set(folders.read(path).trunk()) == set(folders.read(GOLDEN / "t5").trunk())
    ids, mask, states = expected("t5")
    np.testing.assert_allclose(encoder(engine_name, path)(ids, mask)[mask], states[mask], rtol=0, atol=1e-5)


def test_the_length_has_no_end_but_the_declared_one(tmp_path: Path):
    path = altered(tmp_path / "long", "t5")
    disk.write_json(path / "sentence_bert_config.json", {"max_seq_length": 2048})
    assert folders.read(path).max_seq_length == 2048
    (path / "sentence_bert_config.json").unlink()
    assert folders.read(path).max_seq_length == 512
    disk.write_json(path / "tokenizer_config.json", {"model_max_length": 1e30})
    assert folders.read(path).max_seq_length == 512
    assert folders.read(altered(tmp_path / "said", "t5", {"n_positions": 1024})).max_seq_length == 24
