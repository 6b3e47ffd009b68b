"""What a call chooses of a model: heads, a width, a prompt. Whatever the folder does not have is a CallError."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.precision import require as require_precision
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.heads import CodeHead, Head, SparseHead, TokenHead, VectorHead

DENSE = "dense"
"""The name of the folder's own vectors among its heads."""
METHODS = {"encode": VectorHead, "encode_sparse": SparseHead, "encode_token_vectors": TokenHead}
Heads = Mapping[str, Head]


@dataclass(frozen=True)
class Request:
    """How a call wants its texts read: the side that they are on, the words before each, the adapter's number."""

    side: str | None
    prompt: str
    task: int | None
    batch_size: int | None
    """Texts a chunk at most; None: as many as its tokens allow."""
    progress: Callable[[int], None] = lambda count: None


@dataclass(frozen=True)
class Shape:
    """How a call wants the model's own vectors."""

    truncate_dim: int | None = None
    normalize_embeddings: bool = False
    precision: str | None = None

    def given(self) -> list[str]:
        """The settings that change anything."""
        said = [(name, getattr(self, name)) for name in self.__dataclass_fields__]
        return [name for name, value in said if value not in (None, False, "float32")]


def method(folder: ModelFolder, heads: Heads, name: str) -> str:
    """Which of the embedder's methods gives a head's output. Raises CallError where there is no such head."""
    if name == DENSE:
        return "encode"
    require_head(folder, heads, name, VectorHead | SparseHead | TokenHead)
    return next(method for method, kinds in METHODS.items() if isinstance(heads[name], kinds))


def vector_head(folder: ModelFolder, heads: Heads, name: str | None, width: int | None) -> str | None:
    """The code head that is asked for, None for the folder's own vectors, which alone can be cut to a width.

    Raises CallError where the folder has no such head or no such width.
    """
    if name in (None, DENSE):
        require_dense(folder)
        name = None
    else:
        require_head(folder, heads, name, VectorHead)
    if width is not None and (isinstance(width, bool) or not isinstance(width, (int, np.integer))):
        raise CallError(f"A width of {width!r:.80} was asked for; expected a whole number of features")
    if width is not None and not 1 <= width <= folder.dimensions:
        raise CallError(f"A width of {width} was asked for; the model's vectors have {folder.dimensions} features")
    if name is not None and width is not None:
        raise CallError(f"The head {name!r} has its own width; a width of {width} can't be cut from it")
    return name


def require_head(folder: ModelFolder, heads: Heads, name: str, kind: type) -> None:
    """Raise CallError where the folder has no head of that name, or it gives something else."""
    if name not in heads:
        known = ", ".join(heads) or "none"
        raise CallError(f"{folder.path} has no head {name!r}{nearest(name, heads) or '.'} Its heads: {known}")
    if not isinstance(heads[name], kind):
        way = method(folder, heads, name)
        raise CallError(f"The head {name!r} is of the type {heads[name].kind}; its output comes from {way}")


def require_dense(folder: ModelFolder) -> None:
    """Raise CallError where the folder's modules end in something other than one vector a text."""
    if folder.head:
        way = "encode_sparse" if folder.splade else "encode_token_vectors"
        raise CallError(
            f"{folder.path} gives no vector a text: its modules end in the head {folder.head!r}. "
            f"Ask for that: model.{way}(texts), or metaembed embed MODEL TEXT --head {folder.head}"
        )


def asked(folder: ModelFolder, heads: Heads, name: str | None, names: Sequence[str] | None, shape: Shape) -> list[str]:
    """The heads whose outputs a call wants, "dense" for the folder's own vectors: the one called `name`, or `names`.

    Raises CallError for both, for heads that the model does not have, and for a shape that none of them takes.
    """
    if name is not None and names is not None:
        raise CallError(f"head = {name!r:.80} and heads = {names!r:.80} are both given; one of them says it")
    require_precision(shape.precision)
    found = [name or DENSE] if names is None else listed(folder, heads, names)
    if DENSE in found or names is None:
        vector_head(folder, heads, found[0] if names is None else DENSE, shape.truncate_dim)
    if DENSE not in found and (given := shape.given()):
        of = f"the head {name!r} has its" if names is None else "the heads that are asked for have their"
        raise CallError(f"Only the model's own vectors, {DENSE!r}, take {' and '.join(given)}; {of} own form")
    return found


def listed(folder: ModelFolder, heads: Heads, names: Sequence[str]) -> list[str]:
    """The names of several heads. Raises CallError for a text instead of a list, for none, or with every name that the
    model does not have or that stands twice.
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise CallError(
            f"heads = {names!r:.80}: expected a list of names, like heads=[{DENSE!r}]; head= takes one name"
        )
    known, names = [*([] if folder.head else [DENSE]), *heads], list(names)
    wrong = [f"there is no head {name!r:.80}{nearest(str(name), known)}" for name in names if name not in known]
    wrong += [f"{name!r} stands twice" for name in dict.fromkeys(names) if name in known and names.count(name) > 1]
    if wrong or not names:
        raise faults(f"heads of {folder.path}:", wrong or ["none is asked for"], f"Its heads: {', '.join(known)}")
    return names


def compared(folder: ModelFolder, heads: Heads, name: str | None) -> tuple[str, Heads, Head | None]:
    """How two sides are compared: the function for vectors, the model's heads, and the one that gave both sides.

    The last is None where the sides' types say it. Raises CallError where there is no such head.
    """
    name = folder.head if name is None else name
    if name in (None, DENSE):
        return folder.similarity_fn_name, heads, None
    require_head(folder, heads, name, VectorHead | SparseHead | TokenHead)
    return "cosine" if isinstance(heads[name], CodeHead) else folder.similarity_fn_name, heads, heads[name]


def request(
    folder: ModelFolder, prompt_name: str | None, words: str | None = None, batch_size: int | None = None
) -> Request:
    """How texts are read: `words` win over those of the prompt that is named, whose side and adapter stay.

    Raises CallError for an unknown prompt, or a `batch_size` below 1.
    """
    text, task = prompt(folder, prompt_name)
    if words is not None and not isinstance(words, str):
        raise CallError(f"prompt = {words!r:.80}: expected the words that are put before each text")
    if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
        raise CallError(f"batch_size = {batch_size!r:.80}: expected a whole number of texts, 1 or more")
    return Request(prompt_name, text if words is None else words, task, batch_size)


def prompt(folder: ModelFolder, name: str | None) -> tuple[str, int | None]:
    """A prompt's words and its task, the folder's default for None. Raises CallError for an unknown name."""
    known = {*folder.prompts, "query", "document"}
    if name is not None and name not in known:
        raise CallError(
            f"{folder.path} has no prompt {name!r}{nearest(name, known) or '.'} "
            f"Its prompts: {', '.join(folder.prompts) or 'none'}"
        )
    return task_adapters.chosen(folder, name)
