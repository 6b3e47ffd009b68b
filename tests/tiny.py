"""Makes tiny random model folders with NumPy and a word tokenizer: no engine, no download."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mlx_metaembed import folder as folders
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import DenseModule

TEXTS = [
    "sort a list of numbers",
    "read a file line by line and return what it holds",
    "open a socket",
    "parse the command line",
    "walk a tree of folders and yield every file that ends in a given suffix, deepest first",
    "join two paths",
]
BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CONFIG = {
    "model_type": "bert",
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 48,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}


def tiny_folder(path: Path, *, seed: int = 0, dense: tuple[DenseModule, ...] = (), **declared: object) -> Path:
    """Write a tiny BERT with random weights; `declared` overrides fields of ModelFolder."""
    path.mkdir(parents=True)
    settings = {"pooling": "mean", "normalize": True, "max_seq_length": 32} | declared
    folder = ModelFolder(path=path, config=CONFIG | settings.pop("config", {}), dense=dense, **settings)
    folders.write(folder, path)
    random = np.random.default_rng(seed)
    arrays = {name: draw(random, name, shape) for name, shape in bert_shapes(folder.config).items()}
    safetensors.write(path / "model.safetensors", arrays)
    for module in dense:
        shape = (module.out_features, module.in_features)
        linear = {"linear.weight": draw(random, "", shape) * 5, "linear.bias": draw(random, "bias", shape[:1])}
        safetensors.write(path / module.path / "model.safetensors", linear)
    save(tokenizer(), path)
    return path


def save(made: Tokenizer, path: Path) -> None:
    """Write a tokenizer that other tools take as it stands, whatever the model's family has."""
    made.save(str(path / "tokenizer.json"))
    roles = {"pad": ("[PAD]", "<pad>"), "unk": ("[UNK]", "<unk>"), "cls": ("[CLS]", "<s>"), "sep": ("[SEP]", "</s>")}
    named = {
        f"{role}_token": token
        for role, known in roles.items()
        for token in known
        if made.token_to_id(token) is not None
    }
    disk.write_json(path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | named)


def draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights wide enough that every part of the encoder matters."""
    values = random.standard_normal(shape).astype(np.float32) * (0.02 if name.endswith("bias") else 0.15)
    return values + 1 if name.endswith("LayerNorm.weight") else values


def bert_shapes(config: dict) -> dict[str, tuple[int, ...]]:
    """Every tensor of a BERT trunk with its pooler, by the checkpoint's names."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        "pooler.dense.weight": (hidden, hidden),
        "pooler.dense.bias": (hidden,),
    }
    dense = {
        "attention.self.query": (hidden, hidden),
        "attention.self.key": (hidden, hidden),
        "attention.self.value": (hidden, hidden),
        "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (wide, hidden),
        "output.dense": (hidden, wide),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for name, shape in dense.items():
            shapes |= {f"{at}{name}.weight": shape, f"{at}{name}.bias": shape[:1]}
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
    for name in norms:
        shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    return shapes


def tokenizer(specials: tuple[str, ...] = BERT_SPECIALS, template: str = "[CLS] $A [SEP]") -> Tokenizer:
    """Words of TEXTS and numbers up to 40, after the special tokens, one of which means unknown."""
    unknown = next(token for token in specials if "unk" in token.lower())
    words = sorted({word for text in TEXTS for word in text.replace(",", "").split()})
    vocabulary = {token: at for at, token in enumerate([*specials, *words, *map(str, range(40))])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    made.add_special_tokens(list(specials))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    around = [(token, vocabulary[token]) for token in template.split() if token in specials]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=around)
    return made
