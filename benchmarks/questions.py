"""What is asked: each question's pairs of contestants, what is compared, and how often they take turns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.loss_memory import BATCHES, TAUGHT
from benchmarks.quality import WIDTHS

OURS, PEERS, MLX_PEER = "metaembed", "sentence_transformers", "mlx_embeddings"
REFERENCE = "sentence-transformers"
"""Whose vectors all the others are compared with."""


@dataclass(frozen=True)
class Contestant:
    """A measuring program with its options; `label` names it in tables."""

    label: str
    module: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """The first contestant's figures over the second's, `rounds` times in turn; without a second, its figures alone.

    `same` names what both must answer alike; with `seeds`, each round has a seed of its own.
    """

    first: Contestant
    second: Contestant | None
    measures: tuple[str, ...]
    rounds: int = 3
    same: tuple[str, ...] = ()
    seeds: bool = False

    @property
    def contestants(self) -> tuple[Contestant, ...]:
        return (self.first, self.second) if self.second else (self.first,)


def _train(label: str, program: str, **options: object) -> Contestant:
    return Contestant(label, f"benchmarks.train_speed.{program}", options)


def _encode(label: str, program: str, **options: object) -> Contestant:
    return Contestant(label, f"benchmarks.encode_speed.{program}", options)


def _memory(engine: str) -> Pair:
    with_cache, without = (
        Contestant(
            f"{engine} {label}", "benchmarks.gradcache_memory.metaembed", {"engine": engine, "grad_cache": cache}
        )
        for label, cache in (("GradCache", "on"), ("plain", "off"))
    )
    return Pair(with_cache, without, ("peak_bytes", "seconds"), rounds=1, same=("loss", "grad_norm"))


def _loss_memory(engine: str, batch: int) -> Pair:
    tiled, plain = (
        Contestant(
            f"{engine} {batch} rows {text}",
            "benchmarks.loss_memory.metaembed",
            {"engine": engine, "text": text, "batch": batch},
        )
        for text in ("tiled", "plain")
    )
    return Pair(tiled, plain, ("peak_bytes",), rounds=1, same=("loss", "grad_norm"))


def _taught_memory(engine: str, loss: str) -> Pair:
    blocks, plain = (
        Contestant(
            f"{engine} {loss} {text}", "benchmarks.loss_memory.taught", {"engine": engine, "text": text, "loss": loss}
        )
        for text in ("blocks", "plain")
    )
    return Pair(blocks, plain, ("peak_bytes",), rounds=1, same=("loss", "grad_norm"))


def _heads(kind: str) -> Pair:
    """A head that is trained here and there; dropout is theirs alone, as both come."""
    ours = Contestant(f"metaembed torch {kind}", f"benchmarks.heads.{OURS}", {"kind": kind})
    theirs = Contestant(f"{REFERENCE} {kind}", f"benchmarks.heads.{PEERS}", {"kind": kind})
    return Pair(ours, theirs, ("ndcg@10", "tokens_per_second"), rounds=2, seeds=True)


SPEED = ("tokens_per_second",)
QUESTIONS: dict[str, tuple[Pair, ...]] = {
    "train_speed": (
        Pair(_train("metaembed torch", OURS, engine="torch"), _train(REFERENCE, PEERS), SPEED),
        Pair(
            _train("metaembed torch", OURS, engine="torch"),
            _train(f"{REFERENCE} without dropout", PEERS, dropout="none"),
            SPEED,
            rounds=1,
        ),
        Pair(_train("metaembed mlx", OURS, engine="mlx"), None, SPEED, rounds=1),
    ),
    "encode_speed": (
        Pair(_encode("metaembed torch", OURS, engine="torch"), _encode(REFERENCE, PEERS), SPEED),
        Pair(_encode("metaembed mlx", OURS, engine="mlx"), _encode("mlx-embeddings", MLX_PEER), SPEED),
    ),
    "gradcache_memory": (_memory("torch"), _memory("mlx")),
    "loss_memory": tuple(_loss_memory(engine, batch) for batch in BATCHES for engine in ("torch", "mlx")),
    "taught_memory": tuple(_taught_memory(engine, loss) for loss in TAUGHT for engine in ("torch", "mlx")),
    "quality": (
        Pair(
            Contestant("metaembed torch", f"benchmarks.quality.{OURS}"),
            Contestant(REFERENCE, f"benchmarks.quality.{PEERS}"),
            tuple(f"ndcg@10 at {width}" for width in WIDTHS),
            rounds=2,
            seeds=True,
        ),
    ),
    "heads": (_heads("sparse"), _heads("multi_vector")),
}
