"""A folder's trunk as a torch module: transformers' own, for every family it has, loaded strictly."""

import inspect

import torch

from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.weights import compare

DROPOUT = ("hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout")
"""What families call the share of states that is dropped."""
NEVER_DROPPED = ("attention_probs_dropout_prob", "attention_dropout")
"""Attention weights are never dropped: MLX's fused kernel cannot, and both engines train alike."""


def load(folder: ModelFolder, *, dtype: torch.dtype, dropout: float) -> torch.nn.Module:
    """The trunk in `dtype`. Raises CallError that lists every tensor that does not fit, or an unknown model type."""
    from safetensors.torch import load_file
    from transformers import MODEL_MAPPING, AutoConfig, AutoModel
    from transformers.utils import logging

    # The kit checks names and shapes itself, and has its own progress bars.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    settings = {name: value for name, value in folder.config.items() if name not in ("model_type", "dtype", "torch_dtype")}
    try:
        config = AutoConfig.for_model(folder.model_type, **settings)
    except ValueError:
        raise CallError(
            f"{folder.path}: transformers does not know model_type {folder.model_type!r}; a newer one may"
        ) from None
    for name in DROPOUT:
        if hasattr(config, name):
            setattr(config, name, dropout)
    for name in NEVER_DROPPED:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    found = folder.trunk()
    # Not every family has a pooler that could be left out.
    known = inspect.signature(MODEL_MAPPING[type(config)].__init__).parameters
    pooler = {"add_pooling_layer": False} if "add_pooling_layer" in known else {}
    with torch.device("meta"):
        blank = AutoModel.from_config(config, **pooler)
    compare(
        folder.path,
        {name: tuple(tensor.shape) for name, tensor in blank.state_dict().items()},
        {name: tensor.shape for name, tensor in found.items()},
    )
    tensors: dict[str, torch.Tensor] = {}
    for path in folder.weights():
        tensors |= load_file(path)
    trunk = type(blank).from_pretrained(
        None, config=config, state_dict={name: tensors[name] for name in found}, dtype=dtype, **pooler
    )
    return trunk.eval()
