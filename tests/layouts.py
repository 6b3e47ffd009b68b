"""One model in both layouts of sentence-transformers, as the contents of its JSON files."""

import json
from pathlib import Path

CONFIG = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64}
TANH = "torch.nn.modules.activation.Tanh"
DENSE = {"in_features": 8, "out_features": 4, "bias": True, "activation_function": TANH}


def files(path: Path, contents: dict[str, object]) -> Path:
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def listed(*pairs: tuple[str, str]) -> list[dict]:
    return [{"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(pairs)]


BEFORE = {
    "config.json": CONFIG,
    "modules.json": listed(
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Dense", "sentence_transformers.models.Dense"),
        ("3_Normalize", "sentence_transformers.models.Normalize"),
    ),
    "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
    "1_Pooling/config.json": {
        "word_embedding_dimension": 8,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "include_prompt": False,
    },
    "2_Dense/config.json": DENSE,
    "config_sentence_transformers.json": {"prompts": {"query": "q: "}, "similarity_fn_name": "dot"},
}
SINCE = {
    "config.json": CONFIG,
    "modules.json": listed(
        ("", "sentence_transformers.base.modules.transformer.Transformer"),
        ("1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling"),
        ("2_Dense", "sentence_transformers.base.modules.dense.Dense"),
        ("3_Normalize", "sentence_transformers.base.modules.normalize.Normalize"),
    ),
    "sentence_bert_config.json": {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    },
    "tokenizer_config.json": {"model_max_length": 32},
    "1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": False},
    "2_Dense/config.json": DENSE
    | {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"},
    "3_Normalize/config.json": {"module_input_name": "sentence_embedding"},
    "config_sentence_transformers.json": {
        "model_type": "SentenceTransformer",
        "prompts": {"query": "q: "},
        "similarity_fn_name": "dot",
    },
}
