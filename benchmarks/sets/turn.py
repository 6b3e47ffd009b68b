"""Some contestants in turn in one process, on one set with one seed; each one's answer is a file when it is done."""

import shutil
import sys
from pathlib import Path

from benchmarks import program, rows
from benchmarks.sets import CONTESTANTS, FAR, LENGTH, SHARE, texts
from benchmarks.sets.examined import examine
from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk


def answer(label: str, name: str, seed: int, data: Path, work: Path) -> dict:
    """A contestant's figures, once it is trained; its model stays in the folder `work`."""
    contestant, out = CONTESTANTS[label], folder(label, name, seed, work)
    own, found = texts.train(name, data), {}
    shutil.rmtree(out, ignore_errors=True)
    if contestant.kit == "none":
        out = rows.model()
    elif contestant.kit == "average":
        export(folders.read(folder(FAR, name, seed, work)), out, average_with_base=SHARE, engine="torch")
    elif contestant.kit == "metaembed":
        from benchmarks.sets import metaembed

        found = metaembed.trained(contestant, name, own, seed, out)
    else:
        from benchmarks.sets import sentence_transformers

        found = sentence_transformers.trained(contestant, name, own, seed, out)
    encode = load(out, engine="torch", dtype="float32", max_seq_length=LENGTH).encode
    return found | examine(encode, name, data, kept=contestant.kept)


def folder(label: str, name: str, seed: int, work: Path) -> Path:
    """Where a contestant's model lies."""
    return work / f"{name}-{seed}-{label.replace(', ', '-').replace(' ', '-')}"


def file(label: str, name: str, seed: int, work: Path) -> Path:
    """Where a contestant's answer lies."""
    return folder(label, name, seed, work).with_suffix(".json")


if __name__ == "__main__":
    given = program.settings(labels=str, set=str, seed=int, data=str, work=str)
    work = Path(given.work)
    for label in given.labels.split("+"):
        path = file(label, given.set, given.seed, work)
        if not path.is_file():
            print(f"  {given.set}, seed {given.seed}: {label}", file=sys.stderr, flush=True)
            disk.write_json(path, answer(label, given.set, given.seed, Path(given.data), work))
    program.answer(done=True)
