"""Rotary positions of transformers' trunks where the waves change with a text's length: each text has its own.

transformers' modules take the longest text of a batch, and keep what the longest text so far asked for.
"""

from collections.abc import Mapping

import torch

from mlx_metaembed.config import rope_scaling
from mlx_metaembed.on_torch import words  # noqa: F401  (words announces torch's namespace)


class OwnLengths(torch.nn.Module):
    """Stands for a trunk's `rotary_emb`; `lengths` float32 [B] are the texts' tokens, set before each call.

    `found` has the settings of each kind of layer, under None where all layers have the same.
    """

    def __init__(self, rotary: torch.nn.Module, found: Mapping[str | None, Mapping], dims: int):
        super().__init__()
        self.plain, self._found, self._dims = rotary, found, dims
        self.lengths: torch.Tensor | None = None

    @torch.no_grad()
    def forward(
        self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and sin [B or 1, L, dims] in the dtype of `x` for places [1, L]."""
        found = self._found[layer_type]
        if found["rope_type"] not in rope_scaling.BY_LENGTH:
            return self.plain(x, position_ids, *([layer_type] if layer_type else []))
        if position_ids.shape[-1] > found[rope_scaling.TRAINED]:
            periods = rope_scaling.own_periods(self._dims, found, self.lengths)
        else:
            periods = torch.tensor([rope_scaling.periods(self._dims, found)], device=x.device)
        angles = (position_ids[..., None] / periods[:, None, :]).repeat(1, 1, 2)
        strength = rope_scaling.strength(found)
        return (angles.cos() * strength).to(x.dtype), (angles.sin() * strength).to(x.dtype)


def own_lengths(trunk: torch.nn.Module) -> None:
    """Give the trunk's texts the waves of their own lengths, where its configuration has a kind that knows them."""
    rotary, config = getattr(trunk, "rotary_emb", None), trunk.config
    if rotary is None or not config.rope_parameters:
        return
    nested = {name: entry for name, entry in config.rope_parameters.items() if isinstance(entry, Mapping)}
    # transformers put the base and the kind where they belong; the trained length is where either form has it.
    found = {
        name: rope_scaling.settings(
            theta=None,
            scaling=None,
            parameters=entry,
            positions=config.max_position_embeddings,
            apart=bool(nested),
            trained=None if nested else getattr(config, rope_scaling.TRAINED, None),
        )
        for name, entry in (nested or {None: config.rope_parameters}).items()
    }
    if not any(entry["rope_type"] in rope_scaling.BY_LENGTH for entry in found.values()):
        return
    dims = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    trunk.rotary_emb = OwnLengths(rotary, found, dims)

    def measure(_trunk: torch.nn.Module, _words: tuple, inputs: dict) -> None:
        trunk.rotary_emb.lengths = inputs["attention_mask"].sum(dim=1).float()

    trunk.register_forward_pre_hook(measure, with_kwargs=True)
