"""Runs whose last weights are on record, bit for bit: `cd tests && python -m digests` writes them to digests.json.

The record names the processor and the libraries that it is of: elsewhere the same numbers round otherwise. A change of
arithmetic that asks for a new record is named in docs/log.md, with the difference.
"""

import hashlib
import importlib.metadata
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
from runs import recipe, weights_of
from tiny import TEXTS, tiny_folder

from mlx_metaembed.training import train

RECORDED = Path(__file__).parent / "digests.json"
PLAIN = {"matryoshka": (), "fsq": "", "epochs": 1, "seed": 3}
RECIPES: dict[str, dict] = {
    "pairs": {},
    "matryoshka and a code head": {"matryoshka": (32, 8), "matryoshka_weights": (1.0, 2.0), "fsq": "4x8"},
    "symmetric, false negatives": {"symmetric": True, "false_negative_margin": 0.1, "negatives": True},
    "triplet": {"loss": "triplet", "margin": 0.3, "matryoshka": (32, 8), "negatives": True},
    "soft euclidean triplet": {"loss": "triplet", "distance": "euclidean", "soft_margin": True, "negatives": True},
    "gradient cache": {"grad_cache": "on", "matryoshka": (32, 8), "fsq": "4x8"},
    "dropout": {"grad_cache": "on", "dropout": 0.1},
    "checkpointing": {"checkpointing": "on"},
    "half precision": {"dtype": "float16", "grad_accumulation_steps": 2},
    "8-bit moments": {"optimizer": "adamw_8bit", "lr_schedule": "cosine"},
    "adafactor": {"optimizer": "adafactor", "max_grad_norm": 0.0},
    "last layer": {"num_layers": 1, "freeze_embeddings": True, "dense": 16},
    "lora": {"train": "lora", "lora_rank": 2, "fsq": "4x8"},
    "dora": {"train": "dora", "lora_rank": 2},
    "heads": {"train": "heads", "fsq": "4x8", "dense": 16, "matryoshka": (16, 8)},
    "prompts": {"prompts": {"query": "open ", "document": "read "}, "fsq": "2x8"},
}


def machine() -> dict[str, str]:
    """What the last bits of a number depend on."""
    from mlx_metaembed.on_mlx.engine import FOUND_BLAS

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    features = next((line for line in lines if line.startswith("flags")), platform.processor())
    return {
        "mlx": importlib.metadata.version("mlx"),
        "numpy": importlib.metadata.version("numpy"),
        "blas": str(FOUND_BLAS),
        "processor": hashlib.sha256(features.encode()).hexdigest()[:16],
    }


def versions(engine: str) -> dict[str, str]:
    """What the bits of one engine's runs are of."""
    names = ("torch", "transformers") if engine == "torch" else ()
    return machine() | {name: importlib.metadata.version(name) for name in names}


def end(name: str, engine: str, work: Path) -> dict[str, object]:
    """The digest of all that a run leaves, and the sum of the sizes of its numbers, by file."""
    settings = PLAIN | RECIPES[name]
    prompts = settings.pop("prompts", {})
    model = tiny_folder(work / "model", prompts=prompts)
    data = work / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in _rows(settings.pop("negatives", False))))
    train(recipe(model, data, work / "out", engine=engine, **settings))
    digest, sizes = hashlib.sha256(), {}
    for full, array in sorted(weights_of(work / "out").items()):
        digest.update(full.encode() + array.tobytes())
        file = full.partition(":")[0]
        sizes[file] = sizes.get(file, 0.0) + float(np.abs(array.astype(np.float64)).sum())
    return {"digest": digest.hexdigest()[:32], "sizes": sizes}


def _rows(negatives: bool) -> list[dict]:
    """Twenty-six pairs of texts of mixed length, some with one or two hard negatives; a text may come again."""
    random = np.random.default_rng(11)
    words = " ".join(TEXTS).split()

    def text(most: int) -> str:
        return " ".join(random.choice(words, 1 + int(random.integers(most))))

    found = []
    for row in range(26):
        pair = {"anchor": f"{text(6)} {row % 20}", "positive": f"{text(14)} {row % 23}"}
        found.append(pair | ({"negative_1": text(9), "negative_2": text(5)} if negatives else {}))
    return found


def main() -> None:
    found: dict[str, dict] = {}
    for engine in ("mlx", "torch"):
        found[engine] = {"of": versions(engine), "runs": {}}
        for name in RECIPES:
            with tempfile.TemporaryDirectory() as work:
                found[engine]["runs"][name] = end(name, engine, Path(work))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    import conftest  # noqa: F401  (sets how engines compute in tests)

    main()
