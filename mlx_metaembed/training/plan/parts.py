"""Where a run's bytes lie at each of its moments: the fullest one is the peak.

What stays (weights, masters, optimizer) is there at all of them;
gradients, activations, the batch's vectors and the loss come and go, and what takes another's place is not added to it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlx_metaembed.config.spellings import is_word_table
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.quantized import plain_shape
from mlx_metaembed.inputs.chunks import bucket
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import model_parts
from mlx_metaembed.training.optimizers import adafactor, adamw, adamw_8bit
from mlx_metaembed.training.plan.activations import ITEM, Activations, Shape, activations
from mlx_metaembed.training.plan.lengths import Lengths
from mlx_metaembed.training.plan.outputs import Blocks, head_bytes
from mlx_metaembed.training.plan.target import Target
from mlx_metaembed.training.trainable import EMBEDDING, LAYER

STATE = {"adamw": adamw.state_bytes, "adamw_8bit": adamw_8bit.state_bytes, "adafactor": adafactor.state_bytes}
IN_HAND = {
    "mlx": {"adamw": 2, "adamw_8bit": 2, "adafactor": 2},
    "torch": {"adamw": 6, "adamw_8bit": 9, "adafactor": 5},
}
"""Copies in float32 of the largest parameter that an update makes; on a processor torch's AdamW goes by pieces."""
DORA = {"mlx": 3.0, "torch": 5.5}
"""Numbers a token, layer and hidden unit that DoRA keeps for the way back beside LoRA's, as measured."""
MINED_SCORES = 2**26
"""Bytes of a block of scores while negatives are mined, with what is made of it."""
PLAIN = 0.93
"""A batch in one graph holds so much of what its chunks would hold one by one."""
SLACK = {"mlx": 0.07, "torch": 0.1}
"""Of all the rest: what allocators round up and keep between sizes."""

Parts = dict[str, int]


@dataclass(frozen=True)
class Job:
    """What is to be planned: a recipe on a model, on a device. `columns` are the texts of a row.

    `length` is that of the longest text; without `lengths` all are taken to be as long.
    """

    recipe: Recipe
    folder: ModelFolder
    target: Target
    dtype: str
    length: int
    columns: int
    lengths: Lengths | None = None
    mined: int = 0
    """Texts whose vectors are held while negatives are mined."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of the fullest batch."""
        full = self.texts * bucket(self.length)
        return full if self.lengths is None else min(full, self._measured[0])

    @property
    def usual_tokens(self) -> int:
        """Padded tokens of a batch on the average."""
        return self.batch_tokens if self.lengths is None else min(self.batch_tokens, self._measured[1])

    @property
    def _measured(self) -> tuple[int, int]:
        return self.lengths.batch_tokens(self.recipe.batch_size, self.length)

    @property
    def texts(self) -> int:
        return self.recipe.batch_size * self.columns

    @property
    def candidates(self) -> int:
        return self.recipe.batch_size * (self.columns - 1)


@dataclass(frozen=True)
class Bytes:
    """A job's bytes, before the number of tokens is known that are held at once."""

    job: Job
    stays: Parts
    sums: int
    """The float32 gradient of everything that trains."""
    working: int
    """The gradient of one chunk in the arithmetic's dtype, as much of it as is there at once."""
    update: int
    vectors: int
    outputs: int
    """Of heads on tokens, of one batch; the vectors' count their gradients too."""
    loss: int
    blocks: Blocks | None
    """Of a masked-language-model head, whose decoder's gradient comes with the loss, before those of chunks."""
    activations: Activations
    trained: int
    """Parameters that train."""
    inference: int
    """The trunk's own bytes while the vectors of a frozen one are computed, before the heads train."""
    pooled: bool
    """Whether only heads on such vectors train."""
    mining: int
    """Of the vectors that negatives are mined by, and a block of their scores."""

    def moments(self, chunk: int, *, held: int | None) -> dict[str, Parts]:
        """The parts at each moment, in bytes; `held` tokens at once without GradCache, None with it."""
        job = self.job
        kept = {"vectors": self.vectors, "outputs": 2 * self.outputs}
        decoder = self.blocks.decoder if self.blocks else 0
        if self.pooled:
            found = {
                "embedding": {"weights": self.inference, "activations": round(chunk * self.activations.forward)},
                "training": self.stays | {"gradients": self.sums, "vectors": self.vectors, "loss": self.loss},
            }
        elif held is None:
            passing = self.activations.held(chunk, chunk)
            # The chunk's own come where layers have given up what they kept.
            gradients = self.sums + max(self.working - round(chunk * self.activations.kept), 0)
            found = {
                "a chunk": self.stays | {"gradients": gradients, "activations": passing} | kept,
                "the loss": self.stays | kept | {"gradients": decoder, "loss": self._loss(chunk)},
            }
        else:
            # A chunk's rows are a power of two, so that a batch is seldom one chunk.
            rows = 2 ** int(math.log2(job.texts))
            part = min(chunk, rows * bucket(job.length))
            passing = round(PLAIN * self.activations.held(held, part))
            again = job.recipe.grad_accumulation_steps > 1
            before, new = (self.sums, self.working) if again else (0, self.sums)
            later = max(new - decoder, 0)
            gradients = before + decoder + max(later - round(PLAIN * held * self.activations.kept), 0)
            # A loss on token vectors is large, and has given its own up when the pass back begins to work.
            work = round(min(held, chunk) * self.activations.work) if self.outputs else 0
            loss = {"loss": max(self._loss(part) - work, 0), "outputs": 2 * self.outputs}
            found = {"the batch": self.stays | {"gradients": gradients, "activations": passing} | loss}
        if self.mining:
            passing = 0 if self.pooled else round(chunk * self.activations.forward)
            found["mining"] = self.stays | {"vectors": self.mining, "activations": passing}
        if not self.pooled:
            found["the update"] = self.stays | {"gradients": self.sums, "update": self.update}
        for parts in found.values():
            parts["slack"] = round(SLACK[job.target.engine] * sum(parts.values()))
            if job.target.process:
                parts["process"] = job.target.process + (self.blocks.freed if self.blocks else 0)
        return found

    def _loss(self, chunk: int) -> int:
        """Bytes of the loss, with the blocks of words that it goes by."""
        return self.loss + (self.blocks.held(chunk) if self.blocks else 0)

    def peak(self, chunk: int, *, held: int | None) -> Parts:
        """The parts at the fullest moment."""
        return max(self.moments(chunk, held=held).values(), key=lambda parts: sum(parts.values()))


def estimate(job: Job) -> Bytes:
    """The bytes of a job. Raises CallError where the model's weights can't train as the recipe says."""
    recipe, folder, target = job.recipe, job.folder, job.target
    shape, item = Shape.of(folder.architecture), ITEM[job.dtype]
    trunk, trained = folder.trunk(), model_parts.trained(recipe, folder)
    post_trunk = model_parts.post_trunk(recipe, folder)
    behind, pooled = post_trunk.shapes.values(), recipe.train == "heads" and not post_trunk.on_tokens
    shapes = [*trained.values(), *behind]
    count = sum(map(math.prod, shapes))
    plain = sum(map(math.prod, trained.values()))
    widest = max((4 * math.prod(each) for each in shapes), default=0)
    # The word table's gradient is rows.
    matrices = [math.prod(each) for name, each in trained.items() if not is_word_table(name)]
    by_pieces = target == Target("torch", "cpu") and recipe.optimizer == "adamw"
    features = folder.dimensions if recipe.train != "heads" else max(folder.dimensions, folder.pooled_width)
    heads = head_bytes(job, post_trunk, features)
    adapter = 0 if recipe.train == "full" else item * plain
    # A pass keeps the rounded matrices beside their own for the way back.
    rounded = item * sum(matrices) if recipe.quantization_aware else 0
    weights = stored(trunk, folder.quantization, item, target) + adapter + rounded
    stays = {
        "weights": 4 * sum(map(math.prod, behind)) + (0 if pooled else weights),
        "masters": 4 * plain if item < 4 else 0,
        "optimizer": sum(STATE[recipe.optimizer](each) for each in shapes),
    }
    return Bytes(
        job=job,
        stays=stays,
        sums=4 * count,
        working=(item if item == 4 else item + 4) * max(matrices, default=0)
        if _one_by_one(job)
        else item * sum(matrices),
        update=0 if by_pieces else IN_HAND[target.engine][recipe.optimizer] * widest,
        vectors=2 * 4 * job.texts * features if heads.dense else 0,
        outputs=heads.outputs,
        loss=heads.loss,
        blocks=heads.blocks,
        activations=_together(
            _trunk_activations(job, shape, shape.layers - first_layer(trained, shape.layers)),
            heads.activations,
            frozen=recipe.train == "heads",
        ),
        trained=count,
        inference=weights,
        pooled=pooled,
        # A copy of unit length is made of them.
        mining=2 * 4 * job.mined * folder.dimensions + MINED_SCORES if job.mined else 0,
    )


def _trunk_activations(job: Job, shape: Shape, layers: int) -> Activations:
    """Of the layers that train, with what an adapter adds; layers that are computed twice keep one's at a time."""
    again = checkpointed(job)
    found = activations(
        shape,
        length=job.length,
        dtype=job.dtype,
        engine=job.target.engine,
        layers=layers,
        checkpointing=again,
        frozen=job.recipe.train in ("lora", "dora"),
    )
    if job.recipe.train != "dora":
        return found
    own = DORA[job.target.engine] * ITEM[job.dtype] * shape.hidden
    return replace(found, work=found.work + own) if again else replace(found, kept=found.kept + own * layers)


def _together(trunk: Activations, heads: Activations, *, frozen: bool) -> Activations:
    """A pass through the trunk and its heads; through a frozen trunk no gradient goes back."""
    work = trunk.forward if frozen else trunk.work
    return Activations(trunk.kept + heads.kept, work + heads.work, trunk.forward + heads.forward)


def _one_by_one(job: Job) -> bool:
    """Whether a parameter's gradient is added to its sum as soon as it is there; MLX's compiled ones come together."""
    return job.target.engine == "torch" or checkpointed(job)


def checkpointed(job: Job) -> bool:
    """Whether layers keep their inputs alone."""
    return job.recipe.checkpointing == "on"


def stored(trunk: Mapping[str, Tensor], quantization: Mapping | None, item: int, target: Target) -> int:
    """Bytes of a trunk's weights in memory, quantized ones as they are or made plain."""
    total = 0
    for name, tensor in trunk.items():
        module, _, kind = name.rpartition(".")
        packed = quantization and f"{module}.scales" in trunk
        if not packed:
            total += item * math.prod(tensor.shape)
        elif target.quantized:
            total += (4 if kind == "weight" else item) * math.prod(tensor.shape)
        elif kind == "scales":
            total += item * math.prod(plain_shape(trunk, f"{module}.weight", quantization))
    return total


def first_layer(trained: Mapping[str, object], layers: int) -> int:
    """The layer where a gradient ends: what lies before keeps nothing. All layers, where nothing trains."""
    found = [LAYER.search(f".{name}") for name in trained]
    return min(
        (int(each[1]) if each else _outside(name, layers) for name, each in zip(trained, found, strict=True)),
        default=layers,
    )


def _outside(name: str, layers: int) -> int:
    """A parameter outside of the layers stands before them, or is the last norm behind them."""
    return 0 if EMBEDDING.search(name) else layers
