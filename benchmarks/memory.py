"""`python -m benchmarks.memory [shapes | creep]`: what runs hold beside what was planned, and whether long ones grow.

`shapes`: plans for the shapes that people ask about, from a configuration alone. `creep`: 2,000 steps of mixed lengths
on a small model; the process in the last tenth of the steps against the second tenth. Each leaves a file in results.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import machine
from mlx_metaembed import folder as folders
from mlx_metaembed import weights
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.sizes import format_size
from mlx_metaembed.train import metrics, train
from mlx_metaembed.train.plan import Job, Target, plan, shapes

RESULTS = Path(__file__).parent / "results"
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
BERT = {"model_type": "bert", "max_position_embeddings": 512, "type_vocab_size": 2}
XLMR = BERT | {"model_type": "xlm-roberta", "max_position_embeddings": 514}
QWEN3 = {"model_type": "qwen3", "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 32768}
QWEN2 = {"model_type": "qwen2", "num_key_value_heads": 4, "max_position_embeddings": 131072}
MODELS = {
    "bge-small": (BERT, (30522, 384, 12, 12, 1536)),
    "bge-base": (BERT, (30522, 768, 12, 12, 3072)),
    "e5-large-v2": (BERT, (30522, 1024, 24, 16, 4096)),
    "XLM-R-large": (XLMR, (250002, 1024, 24, 16, 4096)),
    "Qwen3-Embedding-0.6B": (QWEN3, (151669, 1024, 28, 16, 3072)),
    "GTE-Qwen2-7B": (QWEN2, (151646, 3584, 28, 28, 18944)),
}
ADAFACTOR = {"freeze_embeddings": True, "optimizer": "adafactor"}
JOBS = (
    *(("bge-small", {"batch_size": size}, 3, False) for size in (32, 256, 1024)),
    ("bge-base", {"batch_size": 256}, 2, False),
    ("e5-large-v2", {"batch_size": 256}, 2, False),
    ("XLM-R-large", {"batch_size": 256, **ADAFACTOR}, 2, False),
    ("XLM-R-large", {"batch_size": 256, "train": "lora"}, 2, False),
    ("Qwen3-Embedding-0.6B", {"batch_size": 256, "train": "lora"}, 2, False),
    ("Qwen3-Embedding-0.6B", {"batch_size": 256, "train": "lora"}, 2, True),
    ("GTE-Qwen2-7B", {"batch_size": 256, "train": "heads", "dense": 512}, 2, True),
)
"""Model, what differs from the defaults, texts a row, and whether its weights are of 4 bits."""
TARGETS = {"mlx": (Target("mlx", "metal"), "float16"), "torch": (Target("torch", "cuda"), "bfloat16")}
BUDGET, LENGTH = 8 * 10**9, 512
STEPS, ROWS = 2000, 2000
SMALL = {
    "vocab_size": 1000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}


def plans() -> list[dict]:
    """A row a job and engine: the predicted peak and what it takes."""
    rows = []
    for model, changes, columns, quantized in JOBS:
        base, sizes = MODELS[model]
        config = base | dict(zip(SIZES, sizes, strict=True))
        folder = shapes.of_config(ModelFolder(Path(model), config, max_seq_length=LENGTH))
        if quantized:
            folder = shapes.quantized(folder)
        for engine, (target, dtype) in TARGETS.items():
            made = plan(Job(Recipe(model=model, **changes), folder, target, dtype, LENGTH, columns), budget=BUDGET)
            words = ", ".join(f"{name} {value}" for name, value in changes.items())
            rows.append(
                {
                    "job": f"{model}, {words}" + (", 4 bits" if quantized else ""),
                    "engine": engine,
                    "planned": made.total,
                    "fits": made.fits,
                    "chunk_tokens": made.chunk_tokens,
                    "grad_cache": made.cached,
                    "checkpointing": made.checkpointing,
                    "parts": made.parts,
                }
            )
    return rows


def creep(engine: str, steps: int) -> dict:
    """A long run on texts of 2 to 60 words: the process's median bytes in the second and in the last tenth of it."""
    with tempfile.TemporaryDirectory() as work:
        model = small(Path(work) / "model")
        random, data = np.random.default_rng(0), Path(work) / "rows.jsonl"
        with data.open("w", encoding="utf-8") as file:
            for row in range(ROWS):
                texts = [" ".join(map(str, random.integers(0, 900, random.integers(2, 60)))) for _ in range(2)]
                file.write(json.dumps({"anchor": f"{texts[0]} {row}", "positive": texts[1]}) + "\n")
        recipe = Recipe(model=str(model), data=str(data), out=f"{work}/run", engine=engine, iters=steps, batch_size=16)
        result = train(recipe)
        held = [row["footprint_bytes"] for row in metrics.read(metrics.path_in(Path(work) / "run"))]
    tenth = len(held) // 10
    early, late = median(held[tenth : 2 * tenth]), median(held[-tenth:])
    return {
        "engine": engine,
        "steps": steps,
        "second_tenth": early,
        "last_tenth": late,
        "growth": late / early - 1,
        "shapes": result.shapes,
    }


def small(path: Path) -> Path:
    """A random BERT of two layers whose words are numbers, as a model folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    path.mkdir()
    config = BERT | SMALL | {"pad_token_id": 0}
    folder = ModelFolder(path, config, max_seq_length=64, normalize=True)
    folders.write(folder, path)
    random = np.random.default_rng(0)
    found = {name: tensor.shape for name, tensor in shapes.of_config(folder).trunk().items()}
    arrays = {name: random.standard_normal(shape).astype(np.float32) * 0.05 for name, shape in found.items()}
    arrays = {name: array + name.endswith("LayerNorm.weight") for name, array in arrays.items()}
    weights.write(path / "model.safetensors", {name: array.astype(np.float32) for name, array in arrays.items()})
    made = Tokenizer(
        models.WordLevel({"[UNK]": 1, "[PAD]": 0} | {str(n): n + 2 for n in range(900)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(path / "tokenizer.json"))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=("shapes", "creep"), nargs="?", default="shapes")
    parser.add_argument("--engine", choices=("mlx", "torch"), default="mlx", help="creep: which engine trains.")
    parser.add_argument("--steps", type=int, default=STEPS, help="creep: updates.")
    given = parser.parse_args()
    if given.question == "creep":
        rows = [creep(given.engine, given.steps)]
        print(
            f"{given.engine}: {format_size(int(rows[0]['second_tenth']))} in the second tenth, "
            f"{format_size(int(rows[0]['last_tenth']))} in the last ({rows[0]['growth']:+.1%}), "
            f"{rows[0]['shapes']} shapes"
        )
    else:
        rows = plans()
        print("| job | engine | planned | chunk | GradCache | checkpointing |", "|---|---|---|---|---|---|", sep="\n")
        for row in rows:
            planned = format_size(row["planned"]) + ("" if row["fits"] else ", does not fit")
            ways = ("on" if row[name] else "off" for name in ("grad_cache", "checkpointing"))
            print("|", " | ".join([row["job"], row["engine"], planned, f"{row['chunk_tokens']:,}", *ways]), "|")
    RESULTS.mkdir(exist_ok=True)
    name = f"memory_creep-{given.engine}" if given.question == "creep" else "memory_shapes"
    about = {"question": name} | machine.about(None)
    (RESULTS / f"{name}.json").write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
