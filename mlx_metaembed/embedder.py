"""The embedder: texts in, vectors out, or what the model's heads give. The words are sentence-transformers'.

One text, not in a list, gives what a list of it gives first.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.codes.precision import as_precision
from mlx_metaembed.codes.prefix import cut
from mlx_metaembed.engine import choose
from mlx_metaembed.engine.loaded_model import LoadedModel
from mlx_metaembed.folder import locate
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE
from mlx_metaembed.heads import CodeHead, SparseHead, TokenHead, choices, encoding, sparse_vectors
from mlx_metaembed.heads.choices import DENSE, Request
from mlx_metaembed.heads.sparse_vectors import SparseVectors
from mlx_metaembed.inputs import arguments, images, listed
from mlx_metaembed.inputs.colbert_tokenizer import DOCUMENT, QUERY
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.vector_cache import HOURS, VectorCache, open_cache

IMAGES_AT_ONCE = 32
Told = Callable[[int], None]
"""Hears how many texts, or images, are done since the last call."""


def load(
    model: str | Path,
    *,
    engine: str = "auto",
    dtype: str = "auto",
    max_seq_length: int | None = None,
    cache: str | Path | VectorCache | None = None,
    cache_hours: float = HOURS,
    **others: object,
) -> "Embedder":
    """A model by folder, hub id or the name of an encoder installed from PyPI, ready to encode.

    `cache` is where vectors of texts are kept for `cache_hours`, and looked for first: the path of an SQLite file, or
    redis://host:port/0. Raises CallError where the model, the engine or the cache can't be had, or an argument is not
    known.
    """
    arguments.refuse(load, others)
    if not isinstance(cache, VectorCache | None):
        cache = open_cache(cache, hours=cache_hours)
    folder = folders.read(locate.resolve(model))
    tokenizer = Tokenizer(folder, max_seq_length)
    found = Embedder(folder, tokenizer, choose(engine), dtype=dtype, name=str(model))
    found.cache = cache
    return found


class Embedder(LoadedModel):
    """`encode` gives vectors float32 [texts, D]; `heads` are the folder's named heads.

    `cache` has vectors of texts that were embedded before, None for no cache; `cache.counts` says how many it had.
    """

    cache: VectorCache | None = None

    def encode(
        self,
        texts: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        precision: str | None = "float32",
        truncate_dim: int | None = None,
        normalize_embeddings: bool = False,
        head: str | None = None,
        heads: Sequence[str] | None = None,
        progress: Told = lambda count: None,
        **others: object,
    ) -> np.ndarray | dict[str, Any]:
        """Vectors float32 [texts, D], or [D] for one text: those of the folder's modules, cut to `truncate_dim`.

        D is `truncate_dim`, by default what the folder declares. `normalize_embeddings` makes their length 1 after
        that; without it they are what the modules give. `precision` makes bytes of them, as sentence-transformers
        does: int8, uint8, binary, ubinary. `prompt_name` ("query", "document", or another that the folder declares)
        puts that prompt before each text; a folder without such a prompt puts none. A task's prompt chooses the task's
        adapter too, where the trunk has them. `prompt` are the words themselves, and win.

        `head` gives a code head's quantized vectors instead, or, with the prompt "query", what queries are compared as
        (`encode_query`). `heads` gives a dict of what each of several gives:
        "dense" as said here, a code head's vectors, the others as `encode_sparse` and `encode_token_vectors`.

        Texts of some thousand tokens are encoded together; `batch_size` bounds how many texts these may be.
        `show_progress_bar` shows how far it is, and `progress` is called with the number of texts done since the last
        call. Raises CallError for an unknown head or prompt, a width out of range, or an argument that is not known.
        """
        arguments.refuse(Embedder.encode, others)
        shape = choices.Shape(truncate_dim, normalize_embeddings, precision)
        names = choices.asked(self.folder, self.heads, head, heads, shape)
        one, texts = listed.texts(texts)
        request = choices.request(self.folder, prompt_name, prompt, batch_size)
        with encoding.shown(request, len(texts), show_progress_bar, progress) as told:
            found = self._outputs(texts, names, told)
        if DENSE in found:
            found[DENSE] = self._shaped(found[DENSE], shape)
        found = {name: each[0] if one else each for name, each in found.items()}
        return found[names[0]] if heads is None else found

    def encode_query(self, texts: str | Sequence[str], **settings: Any) -> Any:
        """What `encode` gives for queries: with the prompt "query", where no other is named."""
        return self.encode(texts, **settings | {"prompt_name": settings.get("prompt_name") or QUERY})

    def encode_document(self, texts: str | Sequence[str], **settings: Any) -> Any:
        """What `encode` gives for what is searched: with the prompt "document", where no other is named."""
        return self.encode(texts, **settings | {"prompt_name": settings.get("prompt_name") or DOCUMENT})

    def encode_images(
        self,
        files: Any | Sequence[Any],
        *,
        truncate_dim: int | None = None,
        normalize_embeddings: bool | None = None,
        head: str | None = None,
        progress: Told = lambda count: None,
    ) -> np.ndarray:
        """Vectors of images, or of one, in the space of the texts' vectors and shaped as `encode` shapes them.

        `files` are paths or Pillow images. None makes the vectors' length 1 where the folder compares by cosine, as
        transformers' CLIPModel gives `image_embeds`; False leaves it as the tower gives it. Raises CallError where the
        model has no image tower, a file is no image, or as `encode` does.
        """
        how = images.preprocessing(self.folder)
        unit = self.compares_by_cosine if normalize_embeddings is None else normalize_embeddings
        head = choices.vector_head(self.folder, self.heads, head, truncate_dim)
        one, files = listed.images(files)
        parts = []
        for first in range(0, len(files), IMAGES_AT_ONCE):
            pixels = images.read(files[first : first + IMAGES_AT_ONCE], how)
            parts.append(self.finite(self.engine.numpy(self.engine.images(pixels))))
            progress(len(pixels))
        vectors = np.concatenate([np.zeros((0, self.folder.dimensions), np.float32), *parts])
        found = self.apply(head, vectors) if head else self._shaped(vectors, choices.Shape(truncate_dim, unit))
        return found[0] if one else found

    def encode_sparse(
        self, texts: str | Sequence[str], *, head: str = SPLADE, **settings: Any
    ) -> SparseVectors | tuple[np.ndarray, np.ndarray]:
        """Each text's weights by token id, from a sparse head (`splade`, BGE-M3's `lexical`); of one, ids and weights.

        The prompt, `batch_size` and progress are settings as of `encode`. Raises CallError for an unknown head or
        prompt.
        """
        choices.require_head(self.folder, self.heads, head, SparseHead)
        return self.encode(texts, heads=[head], **settings)[head]

    def decode(
        self, vectors: SparseVectors | tuple[np.ndarray, np.ndarray], top_k: int | None = None
    ) -> list[dict[str, float]] | dict[str, float]:
        """Each text's weights by token, the largest first, at most `top_k` of them; of one text, its own."""
        if isinstance(vectors, tuple):
            return self.decode(SparseVectors.of([vectors]), top_k)[0]
        return sparse_vectors.named(vectors, self.tokenizer.vocabulary, top_k)

    def encode_token_vectors(
        self, texts: str | Sequence[str], *, head: str = MULTI_VECTOR, **settings: Any
    ) -> list[np.ndarray] | np.ndarray:
        """Each text's unit vectors float32 [tokens, D], from a multi-vector head; of one text, its own.

        A ColBERT folder tells queries and documents apart: `prompt_name` "query", or "document" where none is given.
        The prompt, `batch_size` and progress are settings as of `encode`. Raises CallError for an unknown head or
        prompt.
        """
        choices.require_head(self.folder, self.heads, head, TokenHead)
        return self.encode(texts, heads=[head], **settings)[head]

    def digits(self, texts: str | Sequence[str], *, head: str, **settings: Any) -> np.ndarray:
        """The code head's digits int64 [texts, K], or [K] for one text; `settings` are `encode`'s."""
        choices.require_head(self.folder, self.heads, head, CodeHead)
        vectors = self.encode(texts, **settings | {"truncate_dim": self.folder.dimensions})
        found = self.digits_of(head, np.atleast_2d(vectors))
        return found[0] if vectors.ndim == 1 else found

    def similarity(self, queries: object, documents: object, *, head: str | None = None) -> np.ndarray:
        """Scores float32 [queries, documents] of one text or several; larger is nearer.

        Vectors are compared by `similarity_fn_name`, distances negated; a code head's by cosine. Sparse weights give
        shared words' products, vectors by token MaxSim: its mean over a query's tokens for BGE-M3, as in FlagEmbedding,
        the sum for ColBERT. What the sides are is known by their types, so that `head` is needed only where one text's
        vectors by token could be vectors of several texts. Raises CallError for sides that don't go together.
        """
        from mlx_metaembed.search import similarity

        return similarity.scores(queries, documents, *choices.compared(self.folder, self.heads, head))

    def similarity_pairwise(self, queries: object, documents: object, *, head: str | None = None) -> np.ndarray:
        """Scores float32 [pairs] of the first text of either side, the second, and so on, as in `similarity`."""
        from mlx_metaembed.search import similarity

        return similarity.pairwise(queries, documents, *choices.compared(self.folder, self.heads, head))

    def save(
        self,
        path: str | Path,
        *,
        model_name: str | None = None,
        note: Callable[[str], None] = lambda text: None,
        **others: object,
    ) -> Path:
        """The path of a new model folder with all that makes the model, for this kit and sentence-transformers.

        Heads, prompts and what was set since it was loaded are in it; an adapter is fused, and quantized weights
        become plain ones, with the numbers that they stand for. `model_name` is what its README.md calls it, and
        `note` hears what was changed. Raises CallError where `path` holds something, JobError where it can't be
        written.
        """
        arguments.refuse(Embedder.save, others)
        from mlx_metaembed.export.sentence_transformers import export

        settings = {"declared": self.declared, "name": model_name, "engine": self.engine.name, "note": note}
        return export(self.folder, Path(path), **settings).path

    save_pretrained = save

    def push_to_hub(
        self,
        repo_id: str,
        *,
        token: str | None = None,
        private: bool | None = None,
        exist_ok: bool = False,
        commit_message: str | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        **others: object,
    ) -> str:
        """The address of the commit with which the model, as `save` writes it, came to a repository of the hub.

        With `create_pr` that of the pull request. The repository is made where it is not there, `private` or as its
        owner's settings have it; one that is there is added to only with `exist_ok`. Raises CallError where the hub
        refuses, JobError where it can't be reached.
        """
        arguments.refuse(Embedder.push_to_hub, others)
        from mlx_metaembed.export import hub

        settings = {"token": token, "private": private, "exist_ok": exist_ok, "commit_message": commit_message}
        return hub.publish(self.save, repo_id, **settings, revision=revision, create_pr=create_pr)

    def _shaped(self, vectors: np.ndarray, shape: choices.Shape) -> np.ndarray:
        """The modules' vectors as a call wants them."""
        found = cut(vectors, shape.truncate_dim or self.dimensions, renormalize=shape.normalize_embeddings)
        return as_precision(found, shape.precision)

    def _outputs(self, texts: Sequence[str], names: Sequence[str], request: Request) -> dict[str, Any]:
        """What each of the heads gives for the texts, by name: vectors float32 [texts, D], sparse ones, or by token.

        "dense" are the modules' vectors at their whole width.
        """
        states = [name for name in names if name != DENSE and self.heads[name].on_tokens]
        if states:
            passed = encoding.outputs(self, texts, [*([DENSE] if len(states) < len(names) else []), *states], request)
            vectors = self._rows(passed[DENSE]) if DENSE in passed else None
        else:
            vectors = self._vectors(texts, request)
        found: dict[str, Any] = {}
        for name in names:
            if name in states:
                rows = passed[name]
                found[name] = SparseVectors.of(rows) if isinstance(self.heads[name], SparseHead) else rows
            elif name == DENSE:
                found[name] = vectors
            else:
                found[name] = self.apply(name, vectors, query=self.asks(name, request.side))
        return found

    def _vectors(self, texts: Sequence[str], request: Request) -> np.ndarray:
        """The modules' vectors float32 [texts, D] at their whole width; of the cache, those that it has."""

        def make(chosen: Sequence[str]) -> np.ndarray:
            return self._rows(encoding.outputs(self, chosen, [DENSE], request)[DENSE])

        if self.cache is None:
            return make(texts)
        length = self.tokenizer_of(request.side).max_seq_length
        about = {"prompt": request.prompt, "task": request.task, "length": length, "dtype": self.dtype}
        return self.cache.vectors(texts, self._made_by | about, self.folder.dimensions, make, request.progress)

    def _rows(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        return np.array(vectors, np.float32).reshape(-1, self.folder.dimensions)

    @cached_property
    def _made_by(self) -> dict[str, str]:
        """What a vector's key says of the model. Reads every weight once."""
        from mlx_metaembed.search import fingerprint

        return fingerprint.of(self.folder)
