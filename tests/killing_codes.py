"""Walks a fit of a code with a kill at each call that changes the model's folder of codes: `python killing_codes.py
ENGINE MODEL TEXTS`. Prints how many kills were made good.
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from killing import KILLED, Killer, child, imported, state

from mlx_metaembed import embedder
from mlx_metaembed.evaluate import code_data, code_fit
from mlx_metaembed.files import partials
from mlx_metaembed.mining import vectors
from mlx_metaembed.search import fingerprint

NAME = "mine"
MADE = {f"{NAME}/code.json", f"{NAME}/code.safetensors"}


def main(engine: str, model: str, texts: str) -> None:
    vectors.WINDOW = 128
    room, modules = Path(model) / "metaembed" / "codes", Path(texts).with_name("modules")

    def fit(at: int = 0) -> None:
        sys.addaudithook(Killer(room, at))
        loaded = embedder.load(model, engine=engine)
        asked = code_fit.Settings("residual", 3, NAME)
        code_fit.check(loaded.folder, asked)
        side, _ = code_data.to_fit(texts, loaded.folder.dimensions, 1_000, 0)
        code_fit.fit(loaded, side, asked, fingerprint.of(loaded.folder))

    def whole() -> None:
        fit()
        modules.write_text(" ".join(sorted(sys.modules)))

    assert child(whole) == 0
    imported(modules)
    # The last bits depend on what was imported before.
    shutil.rmtree(room)
    assert child(fit) == 0
    expected, at = state(room), 0
    assert set(expected) == {NAME, *MADE}
    while True:
        at += 1
        shutil.rmtree(room)
        if (status := child(partial(fit, at))) != KILLED:
            assert status == 0, (at, status)
            break
        if MADE - set(state(room) if room.is_dir() else {}):
            assert child(fit) == 0, at
        # A kill behind the last rename leaves the fit's folder, or what the next writer clears away.
        left = {name.split("/")[0] for name in state(room)} - {NAME, f".{NAME}.fitting"}
        assert all(map(partials.is_partial, left)), (at, left)
        found = state(room)
        assert not [name for name in MADE if found[name] != expected[name]], (at, found[f"{NAME}/code.json"])
    print(at - 1)


main(*sys.argv[1:])
