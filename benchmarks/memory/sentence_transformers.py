"""Two steps of sentence-transformers' trainer on a random model of a shape: the process's peak, tokens a second."""

import tempfile
import time
from pathlib import Path

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from transformers import TrainerCallback

from benchmarks import program, rows
from benchmarks.memory import models
from benchmarks.memory.texts import texts
from mlx_metaembed.engine import footprint

given = program.settings(model=str, part=1, columns=2, length=512, loss=str, batch=8)


class Clock(TrainerCallback):
    """Seconds of the last step; what was held before the first one is let go."""

    def on_train_begin(self, *_args: object, **_settings: object) -> None:
        footprint.peak(reset=True)

    def on_step_begin(self, *_args: object, **_settings: object) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *_args: object, **_settings: object) -> None:
        self.seconds = time.perf_counter() - self.began


names = ("anchor", "positive", *(f"negative_{number}" for number in range(1, given.columns - 1)))
found = texts(given.batch * given.columns, given.length, numbers=False)
with tempfile.TemporaryDirectory() as work:
    config = models.config(given.model, part=given.part)
    folder = models.write(Path(work) / "model", config, length=given.length, tokenizer=rows.model())
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = given.length
    clock = Clock()
    SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=f"{work}/run",
            per_device_train_batch_size=given.batch,
            max_steps=2,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({name: found[at :: given.columns] for at, name in enumerate(names)}),
        loss=getattr(losses, given.loss)(model, scale=20.0),
        callbacks=[clock],
    ).train()
program.answer(
    peak_bytes=footprint.peak(), tokens_per_second=rows.tokens(found, given.length) / clock.seconds, loss=None
)
