"""Training tokens a second, sentence-transformers' trainer with its defaults: no evaluation, no saving.

The time is that of the steps, tokenising in the collator included; loading and saving the model are left out.
"""

import tempfile

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MultipleNegativesRankingLoss

from benchmarks import program, rows
from benchmarks.clock import Clock
from benchmarks.train_speed import BATCH, LEARNING_RATE, LENGTH

given = program.settings(rows=str, steps=8, dropout="as it comes")

anchors, positives = (column[: given.steps * BATCH] for column in rows.read(given.rows))
tokens = rows.tokens([*anchors, *positives], LENGTH)
change = {} if given.dropout == "as it comes" else {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
model = SentenceTransformer(str(rows.model()), device="cpu", config_kwargs=change)
model.max_seq_length = LENGTH
clock = Clock()
with tempfile.TemporaryDirectory() as work:
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=work,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            learning_rate=LEARNING_RATE,
            warmup_steps=0.1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"anchor": anchors, "positive": positives}),
        loss=MultipleNegativesRankingLoss(model, scale=20.0),
        callbacks=[clock],
    )
    done = trainer.train()
program.answer(
    tokens_per_second=tokens / clock.seconds,
    tokens=tokens,
    seconds=clock.seconds,
    steps=done.global_step,
    loss=done.training_loss,
)
