"""Encoding tokens a second, sentence-transformers: its own order by length, 32 texts a batch."""

from sentence_transformers import SentenceTransformer

from benchmarks import program, rows
from benchmarks.encode_speed import BATCH, LENGTH
from benchmarks.encode_speed.texts import measure

given = program.settings(rows=str, vectors=str, texts=256)
model = SentenceTransformer(str(rows.model()), device="cpu")
model.max_seq_length = LENGTH
measure(
    lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False),
    path=given.rows,
    count=given.texts,
    vectors=given.vectors,
    device="cpu",
)
