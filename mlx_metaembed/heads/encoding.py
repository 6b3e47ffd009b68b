"""Texts through an engine, some thousand at a time, sorted by length: pooled vectors, or a head's output by token.

B texts, L tokens, D features.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.heads.choices import Request
from mlx_metaembed.heads.files import SparseHead
from mlx_metaembed.heads.token_vectors import Colbert
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.inputs.colbert_tokenizer import DOCUMENT, LateTokenizer
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer

if TYPE_CHECKING:
    from mlx_metaembed.engine.loaded_model import LoadedModel

WINDOW = 8_192
"""Texts that are sorted by length and encoded together."""
CHUNK_TOKENS = 8_192
TOKEN_HEAD_TOKENS = 1_024
"""Fewer, where a head gives more than one vector a text: a row of SPLADE's is as wide as the vocabulary."""


def vectors(model: "LoadedModel", texts: Sequence[str], request: Request) -> np.ndarray:
    """Pooled vectors, through the modules, float32 [B, D]."""
    tokenizer, engine = model.tokenizer_of(request.side), model.engine
    found = []
    for window in _windows(texts):
        store = token_store.tokenize(tokenizer, window, request.prompt, tasks=request.task)
        pieces, places = _chunks(store, tokenizer, request, CHUNK_TOKENS)
        rows = []
        for chunk in pieces:
            rows.append(engine.numpy(engine.embed(chunk)))
            request.progress(chunk.texts)
        found.append(model.finite(np.concatenate(rows)[places]))
    return joined(found, model.folder.dimensions)


def by_token(model: "LoadedModel", name: str, texts: Sequence[str], request: Request) -> list:
    """What a head gives for each text: ids and weights, or vectors [tokens, D]."""
    tokenizer, engine, head = model.tokenizer_of(request.side), model.engine, model.heads[name]
    late = LateTokenizer(model.folder) if isinstance(head, Colbert) else None
    side = request.side or DOCUMENT
    found: list = []
    for window in _windows(texts):
        if late:
            store = late.store(window, request.prompt, side)
        else:
            store = token_store.tokenize(tokenizer, window, request.prompt, tasks=request.task)
        pieces, places = _chunks(store, tokenizer, request, TOKEN_HEAD_TOKENS)
        rows: list = []
        for chunk in pieces:
            whole = late.expanded(chunk) if late and late.expands(side) else chunk
            output = engine.numpy(engine.token_head(name, whole))
            if isinstance(head, SparseHead):
                rows += [(ids, model.finite(each)) for ids, each in head.sparse(output, whole.ids)]
            else:
                scored = late.scored(whole, side) if late else head.scored(whole.ids, whole.mask)
                rows += [model.finite(each[real]) for each, real in zip(output, scored, strict=True)]
            request.progress(chunk.texts)
        found += [rows[place] for place in places]
    return found


def joined(parts: Sequence[np.ndarray], width: int) -> np.ndarray:
    """All parts as one float32 [B, width]."""
    return np.concatenate(parts) if parts else np.zeros((0, width), np.float32)


@contextmanager
def shown(request: Request, texts: int, bar: bool | None, progress: Callable[[int], None]) -> Iterator[Request]:
    """The request that tells `progress` how far it is, and a progress bar where one is wanted."""
    if not bar:
        yield replace(request, progress=progress)
        return
    from mlx_metaembed.progress.display import Progress

    with Progress(texts, "encoding") as display:

        def told(count: int) -> None:
            display.update(count)
            progress(count)

        yield replace(request, progress=told)


def silent(request: Request) -> Request:
    """The request of a pass whose texts are counted by another."""
    return replace(request, progress=lambda count: None)


def _windows(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[first : first + WINDOW] for first in range(0, len(texts), WINDOW))


def _chunks(store: Store, tokenizer: Tokenizer, request: Request, tokens: int) -> tuple[list[Chunk], np.ndarray]:
    return chunks.chunks(
        store, range(len(store)), pad_id=tokenizer.pad_id, chunk_tokens=tokens, most_texts=request.batch_size
    )
