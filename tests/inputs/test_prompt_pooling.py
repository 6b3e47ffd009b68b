"""Prompts that are not pooled: their tokens are read, and stay out of the vector, whatever library is installed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.chunks import Chunk, chunks
from mlx_metaembed.inputs.tokenizer import Tokenizer

LONG = ["a socket", "walk a tree of folders"]
PROMPT = "open "
BARE = {"prompts": {"query": PROMPT}, "normalize": False}


def one_chunk(path: Path) -> tuple[Chunk, np.ndarray]:
    store = token_store.tokenize(Tokenizer(folders.read(path)), LONG, PROMPT)
    pieces, places = chunks(store, range(2), pad_id=0, chunk_tokens=256)
    assert len(pieces) == 1
    return pieces[0], places


def test_a_chunk_pools_the_text_alone(tmp_path: Path):
    chunk, places = one_chunk(tiny_folder(tmp_path / "without", include_prompt=False, **BARE))
    # [CLS] open a socket [SEP], and the longer text.
    for place, count in zip(places, (5, 8), strict=True):
        assert chunk.mask[place].tolist() == [True] * count + [False] * (chunk.mask.shape[1] - count)
        assert chunk.pooled[place].tolist() == [False] * 2 + chunk.mask[place].tolist()[2:]
    whole, _ = one_chunk(tiny_folder(tmp_path / "with", **BARE))
    np.testing.assert_array_equal(whole.pooled[:2], whole.mask[:2])


def test_the_prompt_is_read_and_not_pooled(engine_name: str, tmp_path: Path):
    """The mean over all tokens is that over the text's and that over the prompt's, by their numbers."""
    paths = tiny_folder(tmp_path / "without", include_prompt=False, **BARE), tiny_folder(tmp_path / "with", **BARE)
    text, whole = (load(path, engine=engine_name, dtype="float32").encode_query(LONG) for path in paths)
    chunk, places = one_chunk(paths[0])
    engine = engines.choose(engine_name)
    engine.load(folders.read(paths[0]), dtype="float32", heads={}, arrays={})
    others = replace(chunk, pooled=chunk.mask & ~chunk.pooled)
    others.pooled[chunk.texts :, 0] = True
    prompt = engine.numpy(engine.embed(others)["dense"])[places]
    counts = np.array([[5], [8]])
    np.testing.assert_allclose(((counts - 2) * text + 2 * prompt) / counts, whole, atol=1e-5)
    assert np.abs(text - whole).max() > 1e-2
    # What was read before a text is in its states.
    assert np.abs(text - load(paths[0], engine=engine_name, dtype="float32").encode(LONG)).max() > 1e-2


@pytest.mark.parametrize("include", [True, False])
def test_a_prompt_alone_has_a_vector(engine_name: str, tmp_path: Path, include: bool):
    model = load(tiny_folder(tmp_path / "model", include_prompt=include, **BARE), engine=engine_name)
    assert np.isfinite(model.encode_query(["", "open"])).all()
