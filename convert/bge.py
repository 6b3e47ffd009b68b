"""BGE-M3's two heads, which lie beside its weights as torch's own files: colbert_linear.pt and sparse_linear.pt.

FlagEmbedding 1.x reads them so (`M3Embedder`). They become the heads `multi_vector` and `lexical` of the side folder.
"""

from pathlib import Path

import numpy as np

from mlx_metaembed.convert import sources
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import LEXICAL, MULTI_VECTOR
from mlx_metaembed.heads import Head
from mlx_metaembed.heads.lexical import Lexical
from mlx_metaembed.heads.token_vectors import MultiVector
from mlx_metaembed.inputs.special_tokens import special_token

FILES = {MULTI_VECTOR: "colbert_linear.pt", LEXICAL: "sparse_linear.pt"}
SPECIALS = ("cls", "eos", "pad", "unk")
"""Tokens without a lexical weight."""


def heads(folder: ModelFolder, tokenizer: Path, note: Note) -> tuple[dict[str, Head], dict[str, np.ndarray]]:
    """The heads whose files a folder has, and their weights `<head>.<weight>`; `tokenizer` is the new tokenizer.json.

    Raises CallError where a file does not fit the configuration.
    """
    found: dict[str, Head] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, file in FILES.items():
        path = folder.path / file
        if not path.is_file():
            continue
        tensors = {f"linear.{key}": tensor for key, tensor in sources.file(path, note).items()}
        if "linear.weight" not in tensors:
            raise CallError(f"{path} has {', '.join(tensors)}; expected weight and bias of a linear layer")
        if name == LEXICAL:
            found[name] = Lexical(folder.hidden_size, _specials(folder.path, tokenizer))
        else:
            found[name] = MultiVector(folder.hidden_size, tensors["linear.weight"].shape[0])
        safetensors.compare(path, found[name].shapes(), {key: tuple(tensor.shape) for key, tensor in tensors.items()})
        arrays |= {
            f"{name}.{key}": read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
            for key, tensor in tensors.items()
        }
    if found:
        note(f"Read heads: {', '.join(f'{name} from {FILES[name]}' for name in found)}")
    return found, arrays


def _specials(source: Path, tokenizer: Path) -> tuple[int, ...]:
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(tokenizer)).token_to_id
    spelled = [special_token(source, role, known) for role in SPECIALS]
    return tuple(sorted({known(token) for token in spelled if token and known(token) is not None}))
