"""nDCG@10 at each width after training with sentence-transformers: MatryoshkaLoss over MultipleNegativesRankingLoss."""

import tempfile

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

from benchmarks import program, rows
from benchmarks.quality import BATCH, LEARNING_RATE, LENGTH, WIDTHS
from benchmarks.quality.retrieval import examine

given = program.settings(rows=str, held_out=str, steps=30, seed=0)
anchors, positives = (column[: given.steps * BATCH] for column in rows.read(given.rows))
model = SentenceTransformer(str(rows.model()), device="cpu")
model.max_seq_length = LENGTH
with tempfile.TemporaryDirectory() as work:
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=work,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            learning_rate=LEARNING_RATE,
            warmup_steps=0.1,
            seed=given.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"anchor": anchors, "positive": positives}),
        loss=MatryoshkaLoss(model, MultipleNegativesRankingLoss(model, scale=20.0), matryoshka_dims=list(WIDTHS)),
    )
    done = trainer.train()
model.eval()
after = examine(lambda texts: model.encode(texts, show_progress_bar=False), given.held_out)
program.answer(**after, steps=done.global_step, loss=done.training_loss)
