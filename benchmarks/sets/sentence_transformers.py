"""Training with sentence-transformers: a model folder, and tokens a second."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.losses import CoSENTLoss, MultipleNegativesRankingLoss
from torch.optim.lr_scheduler import LambdaLR

from benchmarks import rows
from benchmarks.clock import Clock
from benchmarks.sets import LEARNING_RATE, LENGTH, SETS, STEPS, Contestant, texts
from benchmarks.sets.batches import batches
from benchmarks.speed import speeds
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.schedule import factor

OURS = Recipe()
"""This kit's defaults."""
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


class SameSchedule(SentenceTransformerTrainer):
    """The trainer with this kit's learning rate at every step."""

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        def share(done: int) -> float:
            where = {"step": done + 1, "steps": num_training_steps, "warmup_ratio": OURS.warmup_ratio}
            return factor(OURS.lr_schedule, **where)

        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, share)
        return self.lr_scheduler


def trained(contestant: Contestant, name: str, own: list[texts.Row], seed: int, out: Path) -> dict[str, float]:
    """Train on a set's rows into the new folder `out`.

    The time is that of the steps, tokenising in the collator included.
    """
    model = SentenceTransformer(str(rows.model()), device="cpu", config_kwargs=NO_DROPOUT if contestant.same else {})
    model.max_seq_length = LENGTH
    loss = CoSENTLoss(model) if SETS[name].loss == "cosent" else MultipleNegativesRankingLoss(model)
    same = {"batch_sampler": _given(batches(name, own, seed)), "weight_decay": OURS.weight_decay}
    clock = Clock()
    trainer = (SameSchedule if contestant.same else SentenceTransformerTrainer)(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(out.with_suffix(".work")),
            per_device_train_batch_size=SETS[name].batch,
            max_steps=STEPS,
            learning_rate=LEARNING_RATE,
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **(same if contestant.same else {}),
        ),
        train_dataset=Dataset.from_list(own),
        loss=loss,
        callbacks=[clock],
    )
    read = _counted(trainer)
    done = trainer.train()
    model.eval()
    model.save(str(out))
    # A batch more than there are steps may have been read ahead.
    columns = sum(role != "score" for role in own[0])
    tokens = [sum(read[step * columns : (step + 1) * columns]) for step in range(len(clock.marks))]
    speed = speeds(tokens, clock.marks)
    return speed | {"tokens": sum(tokens), "steps": done.global_step, "loss": done.training_loss}


def _given(chosen: list[list[int]]) -> type:
    """A sampler of batches that are known, in their order."""

    class GivenBatches(DefaultBatchSampler):
        def __iter__(self) -> Iterator[list[int]]:
            yield from chosen

        def __len__(self) -> int:
            return len(chosen)

    return GivenBatches


def _counted(trainer: SentenceTransformerTrainer) -> list[int]:
    """The real tokens of each column of each batch, as the collator reads them."""
    found, preprocess = [], trainer.data_collator.preprocess_fn

    def counting(*texts: object, **options: object) -> dict:
        made = preprocess(*texts, **options)
        found.append(int(made["attention_mask"].sum()))
        return made

    trainer.data_collator.preprocess_fn = counting
    return found
