"""`python -m benchmarks.encoders`: each family against the reference states in tests/golden, as a Markdown table.

float32: the largest difference of a state; float16: the lowest cosine of a real token's state. On MLX.
"""

from pathlib import Path

import numpy as np

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
COVERS = {
    "bert": "BERT, MiniLM, bge, e5, gte",
    "roberta": "RoBERTa, all-roberta",
    "camembert": "CamemBERT",
    "xlm-roberta": "XLM-R, multilingual-e5, the trunk of BGE-M3",
    "mpnet": "all-mpnet, paraphrase models",
    "distilbert": "DistilBERT",
    "modernbert": "ModernBERT, gte-modernbert, modernbert-embed",
    "nomic_bert": "nomic-embed v1, v1.5",
    "nomic_moe": "nomic-embed v2-moe",
    "jina_embeddings_v3": "jina-embeddings-v3",
    "new": "gte v1.5 (Alibaba)",
    "gte": "snowflake-arctic-embed-m v2",
    "t5": "sentence-t5, gtr, instructor",
    "t5_gated": "T5 v1.1",
    "qwen2": "gte-Qwen2, Qodo-Embed-1",
    "qwen3": "Qwen3-Embedding",
    "llama": "Llama trunks",
    "mistral": "e5-mistral",
    "gemma3_text": "EmbeddingGemma",
    "longformer": "allenai/longformer-base-4096",
    "clip": "CLIP, both towers: clip-ViT-B-32, laion's",
    "clip_text_model": "CLIP's text tower with its projection",
    "siglip": "SigLIP, the text tower",
    "siglip_text_model": "SigLIP's text tower alone",
}


def differences(family: str) -> tuple[float, float]:
    """The largest float32 difference, and the lowest float16 cosine, on real tokens."""
    import mlx.core as mx

    from mlx_metaembed.on_mlx import trunk

    arrays = np.load(GOLDEN / family / "expected.npz")
    real, wanted = arrays["mask"].astype(bool), arrays["states"]
    states = {}
    for dtype in ("float32", "float16"):
        encoder = trunk.load(folders.read(GOLDEN / family))
        encoder.set_dtype(getattr(mx, dtype))
        found = encoder(mx.array(arrays["ids"]), mx.array(arrays["mask"]))
        states[dtype] = np.array(found.astype(mx.float32))[real]
    wanted = wanted[real]
    half = states["float16"]
    lengths = np.linalg.norm(half, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(np.abs(states["float32"] - wanted).max()), float(((half * wanted).sum(axis=1) / lengths).min())


def main() -> None:
    # Chooses a fast BLAS before MLX is imported.
    engines.choose("mlx")
    print("| model_type | checkpoints | float32, largest difference | float16, lowest cosine |")
    print("|---|---|---|---|")
    for family, covers in COVERS.items():
        difference, cosine = differences(family)
        print(f"| {family} | {covers} | {difference:.1e} | {cosine:.6f} |")


if __name__ == "__main__":
    main()
