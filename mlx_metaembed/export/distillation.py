"""Scales and biases of quantized layers, norms and linear layers' own biases, trained so that the model gives the float
model's vectors again. The codes stay. B texts, D features.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.config.spellings import is_word_table
from mlx_metaembed.engine import DENSE, Engine, Outputs
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import TRUNK, behind_trunk
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.training.optimizers import adamw
from mlx_metaembed.training.schedule import factor
from mlx_metaembed.xp import Array, constant, namespace, normalize

BATCH, CHUNK_TOKENS = 32, 4_096
RATE, OWN_RATE = 1e-3, 2e-3
"""A step of norms and biases, and of scales and biases of groups as a share of the layer's mean scale. Five times the
latter moved scales by 6 %, and undid half of what error feedback had gained."""
HELD = 64
"""Texts that it does not train on, at most a tenth: where they are no nearer at the end, nothing is changed."""
WARMUP, MOST_NORM = 0.1, 1.0


class Rates:
    """The optimizer's rule for one step (see engine.Rule)."""

    by_rows, kernel = adamw.BY_ROWS, ""
    initial, apply = staticmethod(adamw.initial), staticmethod(adamw.apply)

    def __init__(self, step: int, steps: int, rates: Mapping[str, float]):
        self.step = step
        self._factor = factor("cosine", step=step, steps=steps, warmup_ratio=WARMUP)
        self._rates = rates

    def scalars(self, name: str, shape: Sequence[int]) -> list[float]:
        """Rate, the share that decay leaves (all of it), and AdamW's corrections."""
        return [self._factor * self._rates[name], 1.0, *adamw.corrections(self.step)]


def distil(
    engine: Engine,
    folder: ModelFolder,
    store: Store,
    vectors: np.ndarray,
    *,
    pad_id: int,
    steps: int,
    seed: int,
    advance: Callable[[float], object] = lambda loss: None,
) -> dict[str, np.ndarray]:
    """What was trained of the quantized folder, float32 by the trunk's names, after so many steps on a store's texts,
    whose vectors by the float model are [texts, D] at length 1. Nothing, where texts held out are no nearer by it."""
    rates = _rates(folder)
    frozen = [TRUNK + name for name in folder.trunk() if name not in rates]
    arrays = behind_trunk(folder, {})
    settings = {"dtype": "float32", "heads": {}, "arrays": arrays, "train": True, "scales": True}
    engine.load(folder, **settings, frozen=[*frozen, *arrays])
    count = len(store) - min(HELD, len(store) // 10)
    held = np.arange(count, len(store))
    before = _near(engine, store, held, vectors, pad_id)
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(count) for _ in range(-(-steps * BATCH // count))])
    rates = {TRUNK + name: rate for name, rate in rates.items()}
    for step in range(steps):
        rows = order[step * BATCH : (step + 1) * BATCH]
        pieces, places = chunks.chunks(store, rows, pad_id=pad_id, chunk_tokens=CHUNK_TOKENS)
        total = Distance(vectors[rows], places)
        loss, _ = engine.forward_backward(pieces, (DENSE,), total, seeds=[None] * len(pieces))
        engine.update(Rates(step + 1, steps, rates), divide=1.0, max_norm=MOST_NORM)
        advance(loss)
    if len(held) and _near(engine, store, held, vectors, pad_id) <= before:
        return {}
    masters, _ = engine.save()
    return {name.removeprefix(TRUNK): np.array(masters[name]) for name in rates}


def _near(engine: Engine, store: Store, texts: np.ndarray, vectors: np.ndarray, pad_id: int) -> float:
    """The mean cosine of some texts' vectors to the float model's."""
    if not len(texts):
        return 0.0
    pieces, places = chunks.chunks(store, texts, pad_id=pad_id, chunk_tokens=CHUNK_TOKENS)
    found = unit(np.concatenate([engine.numpy(engine.embed(chunk)[DENSE]) for chunk in pieces])[places])
    return float(np.sum(found * vectors[texts], axis=1).mean())


class Distance:
    """How far vectors are from the float model's [B, D]: one less the mean cosine, and how far their cosines among each
    other are off."""

    reads = ()

    def __init__(self, vectors: np.ndarray, places: np.ndarray):
        self._vectors, self._places = vectors.astype(np.float32), places

    def __call__(self, outputs: Sequence[Outputs], _parameters: Mapping) -> tuple[Array, dict[str, Array]]:
        every = [each[DENSE] for each in outputs]
        xp = namespace(every[0])
        found = xp.take(xp.concatenate(every, axis=0), constant(self._places, every[0]), axis=0)
        found, wanted = normalize(found), constant(self._vectors, every[0])
        off = xp.matmul(found, found.T) - xp.matmul(wanted, wanted.T)
        # As a sum a text: the mean over pairs would fade as batches grow.
        loss = 1 - xp.mean(xp.sum(found * wanted, axis=-1)) + xp.mean(xp.sum(off * off, axis=-1))
        return loss, {}


def rewrite(folder: ModelFolder, trained: Mapping[str, np.ndarray], dtype: str) -> None:
    """Put what was trained into the weights file of a folder that is being written."""
    path = folder.path / "model.safetensors"
    tensors = safetensors.header(path)
    with disk.replacing_file(path) as partial:
        safetensors.write(
            partial, tensors | {name: array for name, array in trained.items() if name in tensors}, dtype=dtype
        )


def _rates(folder: ModelFolder) -> dict[str, float]:
    """The rate of each parameter that trains, by the trunk's names."""
    trunk, found = folder.trunk(), {}
    for name, tensor in trunk.items():
        module, _, kind = name.rpartition(".")
        packed = f"{module}.scales" in trunk
        if kind == "biases" and not is_word_table(f"{module}.weight"):
            scale = float(np.mean(np.abs(safetensors.read_tensor(trunk[f"{module}.scales"]).astype(np.float32))))
            found[f"{module}.scales"] = found[name] = OWN_RATE * max(scale, 1e-8)
        elif len(tensor.shape) == 1 and kind in ("weight", "bias") and not (packed and kind == "weight"):
            found[name] = RATE
    return {name: rate for name, rate in found.items() if "pooler" not in name}
