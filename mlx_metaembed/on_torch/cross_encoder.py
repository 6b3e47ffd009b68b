"""A cross-encoder: a classifier of one label that reads two texts together, like sentence-transformers' own.

transformers builds it; its weights are safetensors, and no code of its folder runs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import checksums
from mlx_metaembed.files.disk import optional_json, read_object

BATCH = 32
"""Pairs that are read together, of like length."""
ACTIVATIONS = {"Sigmoid": torch.sigmoid, "Identity": lambda logits: logits}
FROM_TWO = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl")
"""Families whose positions begin behind the padding's."""


def load(path: Path, name: str, max_seq_length: int | None = None) -> "CrossEncoder":
    """The cross-encoder of a folder. Raises CallError where it has other labels, or weights that can't be read."""
    config = read_object(path / "config.json")
    labels = config.get("num_labels") or len(config.get("id2label") or (0, 1))
    if labels != 1:
        raise CallError(f"{name} gives {labels} labels a pair; expected a cross-encoder, which gives one score")
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise CallError(f"{name} has no weights as safetensors, and other formats are not read")
    said = optional_json(path / "config_sentence_transformers.json").get("activation_fn")
    said = said or (config.get("sentence_transformers") or {}).get("activation_fn")
    said = said or config.get("sbert_ce_default_activation_function") or "Sigmoid"
    if (activation := str(said).rpartition(".")[2]) not in ACTIVATIONS:
        raise CallError(f"{name} asks for the activation {said!r:.80}; known are {' and '.join(ACTIVATIONS)}")
    key = " ".join(str(checksums.of_file(each)["crc32"]) for each in (path / "config.json", *weights))
    return CrossEncoder(path, name, f"{key} {activation} {max_seq_length}", ACTIVATIONS[activation], max_seq_length)


class CrossEncoder:
    """`scores` gives those of each query's texts; `key` tells one folder from another."""

    def __init__(self, path: Path, name: str, key: str, activation: object, max_seq_length: int | None):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.name, self.key, self.activation = name, key, activation
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(path, **local)
            self.model, told = AutoModelForSequenceClassification.from_pretrained(
                path, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
            )
        except Exception as error:
            # Whatever a foreign folder holds, transformers raises errors of many kinds for it.
            raise CallError(f"{name} can't be read as a cross-encoder: {error!s:.300}") from None
        if missing := sorted(told["missing_keys"]):
            raise CallError(f"{name} lacks weights of a cross-encoder: {', '.join(missing[:5])}")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device).eval()
        self.longest = max_seq_length or self._positions()

    def scores(self, queries: Sequence[str], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Scores float32 [n] of each query with its texts, larger for what answers it better."""
        pairs = [(query, text) for query, each in zip(queries, texts, strict=True) for text in each]
        order = sorted(range(len(pairs)), key=lambda at: -sum(map(len, pairs[at])))
        found = np.empty(len(pairs), np.float32)
        with torch.no_grad():
            for first in range(0, len(order), BATCH):
                rows = order[first : first + BATCH]
                left, right = zip(*(pairs[row] for row in rows), strict=True)
                ids = self.tokenizer(
                    list(left),
                    list(right),
                    padding=True,
                    truncation="longest_first",
                    max_length=self.longest,
                    return_tensors="pt",
                )
                logits = self.model(**ids.to(self.device)).logits
                found[rows] = self.activation(logits[:, 0].float()).cpu().numpy()
        if not np.isfinite(found).all():
            raise CallError(f"{self.name} gives scores that are not finite; its weights are damaged")
        return np.split(found, np.cumsum([len(each) for each in texts])[:-1])

    def _positions(self) -> int:
        """Tokens that it has positions for."""
        config = self.model.config
        most = getattr(config, "max_position_embeddings", None) or 512
        if config.model_type in FROM_TWO:
            most -= (config.pad_token_id or 0) + 1
        return min(int(self.tokenizer.model_max_length), most)
