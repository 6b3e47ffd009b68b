"""A conditioned language model, opened to write: its folder, its base on an engine, and its tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed import engine as engines
from mlx_metaembed.conditioned_lm import base as bases
from mlx_metaembed.conditioned_lm import files
from mlx_metaembed.conditioned_lm.conditioned import Conditioned, initial
from mlx_metaembed.conditioned_lm.files import Made
from mlx_metaembed.conditioned_lm.tokens import Tokens
from mlx_metaembed.engine import causal_model
from mlx_metaembed.engine.causal_model import Weights
from mlx_metaembed.errors import CallError, faults


@dataclass(frozen=True)
class Opened:
    """What writes: the model with the weights that it learned, and its tokenizer."""

    made: Made
    model: Conditioned
    weights: Weights
    tokens: Tokens


def load(
    path: Path,
    *,
    base: str | None = None,
    engine: str = "auto",
    dtype: str = "auto",
    note: Callable[[str], None] = lambda text: None,
    made: Made | None = None,
) -> Opened:
    """The model of a folder that lm-train wrote; `base` where the base is no longer where it was.

    Raises CallError where the folder is damaged, or the base is another one.
    """
    made = made or files.load(path)
    try:
        found = bases.find(base or made.about["base"]["name"])
    except CallError as error:
        advice = "" if base else f"\n{path} was made with that base; where it lies elsewhere now, name it by --base"
        raise CallError(f"{error}{advice}") from None
    files.require_base(made, found, path)
    tokens = Tokens(found)
    chosen = engines.choose(engine)
    dtype, why = causal_model.dtype_of(chosen, dtype)
    note(f"engine: {chosen.name} on {chosen.device} ({chosen.reason}), {dtype} ({why})")
    model = Conditioned(causal_model.load(chosen, found.path, found.config, dtype=dtype), made.settings, made.levels)
    expected = {name: array.shape for name, array in initial(model.model, made.settings, made.levels).items()}
    shapes = {name: array.shape for name, array in made.weights.items()}
    if wrong := [
        f"{name}: {shapes.get(name, 'missing')}, expected {expected.get(name, 'none')}"
        for name in sorted(expected.keys() | shapes.keys())
        if shapes.get(name) != expected.get(name)
    ]:
        raise faults(f"{path / files.WEIGHTS} does not fit the base:", wrong)
    return Opened(made, model, model.arrays(made.weights), tokens)
