"""The shapes that people ask about, and random models of them: memory depends on shape alone."""

from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder import ModelFolder, mlm
from mlx_metaembed.heads.splade import Splade
from mlx_metaembed.training.plan import shapes

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
FORMS = {
    "bert": BERT,
    "gated": {
        "model_type": "nomic_bert",
        "type_vocab_size": 2,
        "activation_function": "swiglu",
        "rotary_emb_base": 1000,
    }
    | dict.fromkeys(("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"), False)
    | {"rotary_emb_fraction": 1.0, "causal": False, "prenorm": False, "n_positions": 512},
    "modernbert": {"model_type": "modernbert", "global_rope_theta": 160000.0, "local_rope_theta": 10000.0},
    "decoder": QWEN3,
    "t5": {"model_type": "t5", "feed_forward_proj": "relu"},
    "t5_gated": {"model_type": "t5", "feed_forward_proj": "gated-gelu"},
}
"""A configuration of each form of layer that the plan tells apart (training/plan/activations.py), but for its sizes."""
WORDS = 900
"""Numbers that a random model knows as words, each one token."""


def config(name: str, *, part: int = 1, words: int = 0) -> dict:
    """A model's configuration; `part` 4 has a quarter of its widths, heads and words, and all its layers.

    `words` are as many as it says then.
    """
    base, (known, hidden, layers, heads, wide) = MODELS[name]
    sizes = (words or known // part, hidden // part, layers, heads // part, wide // part)
    shared = base.get("num_key_value_heads")
    made = base | dict(zip(SIZES, sizes, strict=True)) | {"pad_token_id": 0}
    return made | ({"num_key_value_heads": shared // part} if shared else {})


def of_form(form: str, *, hidden: int, wide: int, heads: int, layers: int, times: int) -> dict:
    """The configuration of a small model of one of FORMS; queries of decoders and T5 have `times` the hidden width."""
    made = FORMS[form] | dict(zip(SIZES, (WORDS + 2, hidden, layers, heads, wide), strict=True)) | {"pad_token_id": 0}
    if form == "decoder":
        made |= {"head_dim": times * hidden // heads, "num_key_value_heads": heads // 2}
    if made["model_type"] == "t5":
        made |= {"d_model": hidden, "d_kv": times * hidden // heads, "d_ff": wide}
        made |= {"num_layers": layers, "num_heads": heads}
    return made


def write(path: Path, config: dict, *, length: int, tokenizer: Path | None = None, masked: bool = False) -> Path:
    """A random model folder of a configuration; its words are numbers, or those of the folder `tokenizer`.

    `masked`: with a masked-language-model head, whose decoder is the word table.
    """
    path.mkdir()
    folder = ModelFolder(path, config, max_seq_length=length, normalize=True)
    folders.write(folder, path)
    random = np.random.default_rng(0)
    found = {name: tensor.shape for name, tensor in shapes.of_config(folder).trunk().items()}
    if masked:
        head = Splade(config["hidden_size"], config["vocab_size"], tied=mlm.LAYOUTS[config["model_type"]].tied)
        found |= mlm.spelled(config, head.shapes())
    arrays = {}
    for name, shape in found.items():
        values = random.standard_normal(shape, np.float32) * np.float32(0.05)
        arrays[name] = values + np.float32(len(shape) == 1 and name.endswith("weight"))
    safetensors.write(path / "model.safetensors", arrays)
    if tokenizer:
        folders.copy_tokenizer(tokenizer, path)
    else:
        _numbers().save(str(path / "tokenizer.json"))
    return path


def _numbers():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[PAD]": 0, "[UNK]": 1} | {str(number): number + 2 for number in range(WORDS)}
    made = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made
