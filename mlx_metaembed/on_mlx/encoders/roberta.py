"""RoBERTa: BERT whose positions count all but pad tokens from after the padding index. arXiv:1907.11692."""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.encoders import bert

SUPPORTED = bert.SUPPORTED


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """BERT's keys, and the padding index that positions start from."""

    pad_token_id: int = 1


class Embeddings(bert.Embeddings):
    def __init__(self, config: Config, dropout: float):
        super().__init__(config, dropout)
        self.padding_idx = config.pad_token_id

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(x + self.position_embeddings(positions(ids, self.padding_idx))))


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config, dropout)
        self.encoder = bert.Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.encoder(self.embeddings(ids), mask)


def positions(ids: mx.array, padding_idx: int) -> mx.array:
    """Row of the position table for each token, [B, L]: padding_idx for the pad token, wherever it stands.

    The mask is not asked: the mask tokens that ColBERT adds to a query have places, seen or not.
    """
    real = (ids != padding_idx).astype(mx.int32)
    return mx.cumsum(real, axis=1) * real + padding_idx
