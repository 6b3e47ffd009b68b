"""A converted model against the reference: transformers' model and the pooling that the folder declares.

The reference computes each text alone, in float32, and pools in float64, apart from the kit's own pooling. B texts, L
tokens, D features.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import onnx, sources
from mlx_metaembed.convert.reference_tokenizer import ReferenceTokenizer, require_same
from mlx_metaembed.errors import CallError, JobError, missing_extra
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ADAPTER, PICKLED, ModelFolder, locate
from mlx_metaembed.inputs.tokenizer import Tokenizer

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


def check(
    model: str | Path,
    *,
    reference: str | Path | None = None,
    words: str | Path | None = None,
    engine: str = "auto",
) -> tuple[list[dict], str]:
    """One row a dtype and text: dtype, engine, tokens, cosine, largest difference, tolerance, whether it holds; then
    what it was compared with, in words.

    `reference` is the folder whose weights transformers reads, `words` the one whose tokenizer it reads; the model's
    own where None is given. Raises CallError where torch is missing, or transformers has no such model, JobError where
    transformers gives other ids.
    """
    from mlx_metaembed.embedder import load

    folder = folders.read(model)
    if folder.head:
        raise CallError(
            f"--check compares one vector a text, and the model ends in the head {folder.head!r}. Convert it without; "
            "docs/heads.md says how its heads were checked"
        )
    require_extra()
    tokenizer = ReferenceTokenizer(folder, Path(words or folder.trunk_path))
    require_same(folder, tokenizer)
    expected, tokens, said = reference_vectors(folder, Path(reference or model), TEXTS, tokenizer)
    rows = []
    for dtype, (measure, tolerance) in TOLERANCES.items():
        embedder = load(str(model), engine=engine, dtype=dtype)
        # Lengths differ between models, and tolerances do not.
        found = embedder.encode(TEXTS, truncate_dim=folder.dimensions, normalize_embeddings=True).astype(np.float64)
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


def reference_vectors(
    folder: ModelFolder, reference: Path, texts: Sequence[str], tokenizer: ReferenceTokenizer | None = None
) -> tuple[np.ndarray, list[int], str]:
    """The vectors float64 [B, D] that transformers and the folder's declarations give; each text's tokens; in words,
    what gave them.

    `tokenizer` reads the folder's own files where None is given. Every text is encoded alone, so that nothing that
    stands beside it can change it.
    """
    from mlx_metaembed.on_torch.reference import Reference, TowerReference

    trunk = TowerReference(folder, reference) if folder.is_tower else Reference(folder, reference)
    prompt = folder.prompts.get(folder.default_prompt_name or "", "")
    tokenizer = tokenizer or ReferenceTokenizer(folder, folder.trunk_path)
    ids = [tokenizer(prompt + text) for text in texts]
    skipped = Tokenizer(folder).prompt_tokens(prompt)
    vectors = np.zeros((len(texts), folder.pooled_width))
    # Some rotary positions remember the longest text so far: the shortest goes first.
    for text in sorted(range(len(texts)), key=lambda text: len(ids[text])):
        found = trunk(ids[text]).astype(np.float64)
        mask = np.arange(len(ids[text])) >= skipped
        modes = folder.pooling.split("+")
        vectors[text] = (
            found if folder.is_tower else np.concatenate([pool(found[None], mask[None], mode)[0] for mode in modes])
        )
    return _declared(folder, vectors), [len(row) for row in ids], f"{trunk.said}; {tokenizer.said}"


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
    """The folder's Dense modules on vectors [B, D], at length 1."""
    from mlx_metaembed.on_torch.activations import activated

    for module in folder.dense:
        found = sources.dense(folder, module, lambda text: None)
        arrays = {
            name: (read_tensor(array) if isinstance(array, Tensor) else array).astype(np.float64)
            for name, array in found.items()
        }
        given = x
        x = activated(module.activation_function, x @ arrays["linear.weight"].T + arrays.get("linear.bias", 0))
        if module.use_residual:
            x = x + (given @ arrays["residual.weight"].T if "residual.weight" in arrays else given)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


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


def words_of(source: str | Path, base: str | Path | None = None) -> Path:
    """The folder of the source's own tokenizer, which transformers reads."""
    path = Path(source)
    if path.is_file():
        return onnx.folder_of(path) if path.suffix == ".onnx" else path.parent
    return folders.read(locate.resolve(source), base=base).trunk_path
