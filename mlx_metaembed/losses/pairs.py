"""What the losses of pairs and of own lists share: the roles' scores, and averages over what counts."""

from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.scorers import own_scores
from mlx_metaembed.xp import EPSILON, Array, namespace


def pair_scores(sample: Sample, similarity: str) -> Array:
    """The scores [B] of sentence1 with sentence2."""
    return own_scores(sample.outputs["sentence1"], sample.outputs["sentence2"], similarity)[:, 0]


def pair_distances(sample: Sample, distance: str) -> Array:
    """The distances [B] of sentence1 and sentence2, which are vectors."""
    one, other = (sample.outputs[role].values for role in ("sentence1", "sentence2"))
    if distance == "cosine":
        return 1 - pair_scores(sample, distance)
    xp, difference = namespace(one), one - other
    return xp.sqrt(xp.sum(difference * difference, axis=-1) + EPSILON)


def list_scores(sample: Sample, similarity: str) -> tuple[Array, Array]:
    """Each anchor's scores with its positive [B, 1] and its own negatives [B, N]."""
    anchors = sample.outputs["anchor"]
    near, far = (own_scores(anchors, sample.outputs[role], similarity) for role in ("positive", "negative"))
    return near, far


def mean_of(x: Array, counted: Array) -> Array:
    """The mean of `x` where the bool `counted` of its shape is True; 0 where nothing is."""
    xp = namespace(x)
    total = xp.sum(xp.astype(counted, xp.float32))
    return xp.sum(xp.where(counted, x, xp.zeros_like(x))) / (total + xp.astype(total == 0, xp.float32))
