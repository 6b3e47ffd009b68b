"""Stages of a pipeline: done once, gone on with where they were ended, done again where what they read changed."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import click

from mlx_metaembed.conditioned_lm.work import folder_of
from mlx_metaembed.files import disk, partials


class Stages:
    """The stages of the folder OUT, in order; `stages.json` says with what each was asked, and what it took."""

    def __init__(self, out: Path):
        self._out, self._path = out, out / "stages.json"
        self._kept, self._before = disk.optional_json(self._path), ""

    def __call__(self, name: str, asked: dict, make: Callable[[], object], *paths: Path) -> None:
        """Do a stage that leaves `paths`, unless they are there from the same settings and the same stages before."""
        said = json.dumps([self._before, name, asked], sort_keys=True, default=str)
        self._before = hashlib.blake2b(said.encode(), digest_size=12).hexdigest()
        kept = self._kept.get(name, {})
        if kept.get("key") != self._before:
            # Of other settings, or made from what has changed since.
            for path in paths:
                partials.remove(path)
                partials.remove(folder_of(path))
            kept = {"key": self._before, "done": False, "seconds": 0.0}
        if kept["done"] and all(path.exists() for path in paths):
            click.secho(f"{name}: done before", err=True)
            return
        self._keep(name, kept)
        click.secho(name, err=True, bold=True)
        began = time.perf_counter()
        try:
            make()
            kept["done"] = True
        finally:
            kept["seconds"] += time.perf_counter() - began
            self._keep(name, kept)

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage took, by name."""
        return {name: kept["seconds"] for name, kept in self._kept.items()}

    def _keep(self, name: str, kept: dict) -> None:
        self._kept[name] = kept
        with disk.replacing_file(self._path) as partial:
            disk.write_json(partial, self._kept)
