"""Names that other programs give a trunk's tensors, and the trunk's own; weights that do not fit the configuration.

`convert` renames by them; who loads a folder as it is only says that `convert` would.
"""

import re
from collections.abc import Mapping

from mlx_metaembed.config.spellings import kept, prefixes
from mlx_metaembed.files.safetensors import compare
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.task_adapters import LORA

WRAPPERS = ("module", "0.auto_model", "auto_model", "model")
"""Prefixes that programs put around a trunk of any family."""
HEADS = re.compile(
    r"(cls|head|decoder|lm_head|classifier|classification_head|qa_outputs|score|pre_classifier"
    r"|discriminator_predictions|generator_predictions|generator_lm_head|vocab_transform|vocab_layer_norm|vocab_projector)\."
)
"""What the tensors of a task's head begin with."""
BUFFERS = re.compile(r"(.*\.)?(position_ids|token_type_ids|rotary_emb\.inv_freq)")
PARAMETRIZED = (
    (re.compile(r"\.parametrizations\.weight\.original$"), ".weight"),
    (re.compile(r"\.parametrizations\.weight\.0\.lora_([AB])$"), r"_lora.\1"),
)
"""torch's names for a weight with an adapter beside it (jina-embeddings-v3), and the kit's."""
COPIES = {"encoder.embed_tokens.weight": "shared.weight"}
"""Second names of a tensor (T5's word embedding) and the trunk's own."""
TEXT_TOWERS = ("siglip_text_model", "clip_text_model")
TEXT_TOWER = re.compile(r"(embeddings|encoder|final_layer_norm|head)\.")
"""What a text tower's tensors begin with where transformers 5 saved it alone; before, with text_model."""


def own_name(model_type: str, name: str) -> str:
    """The trunk's own name of a tensor: without what wraps the trunk, in today's words."""
    before = tuple(f"{prefix}." for prefix in (*WRAPPERS, *prefixes(model_type)))
    while found := next((prefix for prefix in before if name.startswith(prefix)), None):
        name = name[len(found) :]
    # Checkpoints that came from TensorFlow name a norm's weight and bias so.
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    for pattern, plain in PARAMETRIZED:
        name = pattern.sub(plain, name)
    return f"text_model.{name}" if model_type in TEXT_TOWERS and TEXT_TOWER.match(name) else name


def require_fit(
    folder: ModelFolder, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise one CallError that lists every tensor of the trunk that does not fit; it names `convert` where that helps.

    `found` are those that are taken for the trunk's, by their shapes.
    """
    advice = ()
    if {name: tuple(shape) for name, shape in found.items()} != dict(expected) and _convertible(folder, expected):
        advice = (
            f"A task's model, or names of another program. Bring it in with: metaembed convert {folder.path} OUT",
        )
    compare(folder.path, expected, found, *advice)


def _convertible(folder: ModelFolder, expected: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether renaming, and leaving out heads and buffers, gives what is expected."""
    made = {}
    for name, tensor in folder.tensors().items():
        own = own_name(folder.model_type, name)
        own = COPIES.get(own, own)
        if not (HEADS.match(own) or BUFFERS.fullmatch(own) or kept(own, folder.model_type)):
            made[own] = tuple(tensor.shape)
    # Task adapters may lie in folders of their own.
    return made == {name: shape for name, shape in expected.items() if name in made or f"{LORA}." not in name}
