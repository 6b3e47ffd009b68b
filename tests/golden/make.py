"""Writes the tiny checkpoints beside it, with the states that transformers computes for them.

    python tests/golden/make.py [FAMILY ...]     # all of FAMILIES, where none is named; needs torch and transformers

A folder FAMILY is a whole model folder (random weights, the kit's own tokenizer) and `expected.npz`: ids int32 [B, L]
padded on the right, mask bool [B, L], states float32 [B, L, hidden], zero on padding. The tests read only the folders.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tiny import BERT_SPECIALS, tokenizer  # noqa: E402

from mlx_metaembed import folder as folders  # noqa: E402
from mlx_metaembed import weights  # noqa: E402
from mlx_metaembed.architecture import unified  # noqa: E402
from mlx_metaembed.folder import ModelFolder  # noqa: E402

PICTURES = {"wide.png": (21, 9, "RGB"), "high.png": (5, 30, "RGBA"), "grey.png": (16, 16, "L")}
"""Columns, rows and mode of the golden images: wider, higher and square, none of the tower's own size."""
LENGTHS = (24, 1, 2, 3, 7, 8, 9, 16, 17)
"""Tokens of each text: the longest, a single one, an empty text's two, around powers of two."""
BERT = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}


def transformers_trunk(config: dict) -> torch.nn.Module:
    """transformers' trunk of a configuration: called with input_ids and attention_mask, it gives last_hidden_state."""
    from transformers import AutoConfig, AutoModel

    settings = {name: value for name, value in config.items() if name != "model_type"}
    return AutoModel.from_config(
        AutoConfig.for_model(config["model_type"], **settings), attn_implementation="eager", dtype=torch.float32
    )


def t5_encoder(config: dict) -> torch.nn.Module:
    """T5 without its decoder, as sentence-t5 and gtr are stored; AutoModel has no word for it."""
    from transformers import T5Config, T5EncoderModel

    settings = {name: value for name, value in config.items() if name != "model_type"}
    return T5EncoderModel._from_config(T5Config(**settings), attn_implementation="eager", dtype=torch.float32)


def nomic_trunk(config: dict) -> torch.nn.Module:
    """transformers' nomic_bert of the configuration that nomic's own checkpoints have."""
    own = {"swiglu": "silu"}
    return transformers_trunk(
        {name: config[name] for name in ("model_type", "vocab_size", "type_vocab_size", "pad_token_id")}
        | {
            "hidden_size": config["n_embd"],
            "num_hidden_layers": config["n_layer"],
            "num_attention_heads": config["n_head"],
            "intermediate_size": config["n_inner"],
            "max_position_embeddings": config["n_positions"],
            "layer_norm_eps": config["layer_norm_epsilon"],
            "hidden_act": own[config["activation_function"]],
            "rope_parameters": {"rope_type": "default", "rope_theta": config["rotary_emb_base"]},
        }
    )


def new_trunk(config: dict) -> torch.nn.Module:
    """transformers' gte, which has the architecture of Alibaba's `new` but not its stretching of the angles.

    That is done here as Alibaba's modeling.py does it: the base times the factor, then every frequency by a power.
    """
    own = {"rope_theta", "rope_scaling", "model_type", "position_embedding_type", "pack_qkv"}
    trunk = transformers_trunk(
        {name: value for name, value in config.items() if name not in own}
        | {"model_type": "gte", "rope_parameters": {"rope_type": "default", "rope_theta": config["rope_theta"]}}
    )
    if scaling := config.get("rope_scaling"):
        dims, factor = config["hidden_size"] // config["num_attention_heads"], scaling["factor"]
        frequencies = 1.0 / ((config["rope_theta"] * factor) ** (torch.arange(0, dims, 2).float() / dims))
        trunk.rotary_emb.inv_freq = frequencies / factor ** (2 / dims)
    return trunk


def text_tower(config: dict) -> torch.nn.Module:
    """A model with a tower for texts, called as a trunk is: it gives every token's state as it would project it."""
    import transformers
    from transformers.modeling_outputs import BaseModelOutput

    families = {
        "clip": "CLIPModel",
        "clip_text_model": "CLIPTextModelWithProjection",
        "siglip": "SiglipModel",
        "siglip_text_model": "SiglipTextModel",
    }
    settings = {name: value for name, value in config.items() if name != "model_type"}
    made = transformers.AutoConfig.for_model(config["model_type"], **settings)
    model = getattr(transformers, families[config["model_type"]])._from_config(made)
    tower = getattr(model, "text_model", model)
    project = getattr(model, "text_projection", None) or tower.head
    # SigLIP's tower alone is the model itself.
    encode = tower.forward

    def states(**inputs: torch.Tensor) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=project(encode(**inputs).last_hidden_state))

    model.forward = states
    return model


def clip_features(model: torch.nn.Module, out: Path, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, np.ndarray]:
    """The texts' vectors [B, D]; golden images, their pixels as transformers makes them on Pillow, their vectors."""
    from PIL import Image
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    random = np.random.default_rng(1)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12})
    processor.save_pretrained(out)
    pictures = []
    for name, (columns, rows, mode) in PICTURES.items():
        noise = random.integers(0, 256, (rows, columns, len(mode))).astype(np.uint8)
        Image.fromarray(noise.squeeze()).save(out / name)
        pictures.append(Image.open(out / name))
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    return {
        "pooled": model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output.numpy(),
        "pixels": pixels.numpy(),
        "images": model.get_image_features(pixel_values=pixels).pooler_output.numpy(),
    }


def siglip_features(model: torch.nn.Module, out: Path, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, np.ndarray]:
    """The texts' vectors [B, D] as SigLIP was trained: padded to the last position, without a mask."""
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    SiglipImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(out)
    positions, pad = model.config.text_config.max_position_embeddings, model.config.text_config.pad_token_id
    ids = torch.nn.functional.pad(ids, (0, positions - ids.shape[1]), value=pad)
    return {"pooled": model.get_text_features(input_ids=ids).pooler_output.numpy()}


@dataclass(frozen=True)
class Family:
    """What is special about a family: config.json, in the form that its checkpoints on the hub have it."""

    config: dict
    pooling: str = "mean"
    specials: tuple[str, ...] = BERT_SPECIALS
    """The tokenizer's first ids; one of them holds "unk"."""
    template: str = "[CLS] $A [SEP]"
    lengths: tuple[int, ...] = LENGTHS
    reference: Callable[[dict], torch.nn.Module] = transformers_trunk
    norm: float = 1.0
    """What the norms' weights lie around."""
    more: Callable[[torch.nn.Module, Path, torch.Tensor, torch.Tensor], dict[str, np.ndarray]] | None = None
    """Further arrays of expected.npz."""


# A table of 30 positions after the padding index, as RoBERTa's 514 are 512.
ROBERTA = BERT | {"pad_token_id": 1, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
ROBERTA_TOKENS = {"specials": ("<s>", "<pad>", "</s>", "<unk>"), "template": "<s> $A </s>"}
DISTILBERT = {
    "model_type": "distilbert",
    "activation": "gelu",
    "dim": 32,
    "hidden_dim": 64,
    "max_position_embeddings": 32,
    "n_heads": 4,
    "n_layers": 2,
    "pad_token_id": 0,
    "vocab_size": 120,
}

MODERNBERT = {
    "model_type": "modernbert",
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "hidden_activation": "gelu",
    "norm_eps": 1e-5,
    "norm_bias": False,
    "attention_bias": False,
    "mlp_bias": False,
    # Four tokens on each side.
    "local_attention": 8,
    "global_attn_every_n_layers": 3,
    "global_rope_theta": 160000.0,
    "local_rope_theta": 100.0,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
NOMIC = {
    "model_type": "nomic_bert",
    "activation_function": "swiglu",
    "causal": False,
    "layer_norm_epsilon": 1e-12,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "n_embd": 32,
    "n_head": 4,
    "n_inner": 48,
    "n_layer": 2,
    "n_positions": 64,
    "pad_token_id": 0,
    "parallel_block": False,
    "prenorm": False,
    "qkv_proj_bias": False,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "type_vocab_size": 2,
    "use_rms_norm": False,
    "vocab_size": 120,
}
NEW = BERT | {
    "model_type": "new",
    "intermediate_size": 48,
    "layer_norm_type": "layer_norm",
    "logn_attention_scale": False,
    "max_position_embeddings": 64,
    "pack_qkv": True,
    "position_embedding_type": "rope",
    "rope_scaling": {"factor": 2.0, "type": "ntk"},
    "rope_theta": 500.0,
    "type_vocab_size": 0,
}

DECODER = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "pad_token_id": None,
    "rope_theta": 10000.0,
}
T5 = {
    "model_type": "t5",
    "vocab_size": 120,
    "d_model": 32,
    "d_kv": 12,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 16,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 1e-6,
    "pad_token_id": 0,
}
SENTENCEPIECE = {"specials": ("<pad>", "</s>", "<unk>", "<s>"), "template": "$A </s>"}
TEXT_TOWER = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    # Not 2, which would mean the largest id of a text.
    "eos_token_id": 3,
    "bos_token_id": 2,
    "pad_token_id": 0,
}
IMAGE_TOWER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 12,
    "patch_size": 4,
}
CLIP_TOKENS = {
    "specials": ("<pad>", "<unk>", "<|startoftext|>", "<|endoftext|>"),
    "template": "<|startoftext|> $A <|endoftext|>",
    "reference": text_tower,
    "pooling": "lasttoken",
}
SIGLIP_TOKENS = {
    "specials": ("<unk>", "</s>"),
    "template": "$A </s>",
    "reference": text_tower,
    "pooling": "lasttoken",
}
LAST = SENTENCEPIECE | {"pooling": "lasttoken"}


FAMILIES = {
    "bert": Family(BERT | {"model_type": "bert"}),
    "gemma3_text": Family(
        DECODER
        | {
            "model_type": "gemma3_text",
            "head_dim": 12,
            "num_key_value_heads": 1,
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 20,
            # Both sides together: seven tokens on each.
            "sliding_window": 12,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "use_bidirectional_attention": True,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
            "pad_token_id": 0,
        },
        norm=0.0,
        **SENTENCEPIECE,
    ),
    "llama": Family(
        DECODER
        | {
            "model_type": "llama",
            "rope_theta": 500.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
        **LAST,
    ),
    "mistral": Family(DECODER | {"model_type": "mistral", "sliding_window": 8, "head_dim": 12}, **LAST),
    "qwen2": Family(
        DECODER | {"model_type": "qwen2", "sliding_window": 8, "use_sliding_window": False, "max_window_layers": 1},
        **LAST,
    ),
    "qwen3": Family(DECODER | {"model_type": "qwen3", "head_dim": 12, "attention_bias": False}, **LAST),
    "t5": Family(T5 | {"feed_forward_proj": "relu"}, reference=t5_encoder, **SENTENCEPIECE),
    "t5_gated": Family(T5 | {"feed_forward_proj": "gated-gelu"}, reference=t5_encoder, **SENTENCEPIECE),
    "roberta": Family(ROBERTA | {"model_type": "roberta"}, **ROBERTA_TOKENS),
    "xlm-roberta": Family(ROBERTA | {"model_type": "xlm-roberta"}, **ROBERTA_TOKENS, pooling="cls"),
    "camembert": Family(ROBERTA | {"model_type": "camembert"}, **ROBERTA_TOKENS),
    "longformer": Family(
        # Windows of two and four tokens on each side: the longest texts are computed in blocks.
        ROBERTA | {"model_type": "longformer", "attention_window": [4, 8], "max_position_embeddings": 42},
        **ROBERTA_TOKENS,
        lengths=(40, *LENGTHS),
    ),
    "clip": Family(
        {"model_type": "clip", "projection_dim": 16, "text_config": TEXT_TOWER, "vision_config": IMAGE_TOWER},
        **CLIP_TOKENS,
        more=clip_features,
    ),
    "clip_text_model": Family(
        TEXT_TOWER | {"model_type": "clip_text_model", "projection_dim": 16, "hidden_act": "gelu"}, **CLIP_TOKENS
    ),
    "siglip": Family(
        {
            "model_type": "siglip",
            "text_config": TEXT_TOWER | {"pad_token_id": 1, "eos_token_id": 1, "projection_size": 32},
            "vision_config": IMAGE_TOWER,
        },
        **SIGLIP_TOKENS,
        more=siglip_features,
    ),
    "siglip_text_model": Family(
        TEXT_TOWER | {"model_type": "siglip_text_model", "pad_token_id": 1, "projection_size": 16}, **SIGLIP_TOKENS
    ),
    "distilbert": Family(DISTILBERT),
    "mpnet": Family(
        {key: value for key, value in ROBERTA.items() if key != "type_vocab_size"}
        | {"model_type": "mpnet", "max_position_embeddings": 160, "relative_attention_num_buckets": 32},
        **ROBERTA_TOKENS,
        lengths=(150, *LENGTHS),
    ),
    "modernbert": Family(MODERNBERT),
    "nomic_bert": Family(NOMIC, reference=nomic_trunk),
    "new": Family(NEW, pooling="cls", reference=new_trunk),
    "gte": Family(
        NEW | {"model_type": "gte", "type_vocab_size": 1, "rope_scaling": None},
        pooling="cls",
        reference=new_trunk,
    ),
}
"""One entry a folder; its name is the folder's."""


def main(names: list[str]) -> None:
    for name in names or FAMILIES:
        make(name, FAMILIES[name])
        size = sum(path.stat().st_size for path in (HERE / name).rglob("*") if path.is_file())
        print(f"{name}: {size:,} bytes")


def make(name: str, family: Family) -> None:
    """Write one folder anew."""
    random = np.random.default_rng(0)
    trunk = family.reference(family.config).eval()
    arrays = {key: draw(random, key, tuple(tensor.shape), family.norm) for key, tensor in trunk.named_parameters()}
    # Not strict: a second name of a tied tensor is not among them.
    trunk.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}, strict=False)
    ids, mask = texts(random, family)
    inputs = [torch.from_numpy(each.astype(np.int64)) for each in (ids, mask)]
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with torch.inference_mode():
        states = trunk(input_ids=inputs[0], attention_mask=inputs[1])
        more = family.more(trunk, out, *inputs) if family.more else {}
    folders.write(ModelFolder(out, family.config, max_seq_length=24, pooling=family.pooling, normalize=True), out)
    weights.write(out / "model.safetensors", stored(trunk, family.config["model_type"]))
    tokenizer(family.specials, family.template).save(str(out / "tokenizer.json"))
    states = states.last_hidden_state.numpy() * mask[:, :, None]
    np.savez_compressed(out / "expected.npz", ids=ids, mask=mask, states=states, **more)


def stored(trunk: torch.nn.Module, model_type: str) -> dict[str, np.ndarray]:
    """A trunk's weights as transformers saves them: some families' files name and fuse them as the hub does.

    SigLIP's text tower alone is saved without the prefix that its files on the hub have.
    """
    prefix = "text_model." if model_type == "siglip_text_model" else ""
    with tempfile.TemporaryDirectory() as scratch:
        trunk.save_pretrained(scratch)
        found = weights.read(Path(scratch) / "model.safetensors")
        return {prefix + name: array for name, array in found.items()}


def draw(random: np.random.Generator, name: str, shape: tuple[int, ...], norm: float) -> np.ndarray:
    """Random weights wide enough that every part of the encoder matters; vectors named weight are norms' scales."""
    values = np.asarray(random.standard_normal(shape), np.float32) * np.float32(0.1 if name.endswith("bias") else 0.15)
    return values + norm if len(shape) == 1 and name.endswith("weight") else values


def texts(random: np.random.Generator, family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Random words inside the template; ids int32 and mask bool [B, L]."""
    before, after = ([family.specials.index(token) for token in part.split()] for part in family.template.split("$A"))
    mask = np.arange(max(family.lengths)) < np.array(family.lengths)[:, None]
    words = tokenizer(family.specials, family.template).get_vocab_size()
    pad = unified(family.config).get("pad_token_id") or 0
    ids = np.where(mask, random.integers(len(family.specials), words, mask.shape), pad)
    for row, length in zip(ids, family.lengths, strict=True):
        row[: len(before)] = before
        if length >= len(before) + len(after):
            row[length - len(after) : length] = after
    return ids.astype(np.int32), mask


if __name__ == "__main__":
    main(sys.argv[1:])
