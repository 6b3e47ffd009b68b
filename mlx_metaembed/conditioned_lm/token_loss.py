"""How well a language model foretells the tokens of texts: the negative log-likelihood, in nats.

B rows, L tokens, V tokens known.
"""

from mlx_metaembed.xp import Array, logsumexp, namespace


def of_tokens(logits: Array, targets: Array, mask: Array) -> Array:
    """The negative log-likelihood float32 [B, L] of targets int [B, L] under logits [B, L, V]; 0 where not `mask`."""
    xp = namespace(logits)
    logits = xp.astype(logits, xp.float32)
    said = xp.squeeze(xp.take_along_axis(logits, targets[:, :, None], axis=2), 2)
    found = logsumexp(logits, axis=2) - said
    return xp.where(mask, found, xp.zeros_like(found))
