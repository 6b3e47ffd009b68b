"""A scheme of IDs from beginning to end: read, embedded, fitted, measured, and written with its page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed import embedder
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.files import disk
from mlx_metaembed.heads import choices as head_choices
from mlx_metaembed.progress.display import Progress
from mlx_metaembed.search import fingerprint
from mlx_metaembed.semantic_ids import axis_measures, corpus, files, measures, stability, unique
from mlx_metaembed.semantic_ids.choices import Choices
from mlx_metaembed.semantic_ids.files import Ids
from mlx_metaembed.semantic_ids.fit import fit, require_columns
from mlx_metaembed.semantic_ids.scheme import require

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

Note = Callable[[str], None]


def make(
    model: str,
    data: str | Path,
    out: Path,
    choices: Choices,
    read: dict,
    *,
    engine: str = "auto",
    prompt: str | None = None,
    note: Note = lambda text: None,
) -> Ids:
    """The scheme of the texts of `data`, written as the new folder `out`; `read` says how rows are read.

    Raises CallError for whatever can't be, before a text is embedded where that can be told, and nothing is written.
    """
    choices.require()
    disk.require_vacant(out)
    found = corpus.read(data, choices.columns, **read)
    require_columns(found.columns, choices)
    for said in found.notes:
        note(f"Data: {said}")
    loaded = embedder.load(model, engine=engine)
    head_choices.prompt(loaded.folder, prompt)
    note(f"engine: {loaded.engine.name} on {loaded.engine.device} ({loaded.engine.reason})")
    with Progress(len(found.texts), "encoding") as bar:
        made = vectors(loaded, found.texts, prompt, False, bar.update)
    own, held = corpus.split(found, choices.held_out, choices.seed)
    encode = lambda prompts: vectors(loaded, list(prompts), prompt)  # noqa: E731
    with Progress(None, "fitting", unit="digits") as bar:
        told = lambda what: (bar.say(what), bar.update())  # noqa: E731
        scheme = fit(made[own], found.rows(own).columns, choices, encode, told)
    ids = scheme.encode(made)
    with Progress(None, "measuring", unit="measures"):
        # Without a part held out there is nothing that no digit was fitted on.
        shown, asked = (made[own], found.rows(own).columns), (made[held], found.rows(held).columns)
        steady = stability.stability(scheme, *shown, choices, encode)
        digits = measures.usage(ids, scheme)
        figures = {
            "digits": [row | {"stable": share} for row, share in zip(digits, steady["digits"], strict=False)],
            "prefixes": measures.prefixes(ids, made, choices.seed),
            "axes": axis_measures.axes(scheme, choices, (made[own], found.rows(own).columns), asked)
            if len(held)
            else [],
            "free": axis_measures.free(scheme, ids[held] if len(held) else ids),
            "r10": measures.kept(scheme, made, ids, choices.seed),
            "stable": steady["ids"],
        }
    if choices.unique:
        ids = np.column_stack([ids, unique.digits(ids, found.texts)])
    about = {
        "model": {
            "name": model,
            "fingerprint": fingerprint.of(loaded.folder),
            "prompt": prompt,
            "max_seq_length": loaded.max_seq_length,
        },
        "fitted": {"texts": len(own), "held_out": len(held), "seed": choices.seed, "method": choices.method},
        "measures": figures,
    }
    made = Ids(scheme, ids, found.texts, about)
    files.save(made, out)
    return made


def vectors(
    loaded: "Embedder",
    given: Sequence[str],
    prompt: str | None,
    images: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """The model's vectors float32 [n, D] of texts or files of images, of unit length where it compares by cosine.

    Raises CallError where some are not finite, with their rows.
    """
    if images:
        found = loaded.encode_images(list(given), progress=progress)
    else:
        found = loaded.encode(list(given), prompt_name=prompt, progress=progress)
    return unit(require(found)) if loaded.compares_by_cosine else require(found)
