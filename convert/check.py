"""A converted model against the reference: transformers' AutoModel and the pooling that the folder declares.

The reference computes in float32 and pools in float64, apart from the kit's own pooling. B texts, L tokens, D features.
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed import locate
from mlx_metaembed.architecture import positions
from mlx_metaembed.convert import sources
from mlx_metaembed.errors import CallError, JobError, missing_extra
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.weights import Tensor, read_tensor

TEXTS = (
    "x",
    "A short sentence.",
    "Zwei Sätze, keine Ausrede: çà et là, 中文 und emoji 🙂.",
    "def area(radius):\n    return 3.14159 * radius ** 2  # of a circle",
    "Fine-tuning an encoder changes which texts lie close to each other. " * 5,
    "The quick brown fox jumps over the lazy dog, again and again, until the window ends. " * 60,
)
"""Texts of several lengths, from two tokens to more than the window, encoded in one padded batch."""
TOLERANCES = {"float32": ("largest difference", 1e-4), "float16": ("cosine", 0.9999)}
ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": lambda x: x,
    "torch.nn.modules.activation.Tanh": np.tanh,
}


def check(model: str | Path, *, reference: str | Path | None = None, engine: str = "auto") -> list[dict]:
    """One row a dtype: dtype, engine, lowest cosine, largest difference of a number, tolerance, whether it holds.

    `reference` is the folder that transformers reads, the model's own where None is given. Raises CallError where
    torch is missing.
    """
    from mlx_metaembed.embedder import load

    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "torch", "--check")
    expected = reference_vectors(folders.read(model), Path(reference or model), TEXTS)
    rows = []
    for dtype, (measure, tolerance) in TOLERANCES.items():
        embedder = load(str(model), engine=engine, dtype=dtype)
        found = embedder.encode(TEXTS).astype(np.float64)
        row = {"dtype": dtype, "engine": embedder.engine.name} | compare(found, expected)
        # Not the other way round: a NaN must fail.
        holds = row["largest_difference"] <= tolerance if dtype == "float32" else row["cosine"] >= tolerance
        rows.append(row | {"tolerance": f"{measure} {tolerance:g}", "holds": bool(holds)})
    return rows


def require(rows: Sequence[dict]) -> None:
    """Raise JobError where a row is out of its tolerance."""
    wrong = [row for row in rows if not row["holds"]]
    if wrong:
        listed = "; ".join(
            f"{row['dtype']}: cosine {row['cosine']:.6f}, largest difference {row['largest_difference']:.2e} "
            f"(tolerance: {row['tolerance']})"
            for row in wrong
        )
        raise JobError(f"The converted model does not give the reference's vectors. {listed}. Do not use it; report it")


def compare(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """The lowest cosine of a text's two vectors, and the largest difference of one number. [B, D] each."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (found * expected).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    return {"cosine": float(cosines.min()), "largest_difference": float(np.abs(found - expected).max())}


def reference_vectors(folder: ModelFolder, reference: Path, texts: Sequence[str]) -> np.ndarray:
    """The vectors float64 [B, D] that transformers and the folder's declarations give, as `Embedder.encode` does."""
    from transformers import (
        MODEL_FOR_TEXT_ENCODING_MAPPING,
        AutoConfig,
        AutoModel,
        AutoModelForTextEncoding,
        AutoTokenizer,
    )
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    prompt = folder.prompts.get(folder.default_prompt_name or "", "")
    texts = [prompt + (text.lower() if folder.do_lower_case else text) for text in texts]
    tokenizer = AutoTokenizer.from_pretrained(str(folder.trunk_path), local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if folder.is_tower:
        return _declared(folder, tower_vectors(folder, reference, tokenizer, texts))
    try:
        config = AutoConfig.from_pretrained(str(reference), local_files_only=True)
    except ValueError:
        raise CallError(
            f"--check has no reference for {reference}: transformers does not know {folder.model_type!r}, or not in "
            "this form. The folder was converted; docs/encoders.md says how the family was checked"
        ) from None
    # Of an encoder with a decoder (T5), the encoder alone.
    auto = AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
    trunk, loading = auto.from_pretrained(
        str(reference), dtype="float32", local_files_only=True, output_loading_info=True
    )
    missing = [name for name in loading["missing_keys"] if "pooler" not in name]
    if missing:
        raise CallError(
            f"transformers finds no {', '.join(sorted(missing)[:4])} in {reference}; it can't be the reference"
        )
    trunk.eval().requires_grad_(False)
    cut = {"truncation": True, "max_length": folder.max_seq_length}
    inputs = tokenizer(list(texts), padding=True, return_tensors="pt", **cut)
    states = trunk(**inputs).last_hidden_state.numpy().astype(np.float64)
    mask = inputs["attention_mask"].numpy().astype(np.float64)
    if prompt and not folder.include_prompt:
        mask[:, : len(tokenizer(prompt, **cut)["input_ids"]) - 1] = 0
    return _declared(folder, pool(states, mask, folder.pooling))


def tower_vectors(folder: ModelFolder, reference: Path, tokenizer: Callable, texts: Sequence[str]) -> np.ndarray:
    """The projected vectors float64 [B, D] of CLIP's and SigLIP's texts, before what the folder declares."""
    import transformers

    name, attribute = {
        "clip": ("CLIPModel", "pooler_output"),
        "clip_text_model": ("CLIPTextModelWithProjection", "text_embeds"),
        "siglip": ("SiglipModel", "pooler_output"),
        "siglip_text_model": ("SiglipTextModel", "pooler_output"),
    }[folder.model_type]
    model = getattr(transformers, name).from_pretrained(str(reference), dtype="float32", local_files_only=True)
    model.eval().requires_grad_(False)
    ids = {"input_ids": tokenizer(texts, truncation=True, max_length=folder.max_seq_length)["input_ids"]}
    if folder.model_type.startswith("siglip"):
        padded = tokenizer.pad(ids, padding="max_length", max_length=positions(folder.config), return_tensors="pt")
        inputs = {"input_ids": padded["input_ids"]}
    else:
        padded = tokenizer.pad(ids, return_tensors="pt", return_attention_mask=True)
        inputs = {name: padded[name] for name in ("input_ids", "attention_mask")}
    call = getattr(model, "get_text_features", model)
    return getattr(call(**inputs), attribute).numpy().astype(np.float64)


def pool(states: np.ndarray, mask: np.ndarray, mode: str) -> np.ndarray:
    """States [B, L, D] and mask [B, L] of 0 and 1 to [B, D], text by text, as sentence-transformers defines it."""
    rows = []
    for row, real in zip(states, mask, strict=True):
        kept = row[real > 0]
        ranks = np.arange(1, len(row) + 1)[real > 0, None]
        rows.append(
            {
                "cls": lambda kept=kept: kept[0],
                "mean": lambda kept=kept: kept.mean(axis=0),
                "max": lambda kept=kept: kept.max(axis=0),
                "mean_sqrt_len_tokens": lambda kept=kept: kept.sum(axis=0) / np.sqrt(len(kept)),
                "weightedmean": lambda kept=kept, ranks=ranks: (kept * ranks).sum(axis=0) / ranks.sum(),
                "lasttoken": lambda kept=kept: kept[-1],
            }[mode]()
        )
    return np.stack(rows)


def _declared(folder: ModelFolder, x: np.ndarray) -> np.ndarray:
    """The folder's Dense modules and normalization on vectors [B, D]."""
    for module in folder.dense:
        found = sources.dense(folder, module, lambda text: None)
        arrays = {
            name: (read_tensor(array) if isinstance(array, Tensor) else array).astype(np.float64)
            for name, array in found.items()
        }
        if module.activation_function not in ACTIVATIONS:
            raise CallError(f"--check does not know the activation {module.activation_function} of {module.path}")
        x = ACTIVATIONS[module.activation_function](x @ arrays["linear.weight"].T + arrays.get("linear.bias", 0))
    if folder.normalize or folder.similarity_fn_name == "cosine":
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return x


def reference_for(source: str | Path, dtype: str | None) -> Path | None:
    """The source's own folder where transformers can read it and its numbers were kept; None: the new folder."""
    if dtype is not None or Path(source).is_file():
        return None
    folder = folders.read(locate.resolve(source))
    return None if folder.quantization else folder.trunk_path
