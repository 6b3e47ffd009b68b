"""Texts with an author and a year, and texts with a level, out of files of three kinds.

Novels are TEI as ELTeC has them (ENG1865_Trollope.xml: the year of the first edition, the author); words are tables of
CEFR levels (headword, CEFR); graded texts are OneStopEnglish's folders (Ele-Txt, Int-Txt, Adv-Txt).
"""

import csv
import html
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk

NOVEL = re.compile(r"[A-Z]+(\d{4})\d*_(\w+)\.xml")
PARAGRAPH, TAG = re.compile(r"<p\b[^>]*>(.*?)</p>", re.DOTALL), re.compile(r"<[^>]*>")
CEFR = {name: at for at, name in enumerate(("A1", "A2", "B1", "B2", "C1", "C2"), start=1)}
GRADED = {"Ele-Txt": CEFR["A2"], "Int-Txt": CEFR["B1"], "Adv-Txt": CEFR["C1"]}
"""What OneStopEnglish calls elementary, intermediate and advanced, on the scale of the words."""
FEWEST, MOST = 8, 60
"""Words of a text."""


def write(out: Path, novels: Path, words: Path | None, graded: Path | None, most: int, seed: int) -> dict[str, int]:
    """Write OUT's rows (text, author, year, level) and pairs (a novel's paragraph, the next one): how many of each.

    At most so many texts of a kind. Raises CallError where a folder has nothing of its kind.
    """
    random = np.random.default_rng(seed)
    stories = list(_novels(novels))
    pairs = [{"anchor": one, "positive": other} for *_, texts in stories for one, other in itertools.pairwise(texts)]
    rows = [{"text": text, "author": author, "year": year} for author, year, texts in stories for text in texts]
    kinds = [(novels, rows)]
    if words:
        kinds.append((words, list(_words(words))))
    if graded:
        kinds.append((graded, list(_graded(graded))))
    if empty := [str(folder) for folder, found in kinds if not found]:
        raise CallError(
            f"No text was found in {', '.join(empty)}; see examples/word_of_the_day/README.md for the files"
        )
    chosen = [row for _, found in kinds for row in _some(found, most, random)]
    _lines(out / "corpus.jsonl", [{"author": "", "year": "", "level": ""} | row for row in chosen])
    _lines(out / "pairs.jsonl", _some(pairs, most, random))
    return {"texts": len(chosen), "pairs": min(len(pairs), most), "novels": len(stories)}


def _novels(folder: Path) -> Iterator[tuple[str, int, list[str]]]:
    """The author, the year and the paragraphs of each novel."""
    for path in sorted(folder.glob("*.xml")):
        if said := NOVEL.fullmatch(path.name):
            body = path.read_text(encoding="utf-8").partition("<body")[2]
            texts = [_plain(TAG.sub(" ", found)) for found in PARAGRAPH.findall(body)]
            yield said[2], int(said[1]), [text for text in texts if FEWEST <= len(text.split()) <= MOST]


def _words(folder: Path) -> Iterator[dict]:
    """Each headword with its level."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("CEFR") in CEFR and row.get("headword"):
                    yield {"text": row["headword"].partition("/")[0], "level": CEFR[row["CEFR"]]}


def _graded(folder: Path) -> Iterator[dict]:
    """Each paragraph of a graded text with its level."""
    for name, level in GRADED.items():
        for path in sorted(folder.rglob(f"{name}/*.txt")):
            for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
                if FEWEST <= len(line.split()) <= MOST:
                    yield {"text": _plain(line), "level": level}


def _plain(text: str) -> str:
    return " ".join(html.unescape(text).split())


def _some(rows: list[dict], most: int, random: np.random.Generator) -> list[dict]:
    return [rows[at] for at in np.sort(random.permutation(len(rows))[:most])]


def _lines(path: Path, rows: list[dict]) -> None:
    with disk.replacing_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
