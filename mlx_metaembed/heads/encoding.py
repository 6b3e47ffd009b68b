"""Texts through an engine, some thousand at a time, sorted by length: pooled vectors, or a head's output by token.

B texts, L tokens, D features.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.heads.choices import DENSE, Request
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


def outputs(model: "LoadedModel", texts: Sequence[str], names: Sequence[str], request: Request) -> dict[str, list]:
    """What heads give for each text, from one pass of the trunk: of `dense` the modules' vectors [D], of a sparse head
    ids and weights, of others vectors [tokens, D]. Colbert's texts are others, and go through by themselves.
    """
    late = next((name for name in names if isinstance(model.heads.get(name), Colbert)), None)
    groups = [group for group in ([name for name in names if name != late], [late] if late else []) if group]
    found = {}
    for group in groups:
        told = request if group is groups[-1] else replace(request, progress=lambda count: None)
        found |= _in_one_pass(model, texts, group, told)
    return found


def _in_one_pass(model: "LoadedModel", texts: Sequence[str], names: Sequence[str], request: Request) -> dict[str, list]:
    tokenizer, engine = model.tokenizer_of(request.side), model.engine
    late = LateTokenizer(model.folder) if isinstance(model.heads.get(names[0]), Colbert) else None
    side, tokens = request.side or DOCUMENT, CHUNK_TOKENS if list(names) == [DENSE] else TOKEN_HEAD_TOKENS
    found: dict[str, list] = {name: [] for name in names}
    for window in _windows(texts):
        if late:
            store = late.store(window, request.prompt, side)
        else:
            store = token_store.tokenize(tokenizer, window, request.prompt, tasks=request.task)
        pieces, places = _chunks(store, tokenizer, request, tokens)
        rows: dict[str, list] = {name: [] for name in names}
        for chunk in pieces:
            whole = late.expanded(chunk) if late and late.expands(side) else chunk
            scored = late.scored(whole, side) if late else None
            for name, values in engine.embed(whole, names).items():
                rows[name] += _by_text(model, name, engine.numpy(values), whole, scored)
            request.progress(chunk.texts)
        for name in names:
            found[name] += [rows[name][place] for place in places]
    return found


def _by_text(model: "LoadedModel", name: str, values: np.ndarray, chunk: Chunk, scored: np.ndarray | None) -> list:
    """A head's output for a chunk, text by text; `scored` are the tokens that count, where the head does not say."""
    if name == DENSE:
        return list(model.finite(values))
    head = model.heads[name]
    if isinstance(head, SparseHead):
        return [(ids, model.finite(each)) for ids, each in head.sparse(values, chunk.ids)]
    scored = head.scored(chunk.ids, chunk.mask) if scored is None else scored
    return [model.finite(each[real]) for each, real in zip(values, scored, strict=True)]


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


def _windows(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[first : first + WINDOW] for first in range(0, len(texts), WINDOW))


def _chunks(store: Store, tokenizer: Tokenizer, request: Request, tokens: int) -> tuple[list[Chunk], np.ndarray]:
    # One text alone would be computed eight times: rows that only fill a shape up cost as much as texts.
    few = 1 << max(len(store) - 1, 0).bit_length()
    most = min(request.batch_size or few, few)
    return chunks.chunks(store, range(len(store)), pad_id=tokenizer.pad_id, chunk_tokens=tokens, most_texts=most)
