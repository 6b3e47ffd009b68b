"""Rounding that is calibrated on texts: what layers are given, then the float model's vectors, then what was kept.

The float model is read, never changed. B texts, D features.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.engine import choose
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import calibration_texts, distillation, kept
from mlx_metaembed.export.calibration_texts import CalibrationTexts, Text
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import choices
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer

LONGEST = 128
"""Tokens at which texts are cut here."""
MOMENT_TOKENS = 32_768
"""Tokens that second moments are taken of."""
CHUNK_TOKENS = 4_096
Advance = Callable[[str, int, int, str], object]
"""Hears of a part of the job by name: so much more of it is done, of how much, and the unit."""


@dataclass(frozen=True)
class Calibration:
    """What to calibrate on, and how long: `texts` is a source of rows or of texts, `most` how many of them are taken,
    `steps` those of the distillation, 32 texts each."""

    texts: str | Path
    most: int = 1_024
    steps: int = 100
    seed: int = 0
    engine: str = "auto"

    def require(self, folder: ModelFolder) -> None:
        """Raise CallError for a model that gives no single vector a text, or a number that can't be."""
        if folder.head:
            raise CallError(
                f"--calibrate brings back the vectors of the model, and {folder.path} ends in the head "
                f"{folder.head!r}; export it without"
            )
        wrong = [f"{name} = {each!r}" for name, each in (("texts", self.most), ("steps", self.steps)) if each < 0]
        if wrong or not self.most:
            raise CallError(f"calibration {', '.join(wrong) or 'texts = 0'}: expected 1 text at least, and 0 steps")


@dataclass
class Calibrated:
    """The float model's part: its vectors of all texts, and by module the second moments [C, C] of its inputs."""

    asked: Calibration
    texts: CalibrationTexts
    tokenizer: Tokenizer
    store: Store
    vectors: np.ndarray
    before: kept.Sides
    moments: dict[str, np.ndarray]
    model: Embedder = field(repr=False)

    def finish(self, written: ModelFolder, dtype: str, advance: Advance) -> dict[str, float]:
        """What a folder that was rounded keeps, its scales, biases and norms trained in place, in the file's dtype."""
        steps = self.asked.steps
        if steps:
            trained = distillation.distil(
                self.model.engine,
                written,
                self.store,
                self.vectors,
                pad_id=self.tokenizer.pad_id,
                steps=steps,
                seed=self.asked.seed,
                advance=lambda _loss: advance("distilling", 1, steps, "steps"),
            )
            distillation.rewrite(written, trained, dtype)
        found = Embedder(written, _tokenizer(written), self.model.engine, dtype="float32")
        after = _sides(found, self.texts, lambda count: advance("measuring", count, self._held, "texts"))
        return kept.kept(self.before, after, self.texts.relevant, self.asked.seed)

    def section(self, figures: dict[str, float]) -> str:
        """The part of the card on what is kept."""
        source = Path(self.asked.texts).name
        return kept.section(figures, len(self.texts.queries), len(self.texts.searched), source)

    @property
    def _held(self) -> int:
        return len(self.texts.queries) + len(self.texts.searched)


def begin(folder: ModelFolder, asked: Calibration, modules: Collection[str], advance: Advance) -> Calibrated:
    """The float model's vectors and its layers' inputs on the texts that are asked for.

    Raises CallError where the texts can't be read or are too few.
    """
    asked.require(folder)
    texts = calibration_texts.read(asked.texts, asked.most, asked.seed)
    engine = choose(asked.engine)
    model = Embedder(folder, _tokenizer(folder), engine, dtype="float32")
    total = len(texts.fit) + len(texts.queries) + len(texts.searched)
    told = lambda count: advance("embedding", count, total, "texts")  # noqa: E731
    before, vectors = _sides(model, texts, told), _vectors(model, texts.fit, told)
    store = _store(model, texts.fit)
    moments = _moments(model, store, modules, advance)
    return Calibrated(asked, texts, model.tokenizer, store, vectors, before, moments, model)


def _tokenizer(folder: ModelFolder) -> Tokenizer:
    return Tokenizer(folder, min(LONGEST, folder.max_seq_length))


def _sides(model: Embedder, texts: CalibrationTexts, told: Callable[[int], object]) -> kept.Sides:
    queries, searched = (_vectors(model, side, told) for side in (texts.queries, texts.searched))
    return queries, searched


def _vectors(model: Embedder, texts: Sequence[Text], told: Callable[[int], object]) -> np.ndarray:
    """Vectors float32 [n, D] at length 1."""

    def encode(own: list[str], prompt: str | None) -> np.ndarray:
        return unit(model.encode(own, prompt_name=prompt, progress=told))

    return calibration_texts.by_prompt(texts, encode)


def _store(model: Embedder, texts: Sequence[Text]) -> Store:
    """The texts' tokens, each with its prompt."""
    requests = {prompt: choices.request(model.folder, prompt, None, None) for prompt, _ in dict.fromkeys(texts)}
    each = [requests[prompt] for prompt, _ in texts]
    tasks = None if each[0].task is None else [request.task for request in each]
    words = [request.prompt for request in each]
    return token_store.tokenize(model.tokenizer, [text for _, text in texts], words, tasks=tasks)


def _moments(model: Embedder, store: Store, modules: Collection[str], advance: Advance) -> dict[str, np.ndarray]:
    """The mean of x x^T, float64 [C, C], over the tokens of the first texts, by module."""
    count = int(np.searchsorted(np.cumsum(store.lengths), MOMENT_TOKENS)) + 1
    texts = np.arange(min(count, len(store)))
    pieces, _ = chunks.chunks(store, texts, pad_id=model.tokenizer.pad_id, chunk_tokens=CHUNK_TOKENS)
    sums: dict[str, np.ndarray] = {}
    for chunk in pieces:
        for module, found in model.engine.moments(chunk, modules).items():
            sums[module] = sums[module] + found if module in sums else found.astype(np.float64)
        advance("looking at layers", chunk.texts, len(texts), "texts")
    tokens = max(sum(chunk.tokens for chunk in pieces), 1)
    return {module: found / tokens for module, found in sums.items()}
