"""A conditioned language model as a folder: lm.json, condition.safetensors, held_out.jsonl, and LoRA for other tools.

The base is not in it: lm.json names it, with the checksums of its files.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from mlx_metaembed.adapters import Adapter, mlx_lm, peft
from mlx_metaembed.conditioned_lm import lora
from mlx_metaembed.conditioned_lm.base import Base
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.settings import TEXT, Settings
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import checksums, disk, safetensors
from mlx_metaembed.semantic_ids.scheme import spelled

FORMAT = "metaembed-lm-1"
ABOUT, WEIGHTS, HELD_OUT, LOG = "lm.json", "condition.safetensors", "held_out.jsonl", "metrics.jsonl"
PEFT, MLX_LM = "peft", "mlx-lm"
AGAIN = "Make it again with: metaembed ids lm-train BASE DATA OUT"


@dataclass(frozen=True)
class Held:
    """A text that nothing was learned from: its ID, and whether others with that ID were learned from."""

    text: str
    digits: tuple[int, ...]
    seen: bool


@dataclass(frozen=True)
class Made:
    """What a run leaves. `about` has the rest of lm.json: "base" (name, files), "scheme", "levels_learned" (texts a
    level), "measures"."""

    settings: Settings
    levels: Levels
    weights: dict[str, np.ndarray]
    held_out: list[Held]
    about: dict

    @property
    def unlearned(self) -> list[list[int]]:
        """The levels of each digit that no text was learned from."""
        return [[at for at, texts in enumerate(each) if not texts] for each in self.about["levels_learned"]]


def save(made: Made, log: list[dict], out: Path) -> None:
    """Write it as the new folder `out`, whole or not at all.

    Raises CallError where `out` holds something, JobError where it can't be written.
    """
    disk.require_vacant(out)
    digits = [
        {"name": name, "levels": count, "labels": list(made.levels.labels[at]) if made.levels.labels else []}
        for at, (name, count) in enumerate(zip(made.levels.names, made.levels.counts, strict=True))
    ]
    with disk.replacing(out) as partial:
        safetensors.write(partial / WEIGHTS, {name: array.astype(np.float32) for name, array in made.weights.items()})
        _lines(
            partial / HELD_OUT,
            [{"text": each.text, "id": spelled(each.digits), "seen": each.seen} for each in made.held_out],
        )
        _lines(partial / LOG, log)
        if made.settings.condition == TEXT and not made.settings.train_base:
            _write_adapters(made, partial)
        files = {name: checksums.of_file(partial / name) for name in (WEIGHTS, HELD_OUT)}
        about = {"format": FORMAT, "settings": asdict(made.settings), "digits": digits}
        disk.write_json(partial / ABOUT, about | made.about | {"files": files})


def load(path: Path) -> Made:
    """What a folder has. Raises CallError with all that is wrong: missing, torn or contradicting itself."""
    if not (path / ABOUT).is_file():
        raise CallError(f"{path} has no {ABOUT}; expected a folder that metaembed ids lm-train wrote")
    said = disk.read_object(path / ABOUT)
    if said.get("format") != FORMAT:
        raise CallError(f"{path / ABOUT} is not of the format {FORMAT!r}. {AGAIN}")
    listed = said.get("files") if isinstance(said.get("files"), dict) else {}
    torn = [(name, checksums.difference(path / name, listed.get(name))) for name in (WEIGHTS, HELD_OUT)]
    if damaged := [f"{name}: {what}" for name, what in torn if what]:
        raise faults(f"{path} is damaged:", damaged, AGAIN)
    try:
        known = {each.name for each in fields(Settings)}
        settings = Settings(**{key: value for key, value in said["settings"].items() if key in known})
        settings.require()
        digits = said["digits"]
        names, labels = (tuple(str(each["name"]) for each in digits), tuple(tuple(each["labels"]) for each in digits))
        levels = Levels(names, tuple(int(each["levels"]) for each in digits), labels)
        rows = [json.loads(line) for line in (path / HELD_OUT).read_text(encoding="utf-8").splitlines()]
        held = [Held(row["text"], levels.parse(row["id"]), bool(row["seen"])) for row in rows]
        about = {key: said[key] for key in ("base", "scheme", "levels_learned", "measures")}
        about["base"]["name"], about["base"]["files"]
    except (KeyError, TypeError, ValueError, CallError) as error:
        raise CallError(f"{path / ABOUT} can't be read: {error}. {AGAIN}") from None
    return Made(settings, levels, safetensors.read(path / WEIGHTS), held, about)


def _write_adapters(made: Made, out: Path) -> None:
    """LoRA as PEFT and mlx-lm read it: with the ID before a text they write what this folder does."""
    names = [name for name in made.weights if name.endswith(lora.LOW)]
    modules = tuple(name.removesuffix(f".{lora.LOW}") for name in names)
    adapter = Adapter(made.settings.own_rank, made.settings.alpha, modules, made.weights)
    base = made.about["base"]["name"]
    peft.write(adapter, base, out / PEFT, task="CAUSAL_LM")
    mlx_lm.write(adapter, base, out / MLX_LM)


def require_base(made: Made, base: Base, path: Path) -> None:
    """Raise CallError where a base is not the one that the folder was made with."""
    kept, found = made.about["base"]["files"], base.fingerprint()
    if wrong := [name for name in sorted({*kept, *found}) if kept.get(name) != found.get(name)]:
        raise CallError(
            f"{base.path} is not the base that {path} was made with ({made.about['base']['name']}): {', '.join(wrong)} "
            "differ. Name that one by --base"
        )


def _lines(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
