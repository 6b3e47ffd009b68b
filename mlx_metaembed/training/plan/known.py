"""The shapes of common encoders, as their config.json on the hub says them: planned without asking a hub.

Sizes are vocabulary, hidden width, layers, heads, intermediate width, and positions; then the tokens a text that
sentence-transformers' files declare. Each is huggingface.co/<id>/blob/main/config.json.
"""

from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.training.plan import shapes

BERT = {"model_type": "bert", "type_vocab_size": 2}
XLMR = {"model_type": "xlm-roberta", "type_vocab_size": 1, "pad_token_id": 1}
MPNET = {"model_type": "mpnet", "pad_token_id": 1}
MODERNBERT = {"model_type": "modernbert", "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}
NOMIC = {
    "model_type": "nomic_bert",
    "type_vocab_size": 2,
    "activation_function": "swiglu",
    "rotary_emb_base": 1000,
    **dict.fromkeys(("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"), False),
}
QWEN3 = {"model_type": "qwen3", "num_key_value_heads": 8, "head_dim": 128}
FIELDS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    "max_position_embeddings",
)


@dataclass(frozen=True)
class Known:
    """A model on the hub: its family's settings, its sizes by FIELDS, and the tokens a text."""

    id: str
    family: dict
    sizes: tuple[int, ...]
    length: int

    def folder(self) -> ModelFolder:
        """A folder that has its tensors by shape."""
        config = self.family | dict(zip(FIELDS, self.sizes, strict=True))
        return shapes.of_config(ModelFolder(Path(self.id), config, max_seq_length=self.length, normalize=True))


def _bert(name: str, vocabulary: int, hidden: int, layers: int, length: int = 512) -> Known:
    """A BERT of the usual proportions: 12 heads, 16 from a width of 1,024 on, and four times the width inside."""
    heads = 16 if hidden >= 1024 else 12
    return Known(name, BERT, (vocabulary, hidden, layers, heads, 4 * hidden, 512), length)


KNOWN = (
    _bert("BAAI/bge-small-en-v1.5", 30522, 384, 12),
    _bert("BAAI/bge-base-en-v1.5", 30522, 768, 12),
    _bert("BAAI/bge-large-en-v1.5", 30522, 1024, 24),
    Known("BAAI/bge-m3", XLMR, (250002, 1024, 24, 16, 4096, 8194), 8192),
    _bert("intfloat/e5-small-v2", 30522, 384, 12),
    _bert("intfloat/e5-base-v2", 30522, 768, 12),
    _bert("intfloat/e5-large-v2", 30522, 1024, 24),
    _bert("intfloat/multilingual-e5-small", 250037, 384, 12),
    Known("intfloat/multilingual-e5-base", XLMR, (250002, 768, 12, 12, 3072, 514), 512),
    Known("intfloat/multilingual-e5-large", XLMR, (250002, 1024, 24, 16, 4096, 514), 512),
    _bert("sentence-transformers/all-MiniLM-L6-v2", 30522, 384, 6, 256),
    _bert("sentence-transformers/all-MiniLM-L12-v2", 30522, 384, 12, 128),
    Known("sentence-transformers/all-mpnet-base-v2", MPNET, (30527, 768, 12, 12, 3072, 514), 384),
    _bert("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 250037, 384, 12, 128),
    _bert("thenlper/gte-small", 30522, 384, 12),
    _bert("thenlper/gte-base", 30522, 768, 12),
    _bert("thenlper/gte-large", 30522, 1024, 24),
    Known("Alibaba-NLP/gte-modernbert-base", MODERNBERT, (50368, 768, 22, 12, 1152, 8192), 8192),
    Known("answerdotai/ModernBERT-base", MODERNBERT, (50368, 768, 22, 12, 1152, 8192), 8192),
    Known("answerdotai/ModernBERT-large", MODERNBERT, (50368, 1024, 28, 16, 2624, 8192), 8192),
    Known("nomic-ai/nomic-embed-text-v1.5", NOMIC, (30528, 768, 12, 12, 3072, 8192), 8192),
    _bert("Snowflake/snowflake-arctic-embed-xs", 30522, 384, 6),
    _bert("Snowflake/snowflake-arctic-embed-s", 30522, 384, 12),
    _bert("Snowflake/snowflake-arctic-embed-m", 30522, 768, 12),
    _bert("Snowflake/snowflake-arctic-embed-l", 30522, 1024, 24),
    _bert("mixedbread-ai/mxbai-embed-large-v1", 30522, 1024, 24),
    Known("Qwen/Qwen3-Embedding-0.6B", QWEN3, (151669, 1024, 28, 16, 3072, 32768), 32768),
)


def named(name: str) -> Known | None:
    """The model of a hub id, or of the name after its owner, in any case; None for others."""
    wanted = name.lower()
    return next((each for each in KNOWN if wanted in (each.id.lower(), each.id.lower().rpartition("/")[2])), None)
