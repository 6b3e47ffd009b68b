"""Encoding tokens a second, this kit on either engine."""

from benchmarks import program, rows
from benchmarks.encode_speed import LENGTH
from benchmarks.encode_speed.texts import measure
from mlx_metaembed.embedder import load

given = program.settings(rows=str, vectors=str, texts=256, engine="torch")
model = load(rows.MODEL, engine=given.engine, dtype="float32", max_seq_length=LENGTH)
measure(model.encode, path=given.rows, count=given.texts, vectors=given.vectors, device=model.engine.device)
