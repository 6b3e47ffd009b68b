"""Texts as ColBERT's tokens: a prefix token after the first, queries filled up with mask tokens, a skiplist.

PyLate 1.x does it so (`ColBERT.tokenize`, `ColBERT.encode`). B texts, L tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.inputs.special_tokens import special_token
from mlx_metaembed.inputs.token_store import Store, tokenize
from mlx_metaembed.inputs.tokenizer import Tokenizer

QUERY, DOCUMENT = "query", "document"


class LateTokenizer:
    """A ColBERT folder's two ways of tokenizing; `side` is "query" or "document"."""

    def __init__(self, folder: ModelFolder):
        """Raises CallError where the tokenizer lacks a prefix or the token that fills queries up."""
        declared = self._declared = folder.late_interaction
        lengths = {QUERY: declared.query_length, DOCUMENT: declared.document_length}
        prefixes = {QUERY: declared.query_prefix, DOCUMENT: declared.document_prefix}
        # The prefix is put in after the text is cut.
        self._tokenizers = {
            side: Tokenizer(folder, length - 1 if prefixes[side] else length) for side, length in lengths.items()
        }
        known = self._tokenizers[QUERY].id_of
        self._prefixes = {side: known(prefix) for side, prefix in prefixes.items() if prefix}
        wrong = [
            f"{side}_prefix {prefixes[side]!r} is no token of {folder.tokenizer().name}"
            for side, id in self._prefixes.items()
            if id is None
        ]
        spelled = [special_token(folder.path, role, known) for role in ("mask", "eos", "pad")]
        self._filler = next((known(token) for token in spelled if token and known(token) is not None), None)
        if declared.do_query_expansion and self._filler is None:
            wrong.append("queries are to be filled up, and the tokenizer has no mask, end or pad token")
        if wrong:
            raise faults(f"{folder.path}:", wrong, "Fetch the folder again, or convert it from where it was trained.")
        unknown = special_token(folder.path, "unk", known)
        # As in PyLate, a word that is no token of its own stands for the unknown token.
        skipped = [known(word) if known(word) is not None else known(unknown or "") for word in declared.skiplist_words]
        self._skiplist = np.array(sorted({id for id in skipped if id is not None}), np.int64)
        self.pad_id = self._tokenizers[QUERY].pad_id

    def store(self, texts: Sequence[str], prompt: str, side: str) -> Store:
        """Ids of texts with their prefix. Raises CallError for a side that is neither query nor document."""
        if side not in self._tokenizers:
            raise CallError(f"ColBERT knows queries and documents apart: prompt {side!r}; expected query or document")
        store = tokenize(self._tokenizers[side], texts, prompt)
        if side not in self._prefixes:
            return store
        first = np.minimum(store.starts[:-1] + 1, store.starts[1:])
        ids = np.insert(store.ids, first, self._prefixes[side])
        return Store(ids, store.starts + np.arange(len(store.starts)), np.zeros(len(store), np.int32))

    def expands(self, side: str) -> bool:
        """Whether texts of a side are filled up to one length."""
        return side == QUERY and self._declared.do_query_expansion

    def expanded(self, chunk: Chunk) -> Chunk:
        """A chunk of queries, every row filled up with mask tokens, which count even where attention skips them."""
        length = self._declared.query_length
        wide = length - chunk.ids.shape[1]
        ids = np.pad(chunk.ids, ((0, 0), (0, wide)))
        mask = np.pad(chunk.mask, ((0, 0), (0, wide)))
        ids = np.where(mask, ids, self._filler).astype(np.int32)
        seen = np.ones_like(mask) if self._declared.attend_to_expansion_tokens else mask
        return replace(chunk, ids=ids, mask=seen, pooled=np.ones_like(mask))

    def scored(self, chunk: Chunk, side: str) -> np.ndarray:
        """Which tokens of a chunk's rows get a vector, bool [B, L]."""
        if self.expands(side):
            return chunk.pooled
        return chunk.mask if side == QUERY else chunk.mask & ~np.isin(chunk.ids, self._skiplist)
