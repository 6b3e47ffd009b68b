"""What the heads of a run hold, and its losses: their outputs for a batch, and their own part of a pass.

A batch is of one data set: what counts is the fullest one's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlx_metaembed.engine import DENSE
from mlx_metaembed.heads import Head
from mlx_metaembed.heads.passed import head_of
from mlx_metaembed.heads.splade import Splade
from mlx_metaembed.heads.word_products import width
from mlx_metaembed.inputs.chunks import bucket
from mlx_metaembed.losses import Sizes
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import head_tables, objective_tables, rows, teachers
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import Objective, passed
from mlx_metaembed.training.plan.activations import ITEM, Activations

if TYPE_CHECKING:
    from mlx_metaembed.training.plan.parts import Job

LOGITS = {"mlx": 2, "torch": 1}
"""Copies of a block's logits of all chunks on the way back; MLX lets go of those before the mask later."""
OF_A_CHUNK = {"max": 2, "sum": 5}
"""Copies of one chunk's beside them, by how a text takes its tokens."""
PRODUCTS = 4
"""Copies of the dot products of all texts with one another, gradients included."""
COPIES = {"mlx": 17, "torch": 2}
"""Of a block of MaxSim's products, on the way back: torch lets go of each as soon as it was used."""


@dataclass(frozen=True)
class Blocks:
    """A decoder's logits of a batch, some words at a time: its tokens, texts, words and features.

    `copies` of the logits of all chunks are held on the way back, and `more` of the chunk in hand.
    """

    tokens: int
    texts: int
    words: int
    features: int
    copies: int
    more: int

    @property
    def decoder(self) -> int:
        """Bytes of the decoder's gradient, which comes with the loss and stays."""
        return 4 * self.words * self.features

    @property
    def freed(self) -> int:
        """Bytes of a block of all chunks' logits, which a process keeps that has given it back.

        Measured as what processes held beyond live arrays: 95 to 160 MB where a block has 67.
        """
        return 4 * min(width(self.tokens), self.words) * self.tokens

    def held(self, chunk: int) -> int:
        """Bytes at most, forward or back, in chunks of so many tokens."""
        chunk = min(chunk, self.tokens)
        more = self.more * chunk + 3 * self.texts
        forward = min(width(chunk), self.words) * (self.copies * chunk + more + self.features)
        back = min(width(self.tokens), self.words) * (self.copies * self.tokens + more + 2 * self.features)
        return 4 * max(forward, back)


@dataclass(frozen=True)
class HeadBytes:
    """Bytes of a batch: `outputs` of the heads that read token states, held once; `loss` of all its objectives.

    `blocks` are those of a masked-language-model head, beside the loss.
    `dense`: whether a pass gives vectors. `activations` are the heads' own, in bytes a token.
    """

    outputs: int
    loss: int
    blocks: "Blocks | None"
    dense: bool
    activations: Activations


def head_bytes(job: "Job", behind: PostTrunk, features: int) -> HeadBytes:
    """The bytes of a job's heads and objectives, the largest of all data sets; `features` are the vectors'."""
    job = replace(job, recipe=long_form(job.recipe, head_tables.codes(job.folder)))
    objectives = objective_tables.losses(job.recipe)
    sets = [[each for each in objectives if each.data == name] for name in dict.fromkeys(o.data for o in objectives)]
    used = [passed(each, behind.heads) for each in sets]
    names = [[behind.heads[head_of(name)] for name in each if name != DENSE] for each in used]
    own = [_activations(heads, ITEM[job.dtype]) for heads in names]
    return HeadBytes(
        outputs=max((sum(_output(head, job) for head in heads) for heads in names), default=0),
        loss=max((_loss(each, job, behind, features) for each in sets), default=0),
        blocks=next((_blocks(each, job) for heads in names for each in _splade(heads)), None),
        dense=any(DENSE in each for each in used),
        activations=Activations(*(max((each[at] for each in own), default=0) for at in range(3))),
    )


def _splade(heads: Iterable[Head]) -> list[Splade]:
    return [head for head in heads if isinstance(head, Splade)]


def _blocks(head: Splade, job: "Job") -> Blocks:
    copies, more = LOGITS[job.target.engine], OF_A_CHUNK[head.pooling_strategy]
    return Blocks(job.batch_tokens, job.texts, head.vocabulary, head.in_features, copies, more)


def _output(head: Head, job: "Job") -> int:
    """Bytes of a head's output for a batch."""
    if isinstance(head, Splade):
        # What stands before the decoder.
        return 4 * job.batch_tokens * head.in_features
    return 4 * job.batch_tokens * getattr(head, "out_features", 1)


def _activations(heads: Sequence[Head], item: int) -> tuple[int, int, int]:
    """What heads keep of a token for the way back, what they work with beside it, and without a gradient."""
    kept = work = forward = 0
    for head in heads:
        states = head.in_features
        # The states are taken in float32.
        cast = 4 * states if item < 4 else 0
        if isinstance(head, Splade):
            # The decoder comes after all chunks.
            kept, forward = kept + cast + 24 * states, forward + 16 * states
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
    heads = _splade(behind.heads[name] for name in {name for each in objectives for name in each.names} - {DENSE})
    products = 4 * PRODUCTS * job.texts**2 * len(heads)
    return found + products + size.rows * size.candidates


def _sizes(objective: Objective, size: Sizes, job: "Job", behind: PostTrunk, features: int) -> Sizes:
    """The sizes of what an objective's heads give."""
    taught = [table for table in job.recipe.teachers if table.name in objective.teachers]
    found = replace(size, widths=len(objective.widths) or 1, teacher_features=sum(map(teachers.features, taught)))
    for head, what in _heads(objective, behind):
        if what == "tokens":
            found = replace(found, tokens=bucket(job.length), token_features=head.out_features)
        elif what == "sparse":
            # Scores are over the batch's own words, where a head weighs tokens.
            own = min(job.folder.architecture["vocab_size"], job.batch_tokens)
            own = min(own, job.lengths.words or own) if job.lengths else own
            # Those of a masked-language-model head are there as dot products.
            found = replace(found, words=0 if isinstance(head, Splade) else own)
        else:
            found = replace(found, features=head.out_features if head else features)
    return found


def _heads(objective: Objective, behind: PostTrunk) -> Iterator[tuple[Head | None, str]]:
    for name in objective.names:
        head = behind.heads.get(name)
        yield head, head.gives if head else "vector"
