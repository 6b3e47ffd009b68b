"""The reference trunks: transformers' own, of configurations in the form that the hub has them."""

import torch


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
