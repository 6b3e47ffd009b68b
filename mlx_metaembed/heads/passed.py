"""What a pass of the trunk gives under a name: what a head makes of a chunk's tokens, or the part before its decoder.

In training a masked-language-model head gives that part, `<head>.hidden`: its decoder comes after all chunks, some
words at a time (heads/word_products.py).
"""

from collections.abc import Callable, Collection, Mapping

from mlx_metaembed.folder.parameters import TRUNK, token_head_weights
from mlx_metaembed.heads.files import Head, VectorHead
from mlx_metaembed.heads.splade import OF_HIDDEN
from mlx_metaembed.xp import Array

HIDDEN = ".hidden"
"""No name of a head has a dot."""


def in_training(name: str, head: Head) -> str:
    """The name of what a pass gives of a head that trains on tokens' states."""
    return name + HIDDEN if hasattr(head, "hidden") else name


def head_of(name: str) -> str:
    """The head's own name."""
    return name.removesuffix(HIDDEN)


def of_vectors(head: VectorHead, *, query: bool = False, coded: bool = False) -> Callable[..., Array]:
    """What takes a head's weights and vectors, without a gradient; `query` and `coded` are ways of a code head."""
    if coded:
        return head.coded
    return head.of_query if query else getattr(head, "stored", head)


def prefixes(names: Collection[str]) -> tuple[str, ...]:
    """What the full names of the weights begin with that a pass of these names takes."""
    found = []
    for name in names:
        found += [f"heads.{head_of(name)}.{part}" for part in (OF_HIDDEN if name.endswith(HIDDEN) else ("",))]
    return tuple(found)


def decoders(names: Collection[str], heads: Mapping[str, Head], *, after: bool = False) -> list[str]:
    """The full names of the trunk's tensors that are decoders in a pass of these names, or come `after` it."""
    found = [getattr(heads.get(head_of(name)), "tied", "") for name in names if name.endswith(HIDDEN) == after]
    return [TRUNK + name for name in found if name]


def given(
    name: str, heads: Mapping[str, Head], parameters: Mapping[str, Array], states: Array, ids: Array, mask: Array
) -> Array:
    """What stands under a name, of the states [b, L, D]."""
    head = heads[head_of(name)]
    weights = token_head_weights(head_of(name), head, parameters)
    return head.hidden(weights, states) if name.endswith(HIDDEN) else head(weights, states, ids, mask)
