"""The codes of a model's folder (`metaembed codes fit`), carried into a folder that is made of it.

A code is for one model's vectors. Where these stay what they were but for the rounding of the weights, it comes along,
marked as the new folder's; else it stays behind, and that is said.
"""

from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.codes import files
from mlx_metaembed.convert.names import summary
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import SIDE, ModelFolder
from mlx_metaembed.search import fingerprint


def carry(source: ModelFolder, written: Path, note: Note, *, changed: str = "") -> None:
    """Write the codes of `source` into the folder `written`, made of it; `changed` says why its vectors are others.

    `note` hears which codes stay behind, and why.
    """
    room = source.path / SIDE / files.ROOM
    if not (names := files.names(room)):
        return
    own, new = fingerprint.of(source), fingerprint.of(folders.read(written))
    if not changed and own["settings"] != new["settings"]:
        changed = "its settings are not those of the model that they were fitted to"
    if changed:
        note(
            f"Left out, since {changed}: the codes {summary(names)}. Fit them to the new folder: metaembed codes fit "
            "OUT DATA --bytes N"
        )
        return
    for name in names:
        try:
            stored = files.load(room / name)
            files.require_model(stored, own, room / name)
        except CallError as error:
            note(f"Left out: {error}")
            continue
        files.save(stored.codec, written / SIDE / files.ROOM / name, model=new, fitted=stored.fitted)
