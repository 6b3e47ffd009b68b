"""sentence-transformers loads what the kit writes and gives the same vectors, and the other way round.

Where it is not installed these tests are left out, and the header of the run says so.
"""

from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

DENSE = DenseModule("2_Dense", 32, 16, True, "torch.nn.modules.activation.Tanh")
DECLARED = {
    "mean": {},
    "cls": {"pooling": "cls"},
    "last": {"pooling": "lasttoken", "normalize": False},
    "max": {"pooling": "max"},
    "weighted": {"pooling": "weightedmean"},
    "dense": {"dense": (DENSE,), "normalize": False},
    "prompts": {"prompts": {"query": "open ", "document": ""}, "include_prompt": False},
}
pytestmark = pytest.mark.filterwarnings("ignore")


def theirs(path: Path, **settings: object) -> np.ndarray:
    """Vectors by sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    return model.encode(TEXTS, show_progress_bar=False, **settings)


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_folder_declares_means_the_same(sentence_transformers: str, engine_name: str, tmp_path: Path, name: str):
    path = tiny_folder(tmp_path / "m", **DECLARED[name])
    np.testing.assert_allclose(load(path, engine=engine_name).encode(TEXTS), theirs(path), atol=1e-5)
    if name == "prompts":
        mine = load(path, engine=engine_name).encode(TEXTS, prompt_name="query")
        np.testing.assert_allclose(mine, theirs(path, prompt_name="query"), atol=1e-5)
        assert np.abs(mine - theirs(path)).max() > 1e-2


def test_a_trained_and_an_exported_model(sentence_transformers: str, engine_name: str, pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base", dense=(DENSE,), normalize=False)
    out = tmp_path / "out"
    settings = {"batch_size": 8, "learning_rate": 1e-2, "matryoshka": (16, 8), "fsq": "4x8", "engine": engine_name}
    train(Recipe(model=str(base), data=str(pairs), out=str(out), **settings))
    export(folders.read(out), tmp_path / "exported")
    mine = load(out, engine=engine_name).encode(TEXTS)
    np.testing.assert_allclose(mine, theirs(out), atol=1e-5)
    np.testing.assert_allclose(mine, theirs(tmp_path / "exported"), atol=1e-5)
    assert np.abs(mine - theirs(base)).max() > 1e-3


def test_what_it_saves_is_converted(sentence_transformers: str, engine_name: str, tmp_path: Path):
    from sentence_transformers import SentenceTransformer

    path = tiny_folder(tmp_path / "m", dense=(DENSE,), pooling="cls", normalize=False, prompts={"query": "open "})
    SentenceTransformer(str(path), device="cpu", local_files_only=True).save(str(tmp_path / "saved"))
    found = convert(str(tmp_path / "saved"), tmp_path / "converted")
    assert (found.pooling, found.dense[0].out_features, found.prompts["query"]) == ("cls", 16, "open ")
    vectors = [load(each, engine=engine_name).encode(TEXTS) for each in (path, tmp_path / "converted")]
    np.testing.assert_allclose(*vectors, atol=1e-6)
