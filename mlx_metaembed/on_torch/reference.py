"""What a converted model is compared with: transformers' trunk of the checkpoint, in float32.

Families that transformers has under other names, or that only their authors' code has, are computed by the nearest
module of transformers, and `said` names it. No code of a model folder is run.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mlx_metaembed.config import clip, ntk
from mlx_metaembed.config.spellings import positions
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.on_torch import encoder, renamed


class Reference:
    """A text's ids to its states float32 [L, hidden_size]; `said` names what gives them."""

    def __init__(self, folder: ModelFolder, source: Path):
        """`source` is the folder that transformers reads. Raises CallError where transformers has no such model, or
        does not find its weights there."""
        from transformers import __version__ as version
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.said = f"transformers {version}, "
        if folder.model_type in renamed.NAMES:
            self._trunk = encoder.load(folder, dtype=torch.float32, dropout=0.0)
            self.said += f"its {renamed.configuration(folder)[0]} with the weights under its own names"
            if folder.config.get("moe_every_n_layers"):
                self.said += ", and the kit's mixture of experts, which transformers has not"
            if ntk.declared(folder.config):
                self.said += ", and the kit's frequencies (ntk), which transformers has not"
            self.said += "; the authors' own code is never run"
        else:
            self._trunk = _own(folder, source)
            self.said += f"{type(self._trunk).__name__} on {source}"
        self._trunk.eval().requires_grad_(False)

    def __call__(self, ids: Sequence[int]) -> np.ndarray:
        row = torch.tensor([ids])
        return self._trunk(input_ids=row, attention_mask=torch.ones_like(row)).last_hidden_state[0].numpy()


class TowerReference:
    """A text's ids to the projected vector float32 [hidden_size] of CLIP's or SigLIP's text tower."""

    def __init__(self, folder: ModelFolder, source: Path):
        """`source` is the folder that transformers reads."""
        import transformers

        name, self._attribute = {
            "clip": ("CLIPModel", "pooler_output"),
            "clip_text_model": ("CLIPTextModelWithProjection", "text_embeds"),
            "siglip": ("SiglipModel", "pooler_output"),
            "siglip_text_model": ("SiglipTextModel", "pooler_output"),
        }[folder.model_type]
        model = getattr(transformers, name).from_pretrained(str(source), dtype="float32", local_files_only=True)
        model.eval().requires_grad_(False)
        self.said = f"transformers {transformers.__version__}, {name} on {source}"
        self._call = getattr(model, "get_text_features", model)
        # SigLIP attends to padding, and was trained with texts of one length.
        self._length = positions(folder.config) if clip.always_padded(folder.config) else 0
        self._pad_id = Tokenizer(folder).pad_id

    def __call__(self, ids: Sequence[int]) -> np.ndarray:
        row = torch.tensor([[*ids, *[self._pad_id] * (self._length - len(ids))]])
        mask = {} if self._length else {"attention_mask": torch.ones_like(row)}
        return getattr(self._call(input_ids=row, **mask), self._attribute)[0].numpy()


def _own(folder: ModelFolder, source: Path) -> torch.nn.Module:
    """The trunk as transformers itself loads it from `source`."""
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, AutoConfig, AutoModel, AutoModelForTextEncoding

    try:
        config = AutoConfig.from_pretrained(str(source), local_files_only=True)
    except (ValueError, KeyError):
        raise CallError(
            f"--check has no reference for {source}: transformers does not know {folder.model_type!r}, or not in "
            "this form, and code from a model folder is never run. Convert it without; docs/encoders.md says how the "
            "family was checked"
        ) from None
    # Of an encoder with a decoder (T5), the encoder alone.
    auto = AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
    try:
        trunk, loading = auto.from_pretrained(
            str(source), dtype="float32", local_files_only=True, output_loading_info=True
        )
    # transformers raises what it likes for weights that do not fit.
    except Exception as error:
        raise CallError(f"transformers can't load {source}, so that it can't be the reference: {error}") from None
    missing = [name for name in loading["missing_keys"] if "pooler" not in name]
    if missing:
        raise CallError(
            f"transformers finds no {', '.join(sorted(missing)[:4])} in {source}; it can't be the reference"
        )
    return trunk
