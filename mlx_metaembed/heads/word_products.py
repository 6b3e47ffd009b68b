"""Dot products of a batch's texts over all words of a masked-language-model head, some words at a time.

Texts by words are never held: 768 texts by 250,002 words would be 768 MB, and their gradients more. What stays is what
the decoder takes, [b, L, D] of each chunk, and its gradient; the logits are computed again on the way back.
n texts of all chunks, V words, W of them at a time.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.heads.splade import WORDS_AT_ONCE, Splade
from mlx_metaembed.xp import Array, after, constant, namespace, with_pull_back, with_rows

MOST_LOGITS = 1 << 24
"""Logits that are held together, 64 MiB, and some copies of them."""
LEAST_WORDS = 256
"""Fewer at a time are slow; a token's logits are few beside its D features then."""


def width(tokens: int) -> int:
    """Words at a time, where the logits of so many tokens are held together."""
    return min(max(MOST_LOGITS // tokens, LEAST_WORDS), WORDS_AT_ONCE)


def word_products(
    head: Splade, weights: Mapping[str, Array], hidden: Sequence[Array], masks: Sequence[np.ndarray]
) -> Array:
    """The texts' weights times their transpose, [n, n], of what `head.hidden` gave for each chunk.

    Every loss of sparse vectors is a function of these: scores are some of them, and FLOPS is the mean of all.
    """
    names = [name for name in ("decoder.weight", "decoder.bias") if name in weights]
    marks = [constant(mask, hidden[0]) for mask in masks]
    tokens = [mask.size for mask in masks]
    ends = np.cumsum([len(mask) for mask in masks])
    rows = [slice(end - len(mask), end) for end, mask in zip(ends, masks, strict=True)]

    def parts(given: Sequence[Array]) -> tuple[Sequence[Array], dict[str, Array]]:
        return given[: len(masks)], dict(zip(names, given[len(masks) :], strict=True))

    def products(*given: Array) -> Array:
        chunks, decoder = parts(given)
        xp, found, done = namespace(chunks[0]), None, []
        for words in head.blocks(width(max(tokens))):
            own, pieces = head.decoder(decoder, words), []
            for x, mark in zip(chunks, marks, strict=True):
                pieces.append(head.weigh(*own, after(x, done), mark)[0])
                done = [pieces[-1]]
            block = xp.concatenate(pieces, axis=0)
            new = xp.matmul(block, block.T)
            found = new if found is None else found + new
            done = [found]
        return found

    def pull_back(at: Array, *given: Array) -> list[Array]:
        chunks, decoder = parts(given)
        xp, both, at_chunks, done = namespace(at), at + at.T, [None] * len(chunks), []
        # Written into, so that the largest of all gradients is there once.
        at_decoder = [xp.astype(xp.zeros_like(each), xp.float32) for each in decoder.values()]
        for words in head.blocks(width(sum(tokens))):
            own, pieces = head.decoder(decoder, words), []
            for x, mark in zip(chunks, marks, strict=True):
                pieces.append(head.weigh(*own, after(x, done), mark))
                done = [pieces[-1][0]]
            at_block, at_own = xp.matmul(both, xp.concatenate([piece for piece, _ in pieces], axis=0)), None
            done = [at_block]
            for number, (_, back) in enumerate(pieces):
                at_x, *new = back(after(at_block[rows[number]], done))
                at_own = [a + b for a, b in zip(at_own, new, strict=True)] if at_own else new
                at_chunks[number] = at_x if at_chunks[number] is None else at_chunks[number] + at_x
                done = [at_chunks[number], *at_own]
            # The second is the bias's, where there is one.
            at_decoder = [with_rows(x, words, each) for x, each in zip(at_decoder, at_own, strict=False)]
            done += at_decoder
        # Weights of the trunk may be halves.
        return [*at_chunks, *(xp.astype(x, decoder[name].dtype) for name, x in zip(names, at_decoder, strict=True))]

    return with_pull_back(products, pull_back, *hidden, *(weights[name] for name in names))
