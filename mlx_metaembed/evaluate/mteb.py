"""A model as mteb runs it: `mteb.evaluate(Encoder("runs/mine"), tasks)`, on either engine.

mteb's batch size is not taken: texts are put together by their tokens, as everywhere in the kit, so that its figures
are those of `metaembed eval` on the same rows. Written for mteb 2 (its EncoderProtocol).
"""

import importlib.util
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed import embedder
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.errors import CallError, missing_extra
from mlx_metaembed.heads import choices
from mlx_metaembed.search import fingerprint

ORGANIZATION = "mlx-metaembed"
"""Before the name of a model that has none; mteb wants one."""


class Encoder:
    """A model that mteb's tasks take: `encode`, `similarity`, `similarity_pairwise`, `mteb_model_meta`."""

    def __init__(
        self,
        model_name: str | Path | Embedder,
        revision: str | None = None,
        *,
        device: str | None = None,
        engine: str = "auto",
        dtype: str = "auto",
        max_seq_length: int | None = None,
        truncate_dim: int | None = None,
        head: str | None = None,
    ) -> None:
        """A model by folder, hub id or PyPI name, or one that is loaded; its vectors, cut, or those of a code head.

        Raises CallError as `load` does, for a head or a width that is not there, for a `revision` or a `device`, which
        mteb's own loaders take, and where mteb is not installed.
        """
        if importlib.util.find_spec("mteb") is None:
            raise missing_extra("mteb", "mteb", "Running a model in mteb")
        if revision is not None or device is not None:
            name, value = ("device", device) if revision is None else ("revision", revision)
            told = "choose engine='mlx' or 'torch'" if revision is None else "give the model's folder"
            raise CallError(f"{name} = {value!r:.80} can't be chosen here; {told}")
        settings = {"engine": engine, "dtype": dtype, "max_seq_length": max_seq_length}
        if isinstance(model_name, Embedder):
            if given := [f"{name} = {value!r:.80}" for name, value in settings.items() if value not in ("auto", None)]:
                raise CallError(f"{', '.join(given)}: the model is loaded already; load it so, or give its name")
            self.model = model_name
        else:
            self.model = embedder.load(model_name, **settings)
        self.head = choices.vector_head(self.model.folder, self.model.heads, head, truncate_dim)
        self.truncate_dim = truncate_dim

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str = "",
        hf_subset: str = "",
        prompt_type: Any = None,
        batch_size: int | None = None,
        **settings: Any,
    ) -> np.ndarray:
        """Vectors float32 [texts, D] of batches with a column `text`; `settings` are those of `Embedder.encode`.

        Raises CallError for a batch without texts, and as `Embedder.encode` does.
        """
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise CallError(f"mteb gives {', '.join(batch)}; this model takes text")
            texts += batch["text"]
        settings |= {"prompt_name": self.prompt_name(task_metadata, prompt_type), "head": self.head}
        return self.model.encode(texts, truncate_dim=self.truncate_dim, **settings)

    def similarity(self, embeddings1: np.ndarray, embeddings2: np.ndarray) -> np.ndarray:
        """Scores float32 [n, m] as the model compares its vectors."""
        return self.model.similarity(_rows(embeddings1), _rows(embeddings2), head=self.head)

    def similarity_pairwise(self, embeddings1: np.ndarray, embeddings2: np.ndarray) -> np.ndarray:
        """Scores float32 [n] of the first of either side, the second, and so on."""
        return self.model.similarity_pairwise(_rows(embeddings1), _rows(embeddings2), head=self.head)

    def prompt_name(self, task_metadata: Any, prompt_type: Any = None) -> str | None:
        """The model's prompt for a task, in mteb's order: that of the task, of its type, of queries or documents."""
        side = prompt_type.value if prompt_type is not None else None
        for name in (task_metadata.name, task_metadata.type):
            for wanted in (f"{name}-{side}", name):
                if wanted in self.model.prompts:
                    return wanted
        return side

    @cached_property
    def mteb_model_meta(self) -> Any:
        """What mteb calls the model and keeps its results under; the revision is the fingerprint of what makes it."""
        from mteb.models.model_meta import ModelMeta, ScoringFunction

        model, folder = self.model, self.model.folder
        marks = fingerprint.of(folder)
        shapes = [tensor.shape for tensor in folder.trunk().values()]
        function = "cosine" if self.head else folder.similarity_fn_name
        width = model.encode("one text", head=self.head, truncate_dim=self.truncate_dim).shape[-1]
        ran = {"engine": model.engine.name, "dtype": model.dtype, "max_seq_length": model.max_seq_length}
        ran |= {"truncate_dim": self.truncate_dim, "head": self.head}
        return ModelMeta(
            loader=None,
            name=_named(model.name),
            revision=f"{marks['weights']}-{marks['settings']}",
            release_date=None,
            languages=None,
            n_parameters=None if folder.quantization else sum(map(math.prod, shapes)),
            memory_usage_mb=None,
            max_tokens=model.max_seq_length,
            embed_dim=width,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch", "safetensors"] if model.engine.name == "torch" else ["safetensors"],
            similarity_fn_name=ScoringFunction(function),
            use_instructions=bool(model.prompts),
            training_datasets=None,
            experiment_kwargs={name: value for name, value in ran.items() if value is not None},
        )


def _rows(vectors: Any) -> np.ndarray:
    """Vectors [n, D], where mteb gives one alone or a tensor."""
    return np.atleast_2d(np.asarray(vectors, np.float32))


def _named(name: str) -> str:
    """The name of a model as mteb wants it: `organization/model`."""
    path = Path(name)
    return name if len(path.parts) == 2 and not path.exists() else f"{ORGANIZATION}/{path.name or 'model'}"
