"""A converted model against the reference: transformers' model and the pooling that the folder declares.

The reference computes each text alone, in float32, and pools in float64, apart from the kit's own pooling. B texts, L
tokens, D features.
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed import locate
from mlx_metaembed.convert import sources
from mlx_metaembed.errors import CallError, JobError, missing_extra
from mlx_metaembed.folder import ADAPTER, PICKLED, ModelFolder
from mlx_metaembed.weights import Tensor, read_tensor

TEXTS = (
    "x",
    "A short sentence.",
    "Zwei Sätze, keine Ausrede: çà et là, 中文 und emoji 🙂.",
    "def area(radius):\n    return 3.14159 * radius ** 2  # of a circle",
    "Fine-tuning an encoder changes which texts lie close to each other. " * 5,
    "The quick brown fox jumps over the lazy dog, again and again, until the window ends. " * 60,
)
"""Texts of several lengths, from two tokens to some thousand, which the kit encodes in one padded batch."""
TOLERANCES = {"float32": ("largest difference", 1e-4), "float16": ("cosine", 0.9999)}
ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": lambda x: x,
    "torch.nn.modules.activation.Tanh": np.tanh,
}


def check(model: str | Path, *, reference: str | Path | None = None, engine: str = "auto") -> tuple[list[dict], str]:
    """One row a dtype and text: dtype, engine, tokens, cosine, largest difference, tolerance, whether it holds; then
    what it was compared with, in words.

    `reference` is the folder that transformers reads, the model's own where None is given. Raises CallError where
    torch is missing, or transformers has no such model.
    """
    from mlx_metaembed.embedder import load

    folder = folders.read(model)
    if folder.head:
        raise CallError(
            f"--check compares one vector a text, and the model ends in the head {folder.head!r}. Convert it without; "
            "docs/heads.md says how its heads were checked"
        )
    require_extra()
    expected, tokens, said = reference_vectors(folder, Path(reference or model), TEXTS)
    rows = []
    for dtype, (measure, tolerance) in TOLERANCES.items():
        embedder = load(str(model), engine=engine, dtype=dtype)
        found = embedder.encode(TEXTS).astype(np.float64)
        for text, count in enumerate(tokens):
            row = {"dtype": dtype, "engine": embedder.engine.name, "tokens": count}
            row |= compare(found[text], expected[text])
            # Not the other way round: a NaN must fail.
            holds = row["largest_difference"] <= tolerance if dtype == "float32" else row["cosine"] >= tolerance
            rows.append(row | {"tolerance": f"{measure} {tolerance:g}", "holds": bool(holds)})
    return rows, said


def require_extra() -> None:
    """Raise CallError where torch or transformers, which the reference is made of, is not installed."""
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "torch", "--check")


def require(rows: Sequence[dict]) -> None:
    """Raise JobError where a row is out of its tolerance."""
    wrong = [row for row in rows if not row["holds"]]
    if wrong:
        listed = "; ".join(
            f"{row['dtype']}, {row['tokens']} tokens: cosine {row['cosine']:.6f}, largest difference "
            f"{row['largest_difference']:.2e} (tolerance: {row['tolerance']})"
            for row in wrong
        )
        raise JobError(f"The converted model does not give the reference's vectors. {listed}. Please report it")


def compare(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """The cosine of a text's two vectors, and the largest difference of one number. [D] each."""
    length = np.linalg.norm(found) * np.linalg.norm(expected)
    return {
        "cosine": float((found * expected).sum() / (length or 1)),
        "largest_difference": float(np.abs(found - expected).max()),
    }


def reference_vectors(folder: ModelFolder, reference: Path, texts: Sequence[str]) -> tuple[np.ndarray, list[int], str]:
    """The vectors float64 [B, D] that transformers and the folder's declarations give; each text's tokens; in words,
    what gave them.

    Every text is encoded alone, so that nothing that stands beside it can change it.
    """
    from mlx_metaembed.on_torch.reference import Reference, TowerReference

    trunk = TowerReference(folder, reference) if folder.is_tower else Reference(folder, reference)
    prompt = folder.prompts.get(folder.default_prompt_name or "", "")
    texts = [prompt + (text.lower() if folder.do_lower_case else text) for text in texts]
    encode, tokenizer = _tokenizer(folder, texts)
    ids = [encode(text) for text in texts]
    skipped = len(encode(prompt)) - 1 if prompt and not folder.include_prompt else 0
    vectors = np.zeros((len(texts), folder.hidden_size))
    # Some rotary positions remember the longest text so far: the shortest goes first.
    for text in sorted(range(len(texts)), key=lambda text: len(ids[text])):
        found = trunk(ids[text]).astype(np.float64)
        mask = np.arange(len(ids[text])) >= skipped
        vectors[text] = found if folder.is_tower else pool(found[None], mask[None], folder.pooling)[0]
    return _declared(folder, vectors), [len(row) for row in ids], f"{trunk.said}; {tokenizer}"


def _tokenizer(folder: ModelFolder, texts: Sequence[str]) -> tuple[Callable[[str], list[int]], str]:
    """From a text to its ids, cut at the folder's length, by the folder's tokenizer.json; what AutoTokenizer makes of
    it, in words."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    plain = PreTrainedTokenizerFast(tokenizer_file=str(folder.tokenizer()))
    cut = {"truncation": True, "max_length": folder.max_seq_length}

    def encode(text: str) -> list[int]:
        return plain(text, **cut)["input_ids"]

    # Of a tokenizer that is not of its class's usual kind, transformers makes another one, or none.
    try:
        theirs = AutoTokenizer.from_pretrained(str(folder.trunk_path), local_files_only=True)
        other = sum(theirs(text, **cut)["input_ids"] != encode(text) for text in texts)
    except Exception as error:
        return encode, f"tokenizer.json as it stands, AutoTokenizer does not read it ({type(error).__name__})"
    if other:
        return encode, f"tokenizer.json as it stands, AutoTokenizer gives other ids for {other} of {len(texts)} texts"
    return encode, "AutoTokenizer's ids"


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
    where = locate.resolve(source)
    # Of an adapter's folder it would read the base alone.
    if (where / ADAPTER).is_file():
        return None
    folder = folders.read(where)
    # What transformers reads; of an ONNX export it would make random weights.
    files = ("model.safetensors", "model.safetensors.index.json", *PICKLED)
    where = folder.trunk_path
    return where if not folder.quantization and any((where / name).is_file() for name in files) else None
