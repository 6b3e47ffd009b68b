"""What the heads of a run hold, and its losses: their outputs for a batch, and their own part of a pass.

A batch is of one data set: what counts is the fullest one's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlx_metaembed.engine import DENSE
from mlx_metaembed.heads import Fsq, Head
from mlx_metaembed.heads.passed import head_of
from mlx_metaembed.heads.splade import WORDS_AT_ONCE
from mlx_metaembed.inputs.chunks import bucket
from mlx_metaembed.losses import Sizes
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import head_tables, objective_tables, rows
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import Objective, passed
from mlx_metaembed.training.plan.activations import ITEM, Activations

if TYPE_CHECKING:
    from mlx_metaembed.training.plan.parts import Job

COPIES = {"mlx": 17, "torch": 2}
"""Of a block of MaxSim's products, on the way back: torch lets go of each as soon as it was used."""


@dataclass(frozen=True)
class HeadBytes:
    """Bytes of a batch: `outputs` of the heads that read token states, held once; `loss` of all its objectives.

    `dense`: whether a pass gives vectors. `activations` are the heads' own, in bytes a token.
    """

    outputs: int
    loss: int
    dense: bool
    activations: Activations


def head_bytes(job: "Job", behind: PostTrunk, features: int) -> HeadBytes:
    """The bytes of a job's heads and objectives, the largest of all data sets; `features` are the vectors'."""
    objectives = objective_tables.losses(long_form(job.recipe, head_tables.codes(job.folder)))
    sets = [[each for each in objectives if each.data == name] for name in dict.fromkeys(o.data for o in objectives)]
    used = [passed(each, behind.heads) for each in sets]
    names = [[behind.heads[head_of(name)] for name in each if name != DENSE] for each in used]
    own = [_activations(heads, ITEM[job.dtype]) for heads in names]
    return HeadBytes(
        outputs=max((sum(_output(head, job) for head in heads) for heads in names), default=0),
        loss=max((_loss(each, job, behind, features) for each in sets), default=0),
        dense=any(DENSE in each for each in used),
        activations=Activations(*(max((each[at] for each in own), default=0) for at in range(3))),
    )


def _output(head: Head, job: "Job") -> int:
    """Bytes of a head's output for a batch."""
    if words := getattr(head, "vocabulary", 0):
        return 4 * job.texts * words
    return 4 * job.batch_tokens * getattr(head, "out_features", 1)


def _activations(heads: Sequence[Head], item: int) -> tuple[int, int, int]:
    """What heads keep of a token for the way back, what they work with beside it, and without a gradient."""
    kept = work = forward = 0
    for head in heads:
        states = head.in_features
        # The states are taken in float32.
        cast = 4 * states if item < 4 else 0
        if words := getattr(head, "vocabulary", 0):
            block = 4 * min(words, WORDS_AT_ONCE)
            # The largest logit's gradient finds it again in all of them; a sum's goes through its activations.
            logits = 4 * words * (1 if head.pooling_strategy == "max" else 3)
            kept, work, forward = (
                kept + cast + 24 * states + logits,
                work + 2 * block,
                forward + 16 * states + 2 * block,
            )
        else:
            wide = 4 * getattr(head, "out_features", 1)
            kept, work, forward = kept + cast + 2 * wide, work + 4 * states + 2 * wide, forward + cast + 3 * wide
    return kept, work, forward


def _loss(objectives: Sequence[Objective], job: "Job", behind: PostTrunk, features: int) -> int:
    """Bytes of the losses on one data set's batch, and of the mask of its candidates, a byte a pair."""
    gives = {DENSE: "vector"} | {name: head.gives for name, head in behind.heads.items()}
    asked = rows.asked(objectives, gives)
    roles = (*asked["roles"], *asked["optional"])
    # Of negatives there are as many as the data has; other roles are one text each.
    columns = job.columns if "negative" in roles or not roles else min(job.columns, len(roles))
    count = job.recipe.batch_size
    size = Sizes(count, count * (columns - 1), copies=COPIES[job.target.engine])
    found = sum(each.loss.held_bytes(_sizes(each, size, job, behind, features)) for each in objectives)
    return found + size.rows * size.candidates


def _sizes(objective: Objective, size: Sizes, job: "Job", behind: PostTrunk, features: int) -> Sizes:
    """The sizes of what an objective's heads give."""
    found = replace(size, widths=len(objective.widths) or 1)
    for head, what in _heads(objective, behind):
        if what == "tokens":
            found = replace(found, tokens=bucket(job.length), token_features=head.out_features)
        elif what == "sparse":
            # Scores are over the batch's own words, where a head weighs tokens.
            own = min(job.folder.architecture["vocab_size"], job.batch_tokens)
            own = min(own, job.lengths.words or own) if job.lengths else own
            found = replace(found, words=getattr(head, "vocabulary", 0) or own)
        else:
            found = replace(found, features=_width(head) if head else features)
    return found


def _heads(objective: Objective, behind: PostTrunk) -> Iterator[tuple[Head | None, str]]:
    for name in objective.names:
        head = behind.heads.get(name)
        yield head, head.gives if head else "vector"


def _width(head: Head) -> int:
    """Features of what a head makes of a vector; a code has one for each of its levels."""
    return len(head.levels) if isinstance(head, Fsq) else head.out_features
