"""CamemBERT: RoBERTa, with a French vocabulary. arXiv:1911.03894."""

from mlx_metaembed.on_mlx.encoders.roberta import REACH, Config, Encoder

__all__ = ["REACH", "Config", "Encoder"]
