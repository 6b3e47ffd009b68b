"""Lengths of a run's data: the fullest batch and the usual one, by hand; and the common encoders' shapes."""

import math
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Pairs, Rows
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.plan import Job, Lengths, Target, known, measured, plan
from mlx_metaembed.training.plan.lengths import LONGEST, MEASURED


def rows_of(pairs: Pairs) -> Rows:
    """Pairs as the rows of a run."""
    return Rows({"anchor": pairs.anchors, "positive": pairs.positives, "negative": pairs.negatives}, {})


def test_a_batch_has_the_tokens_of_its_rows():
    # Two texts a row, padded to multiples of four: 4 + 8, thrice; then 64 + 0.
    lengths = Lengths(np.array([[3, 5], [4, 8], [1, 7], [64, 0]]), sizes=(4,))
    assert lengths.longest == 64
    # All four in one batch; texts cut at 16 tokens; then batches of two, like with like.
    assert lengths.batch_tokens(8, 64) == (3 * 12 + 64, 3 * 12 + 64)
    assert lengths.batch_tokens(8, 16) == (3 * 12 + 16, 3 * 12 + 16)
    assert lengths.batch_tokens(2, 64) == (12 + 64, (3 * 12 + 64) // 2)


def test_rows_that_were_not_measured_count_as_those_that_were():
    assert Lengths(np.full((10, 2), 12), sizes=(600, 400)).batch_tokens(100, 32) == (2400, 2400)


def test_lengths_are_the_tokens_with_prompts_and_none_for_a_missing_negative(tmp_path: Path):
    folder = folders.read(tiny_folder(tmp_path / "m", prompts={"query": "open a "}))
    pairs = Pairs(["file", "file"], ["socket", "read a file"], [("path", "two paths"), ()])
    found = measured([rows_of(pairs)], folder, Tokenizer(folder, 32))
    # [CLS] and [SEP] around the words.
    assert found.texts.tolist() == [[5, 3, 3, 4], [5, 5, 0, 0]] and found.rows == 2


def test_of_many_rows_some_are_measured_and_the_longest_among_them(tiny: Path):
    folder, count = folders.read(tiny), MEASURED + LONGEST + 100
    pairs = Pairs(["file"] * count, ["socket " * (20 if row == 77 else 1) for row in range(count)], [()] * count)
    found = measured([rows_of(pairs)], folder, Tokenizer(folder, 32))
    assert MEASURED <= len(found.texts) <= MEASURED + LONGEST and found.rows == count and found.longest == 22


def test_short_texts_are_planned_as_short_ones(tiny: Path):
    folder, recipe = folders.read(tiny), Recipe(batch_size=8)
    common = (recipe, folder, Target("mlx", "cpu"), "float32")
    full = plan(Job(*common, length=32, columns=2), budget=10**9)
    short = plan(Job(*common, length=8, columns=2, lengths=Lengths(np.full((40, 2), 8), (40,))), budget=10**9)
    assert (full.batch_tokens, short.batch_tokens) == (16 * 32, 16 * 8)
    # Of the same longest text, but one of them in forty rows.
    mixed = Lengths(np.array([[8, 8]] * 39 + [[32, 8]]), (40,))
    between = plan(Job(*common, length=32, columns=2, lengths=mixed), budget=10**9)
    assert between.batch_tokens == 15 * 8 + 32 and short.total < between.total < full.total


PARAMETERS = {
    "BAAI/bge-small-en-v1.5": 33_360_000,
    "intfloat/multilingual-e5-small": 117_653_760,
    "sentence-transformers/all-MiniLM-L6-v2": 22_713_216,
    "sentence-transformers/all-mpnet-base-v2": 109_486_464,
    "answerdotai/ModernBERT-base": 149_014_272,
    "nomic-ai/nomic-embed-text-v1.5": 136_731_648,
    "Qwen/Qwen3-Embedding-0.6B": 595_776_512,
    "BAAI/bge-m3": 567_754_752,
}
"""Parameters that the models' own safetensors files have."""


@pytest.mark.parametrize("each", known.KNOWN, ids=lambda each: each.id)
def test_common_encoders_have_their_shapes(each: known.Known):
    assert known.named(each.id.upper()) is each and known.named(each.id.split("/")[1]) is each
    folder = each.folder()
    count = sum(math.prod(tensor.shape) for tensor in folder.trunk().values())
    if each.id in PARAMETERS:
        # Poolers, which no vector comes from, and small tables are left out.
        assert count == pytest.approx(PARAMETERS[each.id], rel=0.012)
    made = plan(
        Job(Recipe(batch_size=64), folder, Target("torch", "cuda"), "bfloat16", length=128, columns=2), budget=10**11
    )
    assert made.fits and made.bytes.trained == count


def test_other_names_are_not_known():
    assert known.named("bge-small") is None and known.named("tiny") is None
