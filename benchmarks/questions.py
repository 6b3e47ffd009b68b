"""What is asked: each question's pairs of contestants, what is compared, and how often they take turns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.quality import WIDTHS

OURS, PEERS, MLX_PEER = "metaembed", "sentence_transformers", "mlx_embeddings"


@dataclass(frozen=True)
class Contestant:
    """A measuring program with its options; `label` names it in tables."""

    label: str
    module: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """The first contestant's figures over the second's, `rounds` times in turn."""

    first: Contestant
    second: Contestant
    measures: tuple[str, ...]
    rounds: int = 3
    seeds: bool = False


def _train(label: str, program: str, **options: object) -> Contestant:
    return Contestant(label, f"benchmarks.train_speed.{program}", options)


def _encode(label: str, program: str, **options: object) -> Contestant:
    return Contestant(label, f"benchmarks.encode_speed.{program}", options)


def _memory(label: str, engine: str, cache: str) -> Contestant:
    return Contestant(label, "benchmarks.gradcache_memory.metaembed", {"engine": engine, "grad_cache": cache})


SPEED = ("tokens_per_second",)
QUESTIONS: dict[str, tuple[Pair, ...]] = {
    "train_speed": (
        Pair(_train("metaembed torch", OURS, engine="torch"), _train("sentence-transformers", PEERS), SPEED),
        Pair(_train("metaembed mlx", OURS, engine="mlx"), _train("sentence-transformers", PEERS), SPEED, rounds=1),
    ),
    "encode_speed": (
        Pair(_encode("metaembed torch", OURS, engine="torch"), _encode("sentence-transformers", PEERS), SPEED),
        Pair(_encode("metaembed mlx", OURS, engine="mlx"), _encode("mlx-embeddings", MLX_PEER), SPEED),
    ),
    "gradcache_memory": (
        Pair(_memory("mlx cached", "mlx", "on"), _memory("mlx plain", "mlx", "off"), ("peak_bytes",), rounds=1),
        Pair(_memory("torch cached", "torch", "on"), _memory("torch plain", "torch", "off"), ("peak_bytes",), rounds=1),
    ),
    "quality": (
        Pair(
            Contestant("metaembed torch", f"benchmarks.quality.{OURS}"),
            Contestant("sentence-transformers", f"benchmarks.quality.{PEERS}"),
            tuple(f"ndcg@10 at {width}" for width in WIDTHS),
            rounds=2,
            seeds=True,
        ),
    ),
}
