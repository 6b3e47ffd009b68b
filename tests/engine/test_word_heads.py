"""A masked-language-model head in training: one gradient with GradCache, without, and with all words held."""

import numpy as np
import pytest
from states import GOLDEN
from steps import MANY, PAIRS, ROWS, Descent

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.heads.output import Output
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.training import batches
from mlx_metaembed.training.gradcache import gradient
from mlx_metaembed.training.objective import Objective, passed, total

BERT = GOLDEN / "splade_bert"


class AllWords:
    """A loss on the weights of all words, which it asks for."""

    def __init__(self, loss):
        self.loss, self.roles, self.optional = loss, loss.roles, loss.optional

    def __call__(self, sample):
        outputs = {role: Output("sparse", each.values) for role, each in sample.outputs.items()}
        return self.loss(type(sample)(outputs, sample.mask, sample.targets))


def step(
    engine_name: str, *, cached: bool, whole: bool, dropout: float = 0.0, times: int = 1
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of nine pairs in several chunks, and the gradient by name."""
    folder, engine = folders.read(BERT), engines.choose(engine_name)
    heads, arrays = head_files.every(folder)
    engine.load(folder, dtype="float32", heads=heads, arrays=behind_trunk(folder, arrays), train=True, dropout=dropout)
    store = token_store.tokenize(Tokenizer(folder), MANY)
    batch = batches.batch(store, PAIRS, ROWS, pad_id=0, chunk_tokens=64)
    assert len(batch.chunks) > 1
    losses = {"ranking": LOSSES["info_nce"](symmetric=True, temperature=2.0), "few": LOSSES["flops"]()}
    losses = {name: AllWords(loss) if whole else loss for name, loss in losses.items()}
    found = [Objective(name, "pairs", "splade", loss, 0.5) for name, loss in losses.items()]
    summed = total(found, heads, engine, batch)
    for _ in range(times):
        value, _ = gradient(engine, batch.chunks, passed(found, heads), summed, seed=3, cached=cached)
    descent = Descent(engine)
    engine.update(descent, divide=times, max_norm=0)
    return value, descent.taken


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("cached", [False, True])
def test_words_some_at_a_time_give_the_gradient_of_all(engine_name: str, cached: bool, dropout: float):
    value, found = step(engine_name, cached=cached, whole=False, dropout=dropout)
    wanted_value, wanted = step(engine_name, cached=False, whole=True, dropout=dropout)
    assert value == pytest.approx(wanted_value, rel=1e-5)
    assert found.keys() == wanted.keys()
    for name, each in wanted.items():
        np.testing.assert_allclose(found[name], each, rtol=1e-3, atol=2e-5 * max(np.abs(each).max(), 1), err_msg=name)
    assert np.abs(wanted["heads.splade.decoder.bias"]).max() > 1e-4


@pytest.mark.parametrize("cached", [False, True])
def test_gradients_of_several_batches_add_up(engine_name: str, cached: bool):
    once, twice = (step(engine_name, cached=cached, whole=False, times=times)[1] for times in (1, 2))
    for name, each in once.items():
        np.testing.assert_allclose(twice[name], each, rtol=1e-4, atol=1e-6, err_msg=name)
