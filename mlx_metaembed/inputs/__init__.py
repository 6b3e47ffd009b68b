"""What a model reads, made of texts and pictures: tokenizers, ids on disk, chunks, pixels. No engine."""
