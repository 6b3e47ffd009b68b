"""A teacher that is a model: the vectors that it gives of a run's texts, made once, before anything trains.

It reads texts with its own tokenizer, its own length and its own prompts.
"""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.engine import choose
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import checksums, npy
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.folder import ModelFolder, locate
from mlx_metaembed.heads import choices
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe.tables import TeacherTable
from mlx_metaembed.search import fingerprint
from mlx_metaembed.training.picked import Picked
from mlx_metaembed.training.teacher_file import numbered
from mlx_metaembed.training.tokenized_dataset import SIDES

WINDOW = 8_192
"""Texts that are embedded and written together."""
Text = tuple[str | None, str]
"""A text, after the name of the prompt that it carries."""


class TeacherModel:
    """The vectors [n, D] of a model's, in the order in which `of` was asked for texts, once `make` has made them."""

    in_order = False

    def __init__(self, table: TeacherTable, folder: ModelFolder):
        self.table, self.folder = table, folder
        said = fingerprint.of(folder)
        self.identity = f"{said['weights']}-{said['settings']}"
        self._numbers: dict[Text, int] = {}
        self._vectors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._vectors[rows]

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.table.model

    @property
    def features(self) -> int:
        return self.folder.output_dimensions

    @property
    def store(self) -> str:
        """The name of the folder that a run keeps the vectors in."""
        digest = hashlib.sha256(self.identity.encode())
        for text in self._numbers:
            digest.update(repr(text).encode())
        return f"taught-{digest.hexdigest()[:16]}"

    def of(self, texts: Sequence[str] | Sequence[tuple[str, ...]], role: str, where: str) -> Picked:
        """A row for each of some texts, with the prompt that texts of the role carry."""
        side = SIDES.get(role)
        return Picked(self, numbered(texts, lambda text: self._numbers.setdefault((side, text), len(self._numbers))))

    def make(self, out: Path, engine: str, advance: Callable[[int], None], note: Callable[[str], None]) -> None:
        """Embed all texts into the run's folder `out` where they are not there whole."""

        def write(partial: Path) -> None:
            model = Embedder(self.folder, Tokenizer(self.folder), choose(engine), name=self.name)
            npy.save_rows(partial / "vectors.npy", self._embedded(model, advance), len(self))
            model.engine.memory(reset=True)

        checksums.kept(out / self.store, write, note)
        gc.collect()
        self._vectors = np.load(out / self.store / "vectors.npy", mmap_mode="r")

    def _embedded(self, model: Embedder, advance: Callable[[int], None]) -> Iterator[np.ndarray]:
        """The vectors of the texts in order, so many at a time."""
        texts = list(self._numbers)
        for first in range(0, len(texts), WINDOW):
            window = texts[first : first + WINDOW]
            rows = np.empty((len(window), self.features), np.float32)
            for side in dict.fromkeys(side for side, _ in window):
                own = [at for at, (each, _) in enumerate(window) if each == side]
                rows[own] = model.encode([window[at][1] for at in own], prompt_name=side, progress=advance)
            yield rows


def read(table: TeacherTable, memory: int) -> TeacherModel:
    """The model that a table names, for a run that may hold so many bytes.

    Raises CallError where there is none, it gives no vectors, or its weights are more than that.
    """
    where = f"teacher {table.name!r}"
    try:
        folder = folders.read(locate.resolve(table.model))
        choices.require_dense(folder)
    except CallError as error:
        raise CallError(f"{where}: {error}") from None
    size = 4 * sum(prod(tensor.shape) for tensor in folder.trunk().values())
    if size > memory:
        raise CallError(
            f"{where}: {table.model} has {format_size(size)} of weights, and memory is {format_size(memory)}; embed "
            "the texts beforehand with metaembed embed, and name the file as path"
        )
    return TeacherModel(table, folder)


def models(rows: Mapping[str, Rows]) -> list[TeacherModel]:
    """The models whose vectors are among the targets of some rows, each once."""
    targets = (target for each in rows.values() for target in each.targets.values())
    found = (target.array for target in targets if isinstance(target, Picked))
    return list({id(each): each for each in found if isinstance(each, TeacherModel)}.values())
