"""nDCG@10 and tokens a second of a sparse or multi-vector encoder trained with sentence-transformers' own trainers."""

import tempfile
from pathlib import Path

from datasets import Dataset
from sentence_transformers import multi_vector_encoder, sparse_encoder
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss

from benchmarks import program, rows
from benchmarks.clock import Clock
from benchmarks.heads import BATCH, FLOPS_WEIGHT, LEARNING_RATES, LENGTH, base
from benchmarks.heads.examined import examine, tokens

given = program.settings(kind=str, rows=str, held_out=str, steps=40, seed=0, dropout="as it comes")

anchors, positives = (column[: given.steps * BATCH] for column in rows.read(given.rows))
change = {} if given.dropout == "as it comes" else {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
options = {"device": "cpu", "config_kwargs": change}
if given.kind == "sparse":
    model = sparse_encoder.SparseEncoder(str(base(given.kind)), **options)
    ranking = SparseMultipleNegativesRankingLoss(model, scale=1.0)
    loss = SpladeLoss(model, ranking, FLOPS_WEIGHT, use_document_regularizer_only=True)
    trainer, settings = sparse_encoder.SparseEncoderTrainer, sparse_encoder.SparseEncoderTrainingArguments
else:
    model = multi_vector_encoder.MultiVectorEncoder(str(base(given.kind)), **options)
    loss = MultiVectorMultipleNegativesRankingLoss(model, scale=1.0)
    trainer = multi_vector_encoder.MultiVectorEncoderTrainer
    settings = multi_vector_encoder.MultiVectorEncoderTrainingArguments
model.max_seq_length = LENGTH
clock = Clock()
with tempfile.TemporaryDirectory() as work:
    data = Path(work) / "rows.jsonl"
    rows.head(given.rows, given.steps * BATCH, data)
    arguments = settings(
        output_dir=work,
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=LEARNING_RATES[given.kind],
        warmup_steps=0.1,
        seed=given.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    columns = Dataset.from_dict({"anchor": anchors, "positive": positives})
    done = trainer(model=model, args=arguments, train_dataset=columns, loss=loss, callbacks=[clock]).train()
    read = tokens(data, base(given.kind))
model.eval()


def score(queries: list[str], corpus: list[str]):
    return model.similarity(model.encode_query(queries), model.encode_document(corpus)).cpu().numpy()


program.answer(
    **examine(score, given.held_out),
    tokens_per_second=read / clock.seconds,
    steps=done.global_step,
    loss=done.training_loss,
)
