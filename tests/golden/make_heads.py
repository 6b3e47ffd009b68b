"""Writes the tiny checkpoints whose output is not one vector a text, with what the reference computes for them.

    python tests/golden/make_heads.py            # needs torch and transformers

SPLADE by transformers' ForMaskedLM, BGE-M3 as FlagEmbedding 1.4 has it, ColBERT as PyLate 1.6 has it, each in a few
lines of torch. `expected_heads.npz` holds the outputs for tiny.TEXTS, in the folder's own form of the checkpoint.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from families import BERT, DISTILBERT, MODERNBERT, ROBERTA  # noqa: E402
from make import draw  # noqa: E402
from tiny import TEXTS, tokenizer  # noqa: E402

from mlx_metaembed.files.disk import write_json  # noqa: E402

WIDTH = 32
BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[Q] ", "[D] ")
ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
NAMED = {
    BERT_TOKENS: {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"},
    ROBERTA_TOKENS: {"cls": "<s>", "bos": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"},
}
TEMPLATES = {BERT_TOKENS: "[CLS] $A [SEP]", ROBERTA_TOKENS: "<s> $A </s>"}
SPLADE = {
    "splade_bert": (BERT | {"model_type": "bert"}, BERT_TOKENS, "max", "relu"),
    "splade_distilbert": (DISTILBERT, BERT_TOKENS, "max", "log1p_relu"),
    "splade_roberta": (ROBERTA | {"model_type": "roberta"}, ROBERTA_TOKENS, "sum", "relu"),
    "splade_modernbert": (MODERNBERT, BERT_TOKENS, "max", "relu"),
}
"""Configuration, tokens, pooling_strategy, activation_function."""
COLBERT = {
    "model_type": "ColBERT",
    "__version__": {"sentence_transformers": "5.1.1", "transformers": "4.56.2", "pytorch": "2.8.0"},
    "prompts": {"query": "", "document": ""},
    "default_prompt_name": None,
    "similarity_fn_name": "MaxSim",
    "query_prefix": "[Q] ",
    "document_prefix": "[D] ",
    "query_length": 12,
    "document_length": 16,
    "attend_to_expansion_tokens": False,
    "skiplist_words": ["a", "of", "and"],
    "do_query_expansion": True,
}


def main() -> None:
    for name, settings in SPLADE.items():
        splade(HERE / name, *settings)
    bge_m3(HERE / "bge_m3")
    colbert(HERE / "colbert")


def splade(out: Path, config: dict, tokens: tuple[str, ...], pooling: str, activation: str) -> None:
    """A folder as sentence-transformers 5.1 saves a SparseEncoder; weights [texts, words]."""
    model = reference("AutoModelForMaskedLM", config)
    ids, mask = begin(out, tokens)
    model.save_pretrained(out)
    kinds = ["MLMTransformer", "SpladePooling"]
    modules(out, [f"sentence_transformers.sparse_encoder.models.{kind}" for kind in kinds], ["", "1_SpladePooling"])
    settings = {"pooling_strategy": pooling, "activation_function": activation, "word_embedding_dimension": 120}
    write_json(out / "1_SpladePooling" / "config.json", settings)
    write_json(out / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
    write_json(out / "config_sentence_transformers.json", {"model_type": "SparseEncoder", "similarity_fn_name": "dot"})
    weights = torch.log1p(torch.relu(model(input_ids=ids, attention_mask=mask).logits * mask[:, :, None]))
    weights = torch.log1p(weights) if activation == "log1p_relu" else weights
    weights = weights.amax(1) if pooling == "max" else weights.sum(1)
    np.savez_compressed(out / "expected_heads.npz", weights=weights.numpy())


def bge_m3(out: Path) -> None:
    """BAAI/bge-m3's files: torch's own formats alone. Dense, weights [texts, words], all tokens' vectors in a row."""
    config = ROBERTA | {"model_type": "xlm-roberta"}
    model = reference("AutoModel", config)
    ids, mask = begin(out, ROBERTA_TOKENS)
    model.config.save_pretrained(out)
    torch.save(model.state_dict(), out / "pytorch_model.bin")
    random = np.random.default_rng(1)
    linears = {"colbert_linear": torch.nn.Linear(WIDTH, 16), "sparse_linear": torch.nn.Linear(WIDTH, 1)}
    for name, linear in linears.items():
        linear.load_state_dict(drawn(random, linear))
        torch.save(linear.state_dict(), out / f"{name}.pt")
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules(out, [f"sentence_transformers.models.{kind}" for kind in kinds], ["", "1_Pooling", "2_Normalize"])
    write_json(out / "1_Pooling" / "config.json", {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": True})
    write_json(out / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    by_token = torch.relu(linears["sparse_linear"](states)).squeeze(-1)
    weights = torch.zeros(len(ids), 120).scatter_reduce(-1, ids, by_token, reduce="amax")
    weights[:, [0, 1, 2, 3]] = 0
    vectors = linears["colbert_linear"](states[:, 1:]) * mask[:, 1:, None]
    vectors = torch.nn.functional.normalize(vectors, dim=-1)[mask[:, 1:].bool()]
    np.savez_compressed(
        out / "expected_heads.npz",
        dense=torch.nn.functional.normalize(states[:, 0], dim=-1).detach().numpy(),
        weights=weights.detach().numpy(),
        vectors=vectors.detach().numpy(),
        lengths=(mask.sum(1) - 1).numpy(),
    )


def colbert(out: Path) -> None:
    """A folder as PyLate saves it; all tokens' vectors in a row, of the texts as queries and as documents."""
    model = reference("AutoModel", BERT | {"model_type": "bert"})
    begin(out, BERT_TOKENS)
    model.save_pretrained(out)
    linear = torch.nn.Linear(WIDTH, 16, bias=False)
    linear.load_state_dict(drawn(np.random.default_rng(1), linear))
    modules(out, ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"], ["", "1_Dense"])
    identity = "torch.nn.modules.linear.Identity"
    dense = {"in_features": WIDTH, "out_features": 16, "bias": False, "activation_function": identity}
    write_json(out / "1_Dense" / "config.json", dense | {"use_residual": False})
    from safetensors.torch import save_file

    save_file({"linear.weight": linear.weight}, out / "1_Dense" / "model.safetensors")
    write_json(out / "sentence_bert_config.json", {"max_seq_length": 15, "do_lower_case": False})
    write_json(out / "config_sentence_transformers.json", COLBERT)
    found = {}
    for side, length in (("query", COLBERT["query_length"]), ("document", COLBERT["document_length"])):
        fast = tokenizer(BERT_TOKENS, TEMPLATES[BERT_TOKENS])
        fast.enable_truncation(length - 1)
        prefix = fast.token_to_id(COLBERT[f"{side}_prefix"])
        rows = [[ids[0], prefix, *ids[1:]] for ids in (fast.encode(text).ids for text in TEXTS)]
        width = length if side == "query" else max(map(len, rows))
        filler = fast.token_to_id("[MASK]")
        ids = torch.tensor([row + [filler] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        skipped = torch.isin(ids, torch.tensor([fast.token_to_id(word) for word in COLBERT["skiplist_words"]]))
        scored = torch.ones_like(mask).bool() if side == "query" else mask.bool() & ~skipped
        vectors = linear(model(input_ids=ids, attention_mask=mask).last_hidden_state)[scored]
        found[side] = torch.nn.functional.normalize(vectors, dim=-1).detach().numpy()
        found[f"{side}_lengths"] = scored.sum(1).numpy()
    np.savez_compressed(out / "expected_heads.npz", **found)


def reference(auto: str, config: dict) -> torch.nn.Module:
    """transformers' model of a configuration, its weights drawn anew."""
    import transformers

    settings = {name: value for name, value in config.items() if name != "model_type"}
    made = getattr(transformers, auto).from_config(
        transformers.AutoConfig.for_model(config["model_type"], **settings), attn_implementation="eager"
    )
    made.load_state_dict(drawn(np.random.default_rng(0), made), strict=False)
    return made.eval().requires_grad_(False)


def drawn(random: np.random.Generator, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    named = module.named_parameters()
    return {name: torch.from_numpy(draw(random, name, tuple(tensor.shape), 1.0)) for name, tensor in named}


def begin(out: Path, tokens: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """A folder with its tokenizer; ids and mask [B, L] of the texts."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    fast = tokenizer(tokens, TEMPLATES[tokens])
    fast.save(str(out / "tokenizer.json"))
    named = {f"{role}_token": token for role, token in NAMED[tokens].items()}
    write_json(
        out / "tokenizer_config.json",
        named
        | {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 24, "clean_up_tokenization_spaces": False},
    )
    rows = [fast.encode(text).ids for text in TEXTS]
    width = max(map(len, rows))
    pad = fast.token_to_id(NAMED[tokens]["pad"])
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])


def modules(out: Path, kinds: list[str], paths: list[str]) -> None:
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": kind}
        for at, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    write_json(out / "modules.json", listed)


if __name__ == "__main__":
    main()
