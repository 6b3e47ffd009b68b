"""The plan of a run: how many tokens a chunk has, whether GradCache is needed, whether layers are checkpointed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mlx_metaembed.config import checks
from mlx_metaembed.errors import faults
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.inputs.chunks import bucket, least_rows
from mlx_metaembed.training.plan.parts import Bytes, Job, Parts, estimate

MOST_TOKENS = 8_192
"""Longer chunks gain nothing: the matrices are large enough to keep a laptop's GPU busy."""
USEFUL_TOKENS = 1_024
"""Chunks under this leave a GPU idle: `checkpointing = "auto"` computes layers twice rather than that."""
USABLE = 0.9
"""The share of the budget that chunks are made to fill: a run may hold more than was reckoned, never the budget."""
NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")


@dataclass(frozen=True)
class Plan:
    """Tokens of a chunk, padding included; whether a whole batch of longest texts needs GradCache; and the bytes."""

    bytes: Bytes
    budget: int
    chunk_tokens: int
    cached: bool
    checkpointing: bool

    @property
    def job(self) -> Job:
        return self.bytes.job

    def words(self) -> str:
        """The plan in one line."""
        way = "with GradCache" if self.cached else "in one graph"
        again = ", layers computed twice" if self.checkpointing else ""
        return (
            f"{format_size(self.total)} of {format_size(self.budget)}: batches {way}, chunks of {self.chunk_tokens} "
            f"tokens in at most {self.most_shapes} shapes{again}"
        )

    @property
    def parts(self) -> Parts:
        """Bytes by part at the fullest moment."""
        return self.bytes.peak(self.chunk_tokens, held=None if self.cached else self.batch_tokens)

    @property
    def total(self) -> int:
        """The predicted peak, bytes."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        return self.total <= self.budget

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of the fullest batch; of longest texts, where no others are known."""
        return self.job.batch_tokens

    def holds(self, padded_tokens: int) -> bool:
        """Whether a whole batch fits without GradCache."""
        return sum(self.bytes.peak(self.chunk_tokens, held=padded_tokens).values()) <= USABLE * self.budget

    @property
    def most_shapes(self) -> int:
        """The most shapes that an engine compiles: powers of two of rows, at each padded length."""
        return most_shapes(self.bytes.job.length, self.chunk_tokens)


def most_shapes(length: int, chunk_tokens: int) -> int:
    """How many shapes (rows, tokens) batches of texts of up to `length` tokens can have (see batches.chunks)."""
    found = padded = 0
    while padded < length:
        # The longest text may end between two buckets, and is padded to its own length then.
        padded = min(bucket(padded + 1), length)
        found += sum(1 for _ in _rows(padded, chunk_tokens))
    return found


def _rows(length: int, chunk_tokens: int) -> Iterator[int]:
    rows = least_rows(length)
    yield rows
    while rows * 2 * length <= chunk_tokens:
        rows *= 2
        yield rows


def plan(job: Job, *, budget: int) -> Plan:
    """The plan within `budget` bytes; one that does not fit has the smallest chunk. CallError as `estimate`."""
    require_shape(job.folder)
    asked = job.recipe.checkpointing
    kinds = {"on": (True,), "off": (False,), "auto": (False, True)}[asked]
    if job.recipe.dropout or job.recipe.train == "heads":
        kinds = kinds[:1] if asked != "auto" else (False,)
    found = [
        _at(replace(job, recipe=replace(job.recipe, checkpointing="on" if kind else "off")), kind, budget)
        for kind in kinds
    ]
    useful = min(job.recipe.chunk_tokens or USEFUL_TOKENS, USEFUL_TOKENS, found[0].batch_tokens)
    return next(
        (each for each in found if each.fits and each.chunk_tokens >= useful),
        max(found, key=lambda each: (each.fits, each.chunk_tokens if each.fits else -each.total)),
    )


def _at(job: Job, checkpointing: bool, budget: int) -> Plan:
    found = estimate(job)
    least = least_rows(job.length) * bucket(job.length)
    # What a run holds with the smallest chunk, an update's copies perhaps, leaves as much room to a larger one.
    filled = max(int(USABLE * budget), sum(found.peak(least, held=None).values()))
    chunk = max(least, min(job.recipe.chunk_tokens or MOST_TOKENS, most_tokens(found, filled)))
    cached = Plan(found, budget, chunk, True, checkpointing)
    whole = replace(cached, cached=False)
    plainly = {"on": False, "off": True, "auto": whole.holds(whole.batch_tokens) or whole.total <= cached.total}
    return whole if plainly[job.recipe.grad_cache] else cached


def most_tokens(found: Bytes, budget: int) -> int:
    """The largest chunk of GradCache within the budget; 0 where none fits."""
    low, high = 0, MOST_TOKENS
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(found.peak(middle, held=None).values()) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def require_shape(folder: ModelFolder) -> None:
    """Raise CallError for a configuration that lacks a width or depth, or whose heads do not share them evenly."""
    config = folder.architecture
    if missing := [f"{name} is missing" for name in NEEDED if config.get(name) is None]:
        raise faults(f"{folder.path / 'config.json'}:", missing)
    if wrong := checks.indivisible_heads(config):
        raise faults(f"{folder.path / 'config.json'}:", wrong)
