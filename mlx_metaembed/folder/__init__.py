"""The model folder: which files it has and what they say. No engine.

A model is a sentence-transformers folder in the layout written before 5.4, which every release loads; the layout
written since is read too. What other tools do not know lies in `metaembed/`.
"""

from mlx_metaembed.folder.model_folder import ADAPTER, OTHER_WEIGHTS, PICKLED, QUANTIZATION, SIDE, ModelFolder
from mlx_metaembed.folder.read import base_name, newest_checkpoint, read
from mlx_metaembed.folder.write import TOKENIZER_FILES, copy_tokenizer, write

__all__ = [
    "ADAPTER",
    "OTHER_WEIGHTS",
    "PICKLED",
    "QUANTIZATION",
    "SIDE",
    "TOKENIZER_FILES",
    "ModelFolder",
    "base_name",
    "copy_tokenizer",
    "newest_checkpoint",
    "read",
    "write",
]
