"""Runs of two steps, each in its own process: what was planned, what was held, and sentence-transformers on the same.

bge-small is measured whole. Of larger models a part is: a quarter of the widths, heads and words, and all the layers.
All texts are as long as the model takes, and the second step has the optimizer's moments. On a processor MLX counts its
allocator and torch the whole process, and quantized weights are made plain.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import process

OURS, PEER = "benchmarks.memory.metaembed", "benchmarks.memory.sentence_transformers"
LOSSES = ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss")


@dataclass(frozen=True)
class Run:
    """A model or a part of it, texts a row, tokens a text, the recipe's settings, and the peer's losses.

    `words`: a part has so many words all the same.
    `recipe` is one of examples/recipes, whose heads and objectives the run takes.
    """

    model: str
    settings: dict
    part: int = 1
    words: int = 0
    columns: int = 2
    length: int = 512
    bits: int = 0
    recipe: str = ""
    peers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        size = self.model if self.part == 1 else f"1/{self.part} {self.model}"
        named = [f"{self.words:,} words"] if self.words else []
        named += [self.recipe] if self.recipe else []
        words = [f"{size}, {self.length} tokens", *named, *(f"{name} {value}" for name, value in self.settings.items())]
        return ", ".join([*words, f"{self.bits} bits"] if self.bits else words)


FROZEN = {"freeze_embeddings": True, "optimizer": "adafactor"}
RUNS = (
    *(Run("bge-small", {"batch_size": size}, part=4, columns=3, length=64) for size in (32, 256, 1024)),
    Run("bge-base", {"batch_size": 8}, part=4),
    Run("e5-large-v2", {"batch_size": 8}, part=4),
    Run("XLM-R-large", {"batch_size": 8, **FROZEN}, part=4),
    Run("XLM-R-large", {"batch_size": 8, "train": "lora"}, part=4),
    Run("Qwen3-Embedding-0.6B", {"batch_size": 8, "train": "lora"}, part=4),
    Run("bge-small", {"batch_size": 4}, columns=3, peers=LOSSES),
    Run("bge-small", {"batch_size": 256}, length=64, recipe="bge_m3"),
    Run("bge-small", {"batch_size": 32, "grad_cache": "off"}, length=64, recipe="bge_m3"),
)
"""The jobs of `plans.JOBS`, as far as a processor can run them: with GradCache memory does not depend on the batch."""
ADAPTERS = tuple(
    Run("bge-small", {"batch_size": batch, "train": train, **more}, length=length, bits=bits)
    for length, batch in ((32, 32), (256, 8))
    for train, more, bits in (
        ("full", {}, 0),
        ("lora", {}, 0),
        ("dora", {}, 0),
        ("lora", {}, 4),
        ("heads", {"dense": 128}, 0),
    )
)
"""What trains beside a frozen trunk, and all of it, on short texts and on long ones."""
SPLADE = (
    Run("bge-small", {"batch_size": 64}, part=4, words=30522, length=64, recipe="splade"),
    Run("bge-small", {"batch_size": 16, "grad_cache": "off"}, part=4, words=30522, length=64, recipe="splade"),
    Run("XLM-R-large", {"batch_size": 384}, part=16, words=250002, length=8, recipe="splade"),
)
"""Sparse weights of a masked-language-model head, which are never held of all texts and words together."""
CHUNK = 2048
"""Tokens a chunk, so that every batch goes through GradCache."""


def measure(
    only: str, tell: Callable[[str], None], runs: Sequence[Run] = RUNS, threads: int | None = None
) -> Iterator[dict]:
    """A row a run and contestant, as they come: planned and peak bytes, tokens a second."""
    for run in (each for each in runs if only in each.label):
        shape = {"model": run.model, "part": run.part, "columns": run.columns, "length": run.length}
        if run.words:
            shape["words"] = run.words
        if run.bits:
            shape["bits"] = run.bits
        if run.recipe:
            shape["recipe"] = run.recipe
        for engine in ("mlx", "torch"):
            tell(f"{run.label}: {engine}")
            settings = {"chunk_tokens": CHUNK, "engine": engine} | run.settings
            if run.settings.get("train") != "heads":
                settings.setdefault("grad_cache", "on")
            found = process.measure(OURS, shape | {"settings": json.dumps(settings)}, threads)
            yield {"job": run.label, "contestant": f"metaembed {engine}"} | found
        for loss in run.peers:
            tell(f"{run.label}: {loss}")
            found = process.measure(PEER, shape | {"loss": loss, "batch": run.settings["batch_size"]})
            yield {"job": run.label, "contestant": f"sentence-transformers {loss}", "planned": None} | found
