"""What single passes hold beside what is reckoned: where `training/plan/coefficients.py` comes from.

Each form of layer goes through a pass of each kind at eleven shapes and two depths. What six layers hold beyond two is
kept by a layer; the rest is worked with. Coefficients are the least-squares fit to all shapes, none below zero.
"""

import itertools
import operator
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.memory import models
from benchmarks.memory.counted import counted
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import model_parts
from mlx_metaembed.training.plan.activations import ITEM, Shape, activations

SHAPES = (
    (64, 256, 4, 64, 1),
    (64, 256, 4, 256, 2),
    (128, 512, 4, 64, 2),
    (128, 512, 8, 128, 1),
    (128, 512, 4, 256, 2),
    (128, 256, 8, 128, 1),
    (256, 1024, 8, 64, 2),
    (256, 512, 4, 128, 1),
    (256, 1024, 4, 256, 1),
    (96, 384, 12, 192, 2),
    (64, 1024, 4, 64, 4),
)
"""Hidden width, intermediate width, heads, tokens a text, and how many times the hidden width queries have, in decoders
and T5: 1 in most, 2 in Qwen3-Embedding-0.6B, 4 in T5 of three billion, whose intermediate width is 16 times."""
FEW, MANY = 2, 6
"""Layers."""
TOKENS = 4096
"""Of a pass, enough that activations outgrow a layer's gradients."""
KINDS = {
    "training": Recipe(),
    "beside an adapter": Recipe(train="lora"),
    "checkpointing": Recipe(checkpointing="on"),
    "no gradient": None,
}
DTYPE = "float32"


@dataclass(frozen=True)
class Held:
    """Bytes that a pass held at one shape, with few layers and with many, and those that are reckoned with many."""

    shape: Shape
    length: int
    few: int
    many: int
    reckoned: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """What coefficients are times of, as in `coefficients.Numbers`."""
        shape = self.shape
        beyond = shape.query - shape.hidden
        return shape.hidden, int(shape.wide), shape.heads * self.length, self.length, beyond


def passes(engine_name: str, only: str, tell: Callable[[str], None]) -> Iterator[dict]:
    """A row a form and kind: by how much the plan's reckoning is off, the coefficients of a new fit, and by how much
    that is off; all shapes' bytes.
    """
    for form in (each for each in models.FORMS if each == (only or each)):
        found: dict[str, list[Held]] = {kind: [] for kind in KINDS}
        for sizes in SHAPES:
            tell(f"{form}: {sizes}")
            for kind, held in measured(engine_name, form, sizes).items():
                found[kind].append(held)
        for kind, held in found.items():
            # A pass without a gradient keeps nothing for later.
            kept = [(each.many - each.few) / (MANY - FEW) if KINDS[kind] else 0 for each in held]
            of_kept = fit(held, kept)
            of_work = fit(held, [each.many - MANY * layer for each, layer in zip(held, kept, strict=True)])
            new = [each.many / _bytes(each, of_kept, of_work) for each in held]
            ratios = [each.many / each.reckoned for each in held]
            yield {
                "engine": engine_name,
                "form": form,
                "pass": kind,
                "measured_to_planned": [min(ratios), max(ratios)],
                "kept": of_kept,
                "work": of_work,
                "measured_to_fitted": [min(new), max(new)],
                "bytes": [[*each.sizes, each.few, each.many] for each in held],
            }


def fit(held: Sequence[Held], bytes_held: Sequence[float]) -> list[float]:
    """The coefficients of `Held.sizes` that give these bytes as float32 numbers a token; none below zero."""
    numbers = np.array(bytes_held) / (ITEM[DTYPE] * TOKENS)
    rows = np.array([each.sizes for each in held], float)
    if not numbers.any():
        return [0.0] * rows.shape[1]
    # Relative to each, so that large shapes do not decide alone.
    rows, ones = rows / numbers[:, None], np.ones(len(numbers))
    # Where queries have the hidden width, nothing is times what they have beyond it.
    every = [column for column in range(rows.shape[1]) if rows[:, column].any()]
    found = []
    for columns in itertools.chain.from_iterable(
        itertools.combinations(every, count + 1) for count in range(len(every))
    ):
        values, *_ = np.linalg.lstsq(rows[:, columns], ones, rcond=None)
        if (values >= 0).all():
            whole = np.zeros(rows.shape[1])
            whole[list(columns)] = values
            found.append((float(((rows @ whole - ones) ** 2).sum()), whole))
    return [round(float(value), 2) for value in min(found, key=lambda each: each[0])[1]]


def _bytes(held: Held, kept: Sequence[float], work: Sequence[float]) -> float:
    """Bytes of the pass with many layers, by these coefficients."""
    layer, once = (sum(map(operator.mul, numbers, held.sizes)) for numbers in (kept, work))
    return ITEM[DTYPE] * TOKENS * (MANY * layer + once)


def measured(
    engine_name: str,
    form: str,
    sizes: tuple[int, int, int, int, int],
    *,
    depths: Sequence[int] = (FEW, MANY),
    tokens: int = TOKENS,
) -> dict[str, Held]:
    """A shape's passes of each kind; with the depth MANY alone, what it holds stands for few layers too."""
    hidden, wide, heads, length, times = sizes
    peaks: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for depth in depths:
        with tempfile.TemporaryDirectory() as work:
            config = models.of_form(form, hidden=hidden, wide=wide, heads=heads, layers=depth, times=times)
            path = models.write(Path(work) / "model", config, length=length)
            for kind, recipe in KINDS.items():
                peaks[kind].append(_peak(engine_name, path, recipe, length, tokens))
            shape = Shape.of(folders.read(path).architecture)
    found = {}
    for kind, held in peaks.items():
        recipe = KINDS[kind]
        each = activations(
            shape,
            length=length,
            dtype=DTYPE,
            engine=engine_name,
            checkpointing=bool(recipe) and recipe.checkpointing == "on",
            frozen=bool(recipe) and recipe.train == "lora",
        )
        reckoned = each.held(tokens, tokens) if recipe else tokens * each.forward
        found[kind] = Held(shape, length, held[0], held[-1], reckoned)
    return found


def _peak(engine_name: str, path: Path, recipe: Recipe | None, length: int, tokens: int) -> int:
    """Bytes that one pass holds beyond the weights and the gradients' sums."""
    engine, folder = engines.choose(engine_name), folders.read(path)
    adapter, frozen = model_parts.trunk(recipe or Recipe(), folder)
    engine.load(
        folder,
        dtype=DTYPE,
        heads={},
        arrays={},
        adapter=adapter,
        train=recipe is not None,
        frozen=frozen,
        checkpointing=bool(recipe) and recipe.checkpointing == "on",
    )
    rows = tokens // length
    ids = np.random.default_rng(0).integers(2, models.WORDS, (rows, length)).astype(np.int32)
    mask = np.ones(ids.shape, np.bool_)
    # A text that is not full, so that attention has a mask.
    mask[-1, length // 2 :] = False
    chunk = Chunk(ids, mask, mask, rows)
    if recipe is None:
        return counted(engine_name, lambda: engine.numpy(engine.embed(chunk)[engines.DENSE]))
    cotangents = {engines.DENSE: engine.array(np.ones((rows, folder.dimensions), np.float32))}
    # The gradients' sums are there before a second chunk.
    engine.backward(chunk, cotangents, seed=0)
    return counted(engine_name, lambda: engine.backward(chunk, cotangents, seed=0))
