"""What a step minimises: the sum of a run's objectives, each a loss on what one head gives for a batch.

One pass of the trunk serves them all. n rows of all chunks, B rows of the batch.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from mlx_metaembed.engine import DENSE, Engine, Outputs, Total
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import HEADS, dense_weights, head_weights, token_head_weights
from mlx_metaembed.heads import CodeHead, Head
from mlx_metaembed.heads.fsq import FLOAT
from mlx_metaembed.heads.output import Output, WordOutput, asked, detached, take
from mlx_metaembed.heads.passed import in_training
from mlx_metaembed.heads.word_products import word_products
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.layers.pooling import finish
from mlx_metaembed.losses import Loss
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.training import weighting
from mlx_metaembed.training.batches import ALL, Batch
from mlx_metaembed.xp import Array, constant, namespace, stop_gradient

WEIGHT_SCHEDULES = {"quadratic": 2, "linear": 1}
"""How an objective's weight rises: the power of the share of the warm-up that is done."""
TEXT, TEACHER = "text", "teacher."
"""The role of single texts, and what the names of teachers' targets begin with."""
ASKING = ("anchor", "sentence1")
"""The roles of queries."""


@dataclass(frozen=True)
class Objective:
    """A loss on a head's output for the batches of one data set, and its share of the sum; `widths` are trained
    together, each with its weight.

    `teachers` are those whose vectors it takes; `texts` is the role of the rows that a loss on single texts takes.
    """

    name: str
    data: str
    head: str | tuple[str, ...]
    loss: Loss
    weight: float = 1.0
    widths: tuple[int, ...] = ()
    width_weights: tuple[float, ...] = ()
    teachers: tuple[str, ...] = ()
    texts: str = TEXT
    weight_warmup_ratio: float = 0.0
    weight_schedule: str = "quadratic"

    def weight_at(self, step: int, steps: int) -> float:
        """Its share of the sum at a step, from 1, of so many: from 0 up to `weight` over the first of them.

        SPLADE's ramp of the FLOPS regulariser, arXiv:2109.10086, section 3.1.
        """
        rising = int(steps * self.weight_warmup_ratio)
        share = min((step - 1) / rising, 1.0) if rising else 1.0
        return self.weight * share ** WEIGHT_SCHEDULES[self.weight_schedule]

    @property
    def names(self) -> tuple[str, ...]:
        """The heads that it scores: one, or several of a loss that takes them together."""
        return (self.head,) if isinstance(self.head, str) else self.head

    @property
    def roles(self) -> tuple[str, ...]:
        """The texts of a row that it needs."""
        return tuple(self.texts if role == TEXT else role for role in self.loss.roles)

    @property
    def taught(self) -> tuple[str, ...]:
        """The roles of whose texts it takes its teachers' vectors, those of optional roles where there are any."""
        if not self.teachers:
            return ()
        return (self.texts,) if TEXT in self.loss.roles else (*self.loss.roles, *self.loss.optional)


def teacher_target(teacher: str, role: str) -> str:
    """The name among a data set's targets of a teacher's vectors of the texts of a role."""
    return f"{TEACHER}{role}.{teacher}"


def passed(objectives: Collection[Objective], heads: Mapping[str, Head]) -> list[str]:
    """What a pass of the trunk must give for some objectives: the vectors, and what is made of token states."""
    names = {name for objective in objectives for name in objective.names}
    states = [name for name in sorted(names - {DENSE}) if heads[name].on_tokens]
    return [*([DENSE] if names - set(states) else []), *(in_training(name, heads[name]) for name in states)]


def total(
    objectives: Sequence[Objective],
    heads: Mapping[str, Head],
    engine: Engine,
    batch: Batch,
    scale: float = 1.0,
    *,
    pooled: ModelFolder | None = None,
    seen: Callable[[Mapping[str, Output]], None] | None = None,
    seed: Sequence[int] = (),
) -> Total:
    """The sum of the objectives on a batch, times `scale`, and each one's own loss.

    With `pooled` the vectors are what that folder's trunk gives, and its Dense modules and normalising come first.
    `seen` hears each head's output for all the batch's rows. `seed` is of what heads draw at a step; () draws nothing.
    """
    given = samples(objectives, engine, batch)

    def summed(outputs: Sequence[Outputs], parameters: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
        found = by_head(objectives, heads, batch, outputs, parameters, pooled, seed)
        if seen:
            seen({name: detached(output) for name, output in found.items()})
        value, losses = None, {}
        for objective in objectives:
            loss = objective.loss(given[objective.name](found))
            losses[objective.name] = stop_gradient(loss)
            term, weight = weighting.term(objective, loss, parameters)
            value = term if value is None else value + term
            if weight is not None:
                losses[f"{weighting.WEIGHT}{objective.name}"] = stop_gradient(weight)
        return value * scale, losses

    # Others take no gradient, so that a batch of another data set leaves them as they are.
    summed.reads = (
        *(f"{HEADS}{name}." for objective in objectives for name in objective.names),
        *(weighting.parameter(objective.name) for objective in objectives),
    )
    return summed


def samples(
    objectives: Sequence[Objective], engine: Engine, batch: Batch
) -> dict[str, Callable[[Mapping[str, Output]], Sample]]:
    """For each objective by name, what makes its sample of the heads' outputs for all the batch's rows."""
    mask = None if batch.mask is None else engine.array(batch.mask)
    targets = {name: engine.array(values) for name, values in batch.targets.items()}

    def made(objective: Objective, found: Mapping[str, Output]) -> Sample:
        one, *others = [_by_role(objective, found[name], batch) for name in objective.names]
        own = {name: values for name, values in targets.items() if not name.startswith(TEACHER)}
        for teacher in objective.teachers:
            for role in objective.taught:
                if (name := teacher_target(teacher, role)) in targets:
                    own[f"{TEACHER}{teacher}" if TEXT in objective.loss.roles else name] = targets[name]
        return Sample(one, mask, own, objective.widths, objective.width_weights, others)

    return {objective.name: partial(made, objective) for objective in objectives}


def _by_role(objective: Objective, output: Output, batch: Batch) -> dict[str, Output]:
    """A head's output for the texts of each role that a loss takes, by the loss's own name of it; for a loss that takes
    none, of all distinct texts."""
    loss = objective.loss
    wanted = dict(zip((*loss.roles, *loss.optional), (*objective.roles, *loss.optional), strict=True))
    places = {own: batch.places[role] for own, role in wanted.items() if role in batch.places}
    if not places:
        return {TEXT: take(output, batch.places[ALL])}
    found = {own: take(output, each.reshape(-1)) for own, each in places.items()}
    return {own: asked(each) if own in ASKING else each for own, each in found.items()}


def joined(head: Head, values: Sequence[Array], chunks: Sequence[Chunk]) -> Output:
    """A token head's output for all the chunks' rows, each padded to the longest."""
    xp, longest = namespace(values[0]), max(chunk.ids.shape[1] for chunk in chunks)
    by_token = head.output(values[0], chunks[0].ids, chunks[0].mask).mask is not None
    padded = [_padded(each, longest) if by_token else each for each in values]
    ids, mask = (
        np.concatenate([np.pad(each, ((0, 0), (0, longest - each.shape[1]))) for each in arrays])
        for arrays in ([chunk.ids for chunk in chunks], [chunk.mask for chunk in chunks])
    )
    return head.output(xp.concatenate(padded, axis=0), ids, mask)


def by_word(head: Head, weights: Mapping[str, Array], hidden: Sequence[Array], chunks: Sequence[Chunk]) -> WordOutput:
    """A masked-language-model head's output for all the chunks' rows, of what stands before its decoder."""
    masks = [chunk.mask for chunk in chunks]

    def weigh() -> Array:
        xp = namespace(hidden[0])
        blocks = [head.by_word(weights, x, constant(mask, x)) for x, mask in zip(hidden, masks, strict=True)]
        return xp.concatenate(blocks, axis=0)

    rows = np.arange(sum(map(len, masks)), dtype=np.int32)
    return WordOutput(word_products(head, weights, hidden, masks), rows, cache(weigh))


def _padded(values: Array, longest: int) -> Array:
    """Values [b, L, ...] with zeros up to `longest` tokens."""
    missing = longest - values.shape[1]
    if not missing:
        return values
    zeros = constant(np.zeros((values.shape[0], missing, *values.shape[2:]), np.float32), values)
    return namespace(values).concatenate([values, zeros], axis=1)


def by_head(
    objectives: Collection[Objective],
    heads: Mapping[str, Head],
    batch: Batch,
    outputs: Sequence[Outputs],
    parameters: Mapping[str, Array],
    pooled: ModelFolder | None,
    seed: Sequence[int] = (),
) -> dict[str, Output]:
    """What each head that an objective names gives for all rows of all chunks; `seed` is of what heads draw."""
    weights, found = head_weights(heads, parameters), {}
    if DENSE in outputs[0]:
        vectors = [each[DENSE] for each in outputs]
        vectors = vectors[0] if len(vectors) == 1 else namespace(vectors[0]).concatenate(vectors, axis=0)
        if pooled:
            vectors = finish(vectors, pooled, dense_weights(pooled, parameters))
        found[DENSE] = Output("vector", vectors)
    for name in {name: None for objective in objectives for name in objective.names if name != DENSE}:
        head = heads[name]
        if (whole := in_training(name, head)) != name:
            own = token_head_weights(name, head, parameters)
            found[name] = by_word(head, own, [each[whole] for each in outputs], batch.chunks)
        elif head.on_tokens:
            found[name] = joined(head, [each[name] for each in outputs], batch.chunks)
        else:
            found[name] = _of_vectors(head, weights[name], found[DENSE].values, seed)
    return found


def _of_vectors(head: Head, weights: Mapping[str, Array], vectors: Array, seed: Sequence[int]) -> Output:
    """What a head that reads vectors [n, D] gives for them."""
    if not isinstance(head, CodeHead):
        return Output(head.gives, head(weights, vectors))
    noise = head.noise(vectors.shape[0], seed) if seed else None
    values = head(weights, vectors, None if noise is None else constant(noise, vectors))
    return Output(head.gives, values, asking=head.of_query(weights, vectors) if head.query == FLOAT else None)
