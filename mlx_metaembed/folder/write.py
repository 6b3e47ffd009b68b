"""The declaring files of a folder, in the layout before 5.4, and the tokenizer's files beside them."""

import shutil
from pathlib import Path

from mlx_metaembed.config import clip
from mlx_metaembed.files.disk import write_json
from mlx_metaembed.folder import module_handlers, module_types
from mlx_metaembed.folder.model_folder import ModelFolder


def write(folder: ModelFolder, out: Path) -> None:
    """Write the declaring files of a folder, in the pre-5.4 layout; weights and tokenizer are the caller's."""
    if folder.head:
        listing = module_types.modules(folder.splade, folder.late_interaction)
    else:
        # sentence-transformers has a module for a whole CLIP; a tower pools by itself.
        kind = "CLIPModel" if folder.model_type == "clip" else "Transformer"
        listing = [("", kind)] if folder.is_tower else [("", kind), ("1_Pooling", "Pooling")]
        listing += [(dense.path, "Dense") for dense in folder.dense]
        if folder.normalize:
            listing.append((f"{len(listing)}_Normalize", "Normalize"))
        listing = [(path, f"sentence_transformers.models.{kind}") for path, kind in listing]
    listed = [{"idx": idx, "name": str(idx), "path": name, "type": kind} for idx, (name, kind) in enumerate(listing)]
    write_json(out / "config.json", folder.config)
    write_json(
        out / "sentence_bert_config.json",
        {"max_seq_length": folder.max_seq_length, "do_lower_case": folder.do_lower_case}
        | _said(folder, "query_length", "document_length")
        | clip.module(folder.config),
    )
    top = module_types.top(folder.splade, folder.late_interaction)
    write_json(
        out / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "5.3.0"},
            "prompts": folder.prompts,
            "default_prompt_name": folder.default_prompt_name,
            "similarity_fn_name": folder.similarity_fn_name,
        }
        | _said(folder, "truncate_dim")
        | top,
    )
    if folder.splade:
        width = {"word_embedding_dimension": folder.config.get("vocab_size")}
        write_json(out / folder.splade.path / "config.json", folder.splade.settings() | width)
    elif not folder.late_interaction and not folder.is_tower:
        write_json(out / "1_Pooling" / "config.json", _pooling(folder))
    for dense in folder.dense_modules:
        write_json(out / dense.path / "config.json", dense.settings())
    if folder.normalize:
        (out / listed[-1]["path"]).mkdir(exist_ok=True)
    write_json(out / "modules.json", listed)


def _said(folder: ModelFolder, *names: str) -> dict:
    """Fields as keys that older releases do not know: only where they say something."""
    return {name: getattr(folder, name) for name in names if getattr(folder, name) is not None}


def _pooling(folder: ModelFolder) -> dict:
    """A Pooling module's config.json. Several modes in an order of their own have words in the newer layout alone."""
    modes = folder.pooling.split("+")
    flags = {flag: mode in modes for flag, mode in module_handlers.POOLING_FLAGS.items()}
    if modes == [mode for flag, mode in module_handlers.POOLING_FLAGS.items() if flags[flag]]:
        found = {"word_embedding_dimension": folder.hidden_size, **flags}
    else:
        found = {"embedding_dimension": folder.hidden_size, "pooling_mode": modes}
    return found | {"include_prompt": folder.include_prompt}


TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
)
"""What makes a model's inputs: ids of texts, pixels of images."""


def copy_tokenizer(source: Path, out: Path) -> None:
    """Copy the files of the tokenizer, and of what prepares images, as they are."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
