"""A .txt file with a text a line: what is indexed when it comes without columns."""

from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Texts
from mlx_metaembed.errors import CallError


def read(path: Path, faults: Faults) -> Texts:
    """Each line that is not blank, its number the id. Raises CallError with all the faults, or where there is none."""
    ids, texts = [], []
    for number, line in lines.read(path, faults):
        text = line.strip()
        if text and faults.text(f"line {number}", None, text):
            ids.append(str(number))
            texts.append(text)
    faults.raise_any()
    if not texts:
        raise CallError(f"{path} holds no text; expected at least one")
    return Texts(ids, texts)
