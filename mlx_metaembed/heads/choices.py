"""What a call chooses of a model: a head, a width, a prompt. Whatever the folder does not have is a CallError."""

from collections.abc import Mapping

from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.heads import Fsq, Head, SparseHead, TokenHead

DENSE = "dense"
"""The name of the folder's own vectors among its heads."""
METHODS = {"encode": Fsq, "encode_sparse": SparseHead, "encode_token_vectors": TokenHead}
Heads = Mapping[str, Head]


def method(folder: ModelFolder, heads: Heads, name: str) -> str:
    """Which of the embedder's methods gives a head's output. Raises CallError where there is no such head."""
    if name == DENSE:
        return "encode"
    require_head(folder, heads, name, Fsq | SparseHead | TokenHead)
    return next(method for method, kinds in METHODS.items() if isinstance(heads[name], kinds))


def vector_head(folder: ModelFolder, heads: Heads, name: str | None, width: int | None) -> str | None:
    """The code head that is asked for, None for the folder's own vectors, which alone can be cut to a width.

    Raises CallError where the folder has no such head or no such width.
    """
    if name in (None, DENSE):
        require_dense(folder)
        name = None
    else:
        require_head(folder, heads, name, Fsq)
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
        raise CallError(
            f"{folder.path} gives no vector a text: its modules end in the head {folder.head!r}. "
            f"Ask for that: metaembed embed MODEL TEXT --head {folder.head}"
        )


def prompt(folder: ModelFolder, name: str | None) -> tuple[str, int | None]:
    """A prompt's words and its task, the folder's default for None. Raises CallError for an unknown name."""
    known = {*folder.prompts, "query", "document"}
    if name is not None and name not in known:
        raise CallError(
            f"{folder.path} has no prompt {name!r}{nearest(name, known) or '.'} "
            f"Its prompts: {', '.join(folder.prompts) or 'none'}"
        )
    return task_adapters.chosen(folder, name)
