"""torch's fused AdamW beside the shared text: the same steps, with each parameter's own rate and decay."""

from dataclasses import dataclass

import numpy as np

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.optimizers import adamw
from mlx_metaembed.training.optimizers.rates import Optimizer

SHAPES = {"trunk.a.weight": (3, 5), "trunk.a.bias": (5,), "heads.codes.weight": (4, 3)}


@dataclass
class Plain:
    """A rule without its kernel."""

    rule: Optimizer

    def __getattr__(self, name: str):
        return "" if name == "kernel" else getattr(self.rule, name)


def test_five_steps_are_those_of_the_shared_text(torch_engine: str):
    import torch

    from mlx_metaembed.on_torch import fused_adamw, words  # noqa: F401  (words announces torch's namespace)

    assert (fused_adamw.BETAS, fused_adamw.EPSILON, fused_adamw.KERNEL) == (adamw.BETAS, adamw.EPSILON, adamw.KERNEL)
    random = np.random.default_rng(0)
    recipe = Recipe(learning_rate=1e-2, head_learning_rate=3e-2, weight_decay=0.1, epochs=1, batch_size=2)
    plain = {name: random.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    masters = {name: torch.tensor(array) for name, array in plain.items()}
    state = {name: adamw.initial(tensor) for name, tensor in masters.items()}
    moments = {name: adamw.initial(array) for name, array in plain.items()}
    for step in range(1, 6):
        rule = Optimizer(recipe, step=step, steps=5)
        gradients = {name: random.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
        fused_adamw.update(rule, masters, {name: torch.tensor(each) for name, each in gradients.items()}, state)
        for name, gradient in gradients.items():
            scalars = np.array(rule.scalars(name, gradient.shape), np.float32)
            plain[name], moments[name] = adamw.apply(plain[name], gradient, moments[name], scalars)
    for name, array in plain.items():
        np.testing.assert_allclose(masters[name].numpy(), array, atol=1e-6, err_msg=name)
        for found, expected in zip(state[name], moments[name], strict=True):
            np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, err_msg=name)


def test_the_engine_updates_by_it_as_without(torch_engine: str, tiny):
    from steps import loaded

    ends = []
    for wrap in (lambda rule: rule, Plain):
        engine, _, _ = loaded("torch", tiny, dtype="bfloat16", fsq=False)
        random = np.random.default_rng(1)
        for step in (1, 2):
            for name, master in engine._masters.items():
                engine._sums[name] = engine.array(random.standard_normal(tuple(master.shape)).astype(np.float32))
            rule = Optimizer(Recipe(learning_rate=1e-3, epochs=1, batch_size=2), step=step, steps=2)
            norm = engine.update(wrap(rule), divide=2.0, max_norm=1.0)
        working = {name: engine._parameters[name].detach().float().numpy() for name in engine._masters}
        ends.append((norm, engine.save()[0], working))
    (one, masters, halves), (other, plain, others) = ends
    assert one == other
    for name, array in plain.items():
        np.testing.assert_allclose(masters[name], array, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(halves[name], others[name], atol=2e-2, rtol=1e-2, err_msg=name)
        assert not np.array_equal(halves[name], masters[name]) or not array.any()
