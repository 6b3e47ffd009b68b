"""A conditioned language model from beginning to end: rows, base, steps, held-out bits, and the folder."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import embedder
from mlx_metaembed import engine as engines
from mlx_metaembed.conditioned_lm import base as bases
from mlx_metaembed.conditioned_lm import files, foretold, loop, parts, work
from mlx_metaembed.conditioned_lm import rows as row_files
from mlx_metaembed.conditioned_lm.batches import Batches
from mlx_metaembed.conditioned_lm.conditioned import Conditioned, initial
from mlx_metaembed.conditioned_lm.files import Held, Made
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.rows import Rows
from mlx_metaembed.conditioned_lm.settings import PREFIX, TEXT, Settings
from mlx_metaembed.conditioned_lm.tokens import Tokens
from mlx_metaembed.conditioned_lm.work import State
from mlx_metaembed.engine import causal_model
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.progress.display import Progress, Stages
from mlx_metaembed.search import fingerprint
from mlx_metaembed.semantic_ids import files as schemes
from mlx_metaembed.semantic_ids import make as encoders
from mlx_metaembed.semantic_ids.files import Ids

FEWEST = 4
"""Texts from which anything is learned."""


@dataclass(frozen=True)
class Call:
    """What a run is asked with, beside its settings; `mapped` says how rows are read."""

    base: str
    data: str
    out: Path
    scheme: Path | None = None
    digits: int | None = None
    mapped: dict | None = None
    engine: str = "auto"
    dtype: str = "auto"


def make(call: Call, settings: Settings, *, note: Callable[[str], None] = lambda text: None) -> Made:
    """The model, written as the new folder `call.out`; a call that was ended goes on from its last save.

    Raises CallError for whatever can't be, before a step is done, JobError where a step fails.
    """
    settings.require()
    disk.require_vacant(call.out)
    base = bases.find(call.base)
    tokens = Tokens(base)
    engine = engines.choose(call.engine)
    dtype, why = causal_model.dtype_of(engine, call.dtype)
    rows = row_files.read(
        call.data, call.scheme, call.digits, call.mapped or {}, lambda found, texts: _coded(found, texts, call, note)
    )
    for said in rows.notes:
        note(f"Data: {said}")
    if len(rows.texts) < FEWEST:
        raise CallError(f"{call.data} has {len(rows.texts)} texts with an ID; expected {FEWEST}, and better thousands")
    if settings.train_base and base.config.get("quantization"):
        raise CallError(f"{base.path} is quantized: its weights can't learn. Leave --train-base out")
    if settings.condition == TEXT:
        tokens.require_digits(rows.levels)
    settings = replace(settings, rank=settings.own_rank, learning_rate=settings.rate)
    _require_room(base, rows.levels, settings)
    own, held = parts.split(rows.ids, settings.held_out, settings.seed)
    _note_rare(rows, own, note)
    note(f"engine: {engine.name} on {engine.device} ({engine.reason}), {dtype} ({why})")
    about = {"base": {"name": call.base, "files": base.fingerprint()}}
    mark = {"settings": asdict(settings), "base": about["base"]["files"], "counts": rows.levels.counts}
    with work.opened(call.out, work.key(mark, rows.texts, rows.ids)) as room:
        model = Conditioned(causal_model.load(engine, base.path, base.config, dtype=dtype), settings, rows.levels)
        batches = Batches([rows.texts[at] for at in own], rows.ids[own], tokens, rows.levels, settings)
        steps = settings.steps or max(round(settings.epochs * batches.an_epoch), 1)
        state = room.state(note) or State(0, initial(model.model, settings, rows.levels))
        stages = Stages()
        try:
            state = loop.run(model, batches, settings, state, steps, room, stages.step)
        except BaseException:
            if room.begun:
                note(f"What was done is kept in {room.path}; the same command goes on from there")
            raise
        finally:
            stages.close()
        room.save(state)
        seen = parts.seen(rows.ids[own], rows.ids[held])
        measures = {"steps": steps, "loss": state.log[-1]["loss"] if state.log else None}
        if len(held):
            asked = Batches([rows.texts[at] for at in held], rows.ids[held], tokens, rows.levels, settings)
            weights = model.arrays(state.weights)
            with Progress(len(held), "measuring") as bar:
                found = foretold.bits(
                    model, weights, asked, rows.ids[held], rows.levels, settings.seed, told=bar.update
                )
            measures |= foretold.measures(found, seen)
        about |= {"scheme": rows.scheme, "levels_learned": _learned(rows.ids[own], rows.levels), "measures": measures}
        kept = [
            Held(rows.texts[at], tuple(rows.ids[at].tolist()), bool(known))
            for at, known in zip(held, seen, strict=True)
        ]
        made = Made(settings, rows.levels, state.weights, kept, about)
        files.save(made, state.log, call.out)
        room.remove()
    return made


def _coded(found: Ids, texts: list[str], call: Call, note: Callable[[str], None]) -> np.ndarray:
    """The IDs of texts by a scheme and its model."""
    about = found.about["model"]
    loaded = embedder.load(about["name"], engine=call.engine, max_seq_length=about.get("max_seq_length"))
    schemes.require_model(found, fingerprint.of(loaded.folder), call.scheme, about["name"])
    with Progress(len(texts), "encoding") as bar:
        vectors = encoders.vectors(loaded, texts, about.get("prompt"), False, bar.update)
    return found.scheme.encode(vectors)


def _learned(ids: np.ndarray, levels: Levels) -> list[list[int]]:
    """How many texts each level of each digit has."""
    return [np.bincount(ids[:, at], minlength=count).tolist() for at, count in enumerate(levels.counts)]


def _note_rare(rows: Rows, own: np.ndarray, note: Callable[[str], None]) -> None:
    """Say which levels are learned from no text, or from one."""
    for at, texts in enumerate(_learned(rows.ids[own], rows.levels)):
        for count, words in ((0, "no text has"), (1, "one text alone has")):
            rare = [level for level, n in enumerate(texts) if n == count]
            if rare and not (count == 0 and len(rare) == len(texts)):
                listed = ", ".join(map(str, rare[:10])) + (", ..." if len(rare) > 10 else "")
                note(f"{rows.levels.spoken(at)}: {words} level {listed}; an ID with it is hardly learned")


def _require_room(base: bases.Base, levels: Levels, settings: Settings) -> None:
    """Raise CallError where a text would be longer than the base's positions."""
    places = len(levels.counts) * settings.vectors if settings.condition == PREFIX else 32
    if base.positions is not None and places + settings.max_tokens + 2 > base.positions:
        raise CallError(
            f"--max-tokens {settings.max_tokens} and {places} places before them do not fit: {base.path} has "
            f"{base.positions} positions; give a smaller --max-tokens"
        )
