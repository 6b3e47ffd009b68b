"""GGUF, the file of llama.cpp: a language model of it becomes an ordinary Hugging Face folder, an embedder the kit's.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. `make.py` goes from beginning to end.
"""
