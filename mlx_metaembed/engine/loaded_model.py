"""A model that an engine has loaded: what it is, what may be asked of it and set, and its heads."""

from dataclasses import replace

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed import heads as head_files
from mlx_metaembed.engine.choice import automatic_dtype, choose
from mlx_metaembed.engine.head_outputs import head_outputs
from mlx_metaembed.engine.protocol import Engine
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder import finite as finite_values
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.folder.read import SIMILARITIES
from mlx_metaembed.heads import CodeHead, choices
from mlx_metaembed.heads.fsq import FLOAT
from mlx_metaembed.inputs.colbert_tokenizer import DOCUMENT, QUERY
from mlx_metaembed.inputs.tokenizer import Tokenizer


class LoadedModel:
    """A folder's model on an engine; `heads` are the folder's named heads, `name` is what the caller called it."""

    def __init__(
        self,
        folder: ModelFolder,
        tokenizer: Tokenizer | None = None,
        engine: Engine | None = None,
        *,
        dtype: str = "auto",
        name: str | None = None,
    ):
        """Without a tokenizer or an engine they are the folder's, and this machine's best. CallError for a name."""
        if not isinstance(folder, ModelFolder):
            raise CallError(f"Expected a folder that was read; a model of that name comes from load({str(folder)!r})")
        tokenizer, engine = tokenizer or Tokenizer(folder), engine or choose()
        self.folder, self.engine, self.name = folder, engine, name or str(folder.path)
        # A length that the caller asked for is meant for both sides.
        self._cut_at(tokenizer, both=tokenizer.max_seq_length != folder.max_seq_length)
        self.heads, arrays = head_files.every(folder)
        self.dtype = automatic_dtype(engine)[0] if dtype == "auto" else dtype
        engine.load(
            folder,
            dtype=self.dtype,
            heads=self.heads,
            arrays=behind_trunk(folder, arrays),
            adapter=adapters.read(folder),
        )

    def __repr__(self) -> str:
        said = [repr(self.name), self.folder.model_type]
        said.append(f"ends in {self.folder.head}" if self.folder.head else f"{self.dimensions} features")
        said += [f"{self.max_seq_length} tokens", f"{self.dtype} on {self.engine.name} {self.device}"]
        if others := [name for name in self.heads if name != self.folder.head]:
            said.append(f"heads: {' '.join(others)}")
        return f"{type(self).__name__}({', '.join(said)})"

    @property
    def max_seq_length(self) -> int:
        """Tokens at which a text is cut; may be set, for queries and documents alike."""
        return self.tokenizer.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise CallError(f"max_seq_length = {length!r:.80}: expected a whole number of tokens, 1 or more")
        if self.folder.late_interaction:
            raise CallError(f"{self.name} cuts queries and documents at lengths of their own, which its folder says")
        self._cut_at(Tokenizer(self.folder, length), both=True)

    @property
    def similarity_fn_name(self) -> str:
        """How `similarity` compares vectors: cosine, dot, euclidean or manhattan; may be set."""
        return self.folder.similarity_fn_name

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: str) -> None:
        if name not in SIMILARITIES:
            close = nearest(str(name), SIMILARITIES) or ";"
            raise CallError(f"similarity_fn_name = {name!r:.80} is not known{close} one of {', '.join(SIMILARITIES)}")
        self.folder = replace(self.folder, similarity_fn_name=name)

    @property
    def dimensions(self) -> int:
        """Features of a vector as `encode` gives it."""
        return self.folder.output_dimensions

    def get_embedding_dimension(self) -> int:
        """Features of a vector, as `dimensions`."""
        return self.dimensions

    get_sentence_embedding_dimension = get_embedding_dimension

    @property
    def prompts(self) -> dict[str, str]:
        """The words before a text, by the prompt's name."""
        return self.folder.prompts

    @property
    def device(self) -> str:
        """What computes, in words."""
        return self.engine.device

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer; called with a list of texts it gives the ids of each."""
        return self._tokenizer

    @property
    def compares_by_cosine(self) -> bool:
        """True if compared by cosine: the length of a vector does not matter."""
        return self.folder.compares_by_cosine

    @property
    def declared(self) -> dict[str, object]:
        """Fields of the folder as they are now, where they may have been set since it was read."""
        lengths = {} if self._sides else {"query_length": None, "document_length": None}
        return lengths | {
            "max_seq_length": self.max_seq_length,
            "similarity_fn_name": self.similarity_fn_name,
            "prompts": self.prompts,
        }

    def method(self, head: str) -> str:
        """Which method gives a head's output. Raises CallError where the folder has no head of that name."""
        return choices.method(self.folder, self.heads, head)

    def require_dense(self) -> None:
        """Raise CallError where the folder's modules end in something other than one vector a text."""
        choices.require_dense(self.folder)

    def apply(self, head: str, vectors: np.ndarray, *, query: bool = False) -> np.ndarray:
        """A head's output for vectors [n, D] that `encode` gave at the modules' whole width, not normalised.

        With `query`, of a code head, what queries are compared as.
        """
        return self.finite(head_outputs(self.engine, head, vectors, query=query))

    def digits_of(self, head: str, vectors: np.ndarray) -> np.ndarray:
        """A code head's digits int64 [n, K] of vectors as `apply` takes them."""
        return self.heads[head].digits(head_outputs(self.engine, head, vectors, coded=True))

    def asks(self, head: str, prompt_name: str | None) -> bool:
        """Whether texts with a prompt are queries of a code head that are compared as no code."""
        found = self.heads.get(head)
        return isinstance(found, CodeHead) and found.query == FLOAT and prompt_name == QUERY

    def tokenizer_of(self, side: str | None) -> Tokenizer:
        """The tokenizer that cuts at the length of a side, where queries or documents have one of their own."""
        return self._sides.get(side, self.tokenizer)

    def _cut_at(self, tokenizer: Tokenizer, *, both: bool) -> None:
        self._tokenizer = tokenizer
        own = {} if both else {QUERY: self.folder.query_length, DOCUMENT: self.folder.document_length}
        self._sides = {side: Tokenizer(self.folder, length) for side, length in own.items() if length}

    def finite(self, found: np.ndarray) -> np.ndarray:
        """What the engine gave. Raises JobError where it is not finite, with the weights that are not."""
        return finite_values.require(found, self.folder, self.dtype)
