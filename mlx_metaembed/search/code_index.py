"""An index of codes: every code is scored, and the first hundred may be put in order by vectors that lie on the disk.

A code with an error bound (RaBitQ) restores only the candidates that can still get in.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed.codes import files as codes
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.codes.rabitq import RaBitQ
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, npy
from mlx_metaembed.search import about as declared
from mlx_metaembed.search import corpus, scalars
from mlx_metaembed.search.about import CODE, CODES, ORIGINALS, About
from mlx_metaembed.search.exact import top
from mlx_metaembed.search.opened import Opened, check_rows

CANDIDATES = 100
"""Rows that vectors put in order after the codes have found them."""
AT_ONCE = 16
"""Rows that are restored together where an error bound may end it."""
SAME = 0.9
"""Least cosine between what the index holds of a text and what the model's vector of it would be now."""
STEP = 2_000
FLOATS = 8_000_000


def build(
    vectors: np.ndarray,
    texts: Sequence[str],
    ids: Sequence[str],
    out: str | Path,
    *,
    code: codes.Stored,
    name: str,
    rescore: str = "",
    model: str,
    metric: str = "cosine",
    prompts: Mapping[str, str] | None = None,
    max_seq_length: int = 512,
    fingerprint: Mapping[str, str] | None = None,
    lines: Sequence[tuple[str, int]] = (),
    progress: Callable[[int], object] = lambda rows: None,
) -> About:
    """Write an index of the codes of vectors [N, D] into the folder `out`; `rescore` f16 or i8 keeps vectors beside.

    The rest is as of `index.build`. Raises CallError as it does, JobError where the folder can't be written.
    """
    out, vectors = Path(out), np.asarray(vectors, np.float32)
    declared.check_code(rescore, metric)
    check_rows(vectors, texts, ids)
    disk.require_vacant(out)
    parts = []
    for start in range(0, len(vectors), STEP):
        parts.append(code.codec.encode(vectors[start : start + STEP]))
        progress(len(parts[-1]))
    with disk.replacing(out) as partial:
        npy.save(partial / CODES, np.concatenate(parts))
        if rescore:
            npy.save(partial / ORIGINALS, _kept(vectors, rescore))
        codes.save(code.codec, partial / CODE, model=code.model, fitted=code.fitted)
        corpus.write(partial, ids, texts, lines)
        given = (len(texts), dict(prompts or {}), max_seq_length, dict(fingerprint or {}), name, rescore)
        about = About(model, vectors.shape[1], "code", metric, *given)
        declared.write(about, partial)
    return about


class CodeIndex(Opened):
    """An index of codes opened for search; codes and vectors stay on the disk and are mapped into memory."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self.codec = codes.load(path / CODE).codec
        shape = (about.count, self.codec.bytes_per_vector)
        self.codes = _mapped(path / CODES, np.uint8, shape)
        kind = np.float16 if about.rescore == "f16" else np.int8
        self._originals = _mapped(path / ORIGINALS, kind, (about.count, about.dims)) if about.rescore else None
        self._lengths: np.ndarray | None = None
        if self.codec.dimensions != about.dims:
            raise CallError(f"{path}: its code takes {self.codec.dimensions} dimensions, index.json says {about.dims}")

    def ranked(self, queries: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        found, step = [], max(1, FLOATS // self.about.count)
        if self._lengths is None:
            self._lengths = self.codec.lengths(self.codes)
        for start in range(0, len(queries), step):
            part = self._comparable(queries[start : start + step])
            scores = self.codec.score(part, self.codes, self._lengths)
            for query, line, rows in zip(part, scores, top(scores, max(k, CANDIDATES)), strict=True):
                found.append(self._again(query, line, rows, k) if self.about.rescore else (rows[:k], line[rows[:k]]))
        return found

    def nearest(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.ranked(np.asarray(query, np.float32)[None], k)[0]

    def vectors(self, rows: Sequence[int]) -> np.ndarray:
        """The vectors kept beside the codes, else what the codes stand for, float32 [n, D]."""
        rows = np.asarray(rows, np.int64)
        if self._originals is None:
            return self.codec.decode(self.codes[rows])
        return scalars.restored(self._originals[rows], self.about.rescore, self.about.dims)

    def require_same(self, text_vector: np.ndarray) -> None:
        row = [self.corpus.shortest()]
        now = self.codec.decode(self.codec.encode(self._comparable(text_vector[None])))
        there = self.codec.decode(self.codes[row])
        self.require_alike(float((unit(now) * unit(there)).sum()), SAME)

    def _comparable(self, vectors: np.ndarray) -> np.ndarray:
        vectors = np.asarray(vectors, np.float32)
        return unit(vectors) if self.about.metric == "cosine" else vectors

    def _again(self, query: np.ndarray, scores: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best of candidates by the vectors beside the codes; `rows` come with the best score first."""
        if not isinstance(self.codec, RaBitQ):
            return _best(rows, self.vectors(rows) @ query, k)
        # None below can be better than the k-th so far, as far as the bound holds.
        most = scores + self.codec.bound(query[None], self.codes)[0]
        order, step = np.argsort(-most, kind="stable"), max(k, AT_ONCE)
        seen, found = order[:step], self.vectors(order[:step]) @ query
        for start in range(step, len(order), step):
            part = order[start : start + step]
            if most[part[0]] <= np.sort(found)[-k]:
                break
            seen, found = np.concatenate([seen, part]), np.concatenate([found, self.vectors(part) @ query])
        return _best(seen, found, k)


def _best(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order].astype(np.float32)


def _kept(vectors: np.ndarray, rescore: str) -> np.ndarray:
    if rescore == "i8":
        return scalars.stored(vectors, "i8")
    if np.abs(vectors).max() > np.finfo(np.float16).max:
        raise CallError("The vectors have values past 65504, which a float16 does not hold; leave --rescore out")
    return vectors.astype(np.float16)


def _mapped(path: Path, dtype: type, shape: tuple[int, int]) -> np.ndarray:
    """An array of a file, mapped. Raises CallError where it is another one."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        raise CallError(f"{path} can't be read ({error}). {declared.AGAIN}") from None
    if found.dtype != dtype or found.shape != shape:
        said = f"{found.dtype} {list(found.shape)}, index.json says {np.dtype(dtype)} {list(shape)}"
        raise CallError(f"{path} holds {said}. {declared.AGAIN}")
    return found
