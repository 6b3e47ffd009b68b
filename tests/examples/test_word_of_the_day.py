"""The word of the day in small: two novels, a table of words, tiny models; every stage, and what is done again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from tiny import TEXTS, tiny_folder

HERE = Path(__file__).parents[2] / "examples" / "word_of_the_day"
WORDS = " ".join(TEXTS).replace(",", "").split()


def files(room: Path) -> None:
    """Novels of two authors and years, and words of two levels."""
    random = np.random.default_rng(0)
    (room / "novels").mkdir()
    for year, author, own in ((1841, "Tupper", WORDS[::2]), (1915, "Buchan", WORDS[1::2])):
        lines = [f"<p>{' '.join(random.choice(own, 9))} <hi>{at}</hi> &amp; {at // 7}</p>" for at in range(45)]
        body = "\n".join(["<TEI><teiHeader><p>not a text of the novel, since it is of its header</p></teiHeader>",
                          "<text><body>", *lines, "<p>too short</p>", "</body></text></TEI>"])  # fmt: skip
        (room / "novels" / f"ENG{year}0_{author}.xml").write_text(body)
    (room / "words").mkdir()
    rows = [f"{word}{at},noun,{'A1' if at % 2 else 'C2'}" for at, word in enumerate(WORDS[:30])]
    (room / "words" / "words.csv").write_text("\n".join(["headword,pos,CEFR", *rows]) + "\n")
    tiny_folder(room / "encoder", config={"max_position_embeddings": 104}, max_seq_length=96)


def run(room: Path, engine: str, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(HERE / "run.py"), "--novels", str(room / "novels"), "--words", str(room / "words")]
    command += [
        "--encoder",
        str(room / "encoder"),
        "--out",
        str(room / "out"),
        "--encoder-steps",
        "2",
        "--lm-steps",
        "3",
    ]
    command += ["--batch-size", "8", "--judged", "12", "--engine", engine, *more]
    return subprocess.run(command, env=os.environ | {"MLX_DISABLE_COMPILE": "1"}, capture_output=True, text=True)


def test_it_ends_with_results_a_page_and_a_model_that_writes(engine_name: str, tmp_path: Path):
    files(tmp_path)
    done = run(tmp_path, engine_name)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    rows = [json.loads(line) for line in (out / "corpus.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 45 + 30 and rows[0]["author"] == "Tupper" and rows[0]["year"] == 1841
    assert "& 0" in rows[0]["text"] and rows[-1]["level"] in (1, 6) and rows[-1]["year"] == ""
    assert not any("header" in row["text"] or "short" in row["text"] for row in rows)
    assert len((out / "pairs.jsonl").read_text().splitlines()) == 2 * 44
    results = json.loads((out / "results.json").read_text())
    assert [row["digit"] for row in results["gains"]] == ["style", "complexity", "era", "variation", "all"]
    assert set(results["seconds"]) == {"corpus", "encoder", "ids", "base", "language model", "verdict"}
    names = ["id, guidance 1", "id, guidance 0", "none", "shuffled", "real"]
    assert [row["name"] for row in results["written"]] == names
    page = (out / "report.html").read_text()
    assert "Of ceiling" in page and "<script" not in page
    assert f"metaembed ids lm-sample {out / 'lm'} --id 1.1.1.1" in done.stdout
    # Again: nothing is done. With other settings of a stage: it is, and all behind it.
    begun = {name: (out / name).stat().st_mtime_ns for name in ("encoder", "ids", "lm", "verdict.json")}
    done = run(tmp_path, engine_name)
    assert done.returncode == 0 and done.stderr.count("done before") == 6, done.stderr
    done = run(tmp_path, engine_name, "--judged", "10")
    assert done.returncode == 0 and done.stderr.count("done before") == 5, done.stderr
    changed = {name for name, at in begun.items() if (out / name).stat().st_mtime_ns != at}
    assert changed == {"verdict.json"}


def test_a_folder_of_another_kind_is_named(tmp_path: Path):
    files(tmp_path)
    (tmp_path / "words" / "words.csv").write_text("a,b\n1,2\n")
    done = run(tmp_path, "auto")
    assert done.returncode == 1 and f"No text was found in {tmp_path / 'words'}" in done.stderr
    assert "Traceback" not in done.stderr
