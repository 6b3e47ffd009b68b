"""Texts that eval_data shares with the training data: counted, refused, and taken on demand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from evaluated_runs import evaluated, written

from mlx_metaembed.errors import CallError
from mlx_metaembed.training import Callbacks, Result, train


def test_shared_texts_are_counted_shown_and_allowed_on_demand(tiny: Path, pairs: Path, tmp_path: Path):
    own = [json.loads(line) for line in pairs.read_text().splitlines()]
    written(pairs, [*own[:1], {**own[1], "anchor": own[1]["anchor"].replace(" ", "   ")}, *own[2:]])
    rows = [{"anchor": f"new {n}", "positive": f"newer {n}"} for n in range(4)]
    # Spaces make no other text; it counts on whatever side it stands.
    rows += [{"anchor": own[0]["positive"].replace(" ", "  "), "positive": own[1]["anchor"]}]
    settings = evaluated(tiny, pairs, tmp_path / "out", written(tmp_path / "rows.jsonl", rows), iters=2, epochs=None)
    with pytest.raises(CallError) as error:
        train(settings)
    message = str(error.value)
    assert "rows.jsonl shares 2 of its 10 texts with the training data" in message and "--allow-leak" in message
    assert repr(own[1]["anchor"])[:40] in message and not (tmp_path / "out").exists()
    notes: list[str] = []
    result: Result = train(replace(settings, allow_leak=True), callbacks=[Callbacks(note=notes.append)])
    assert result.best_step and any("shares 2 of its 10 texts" in note for note in notes)


def test_of_a_beir_folder_the_queries_count_not_the_corpus(tiny: Path, pairs: Path, tmp_path: Path):
    own = [json.loads(line) for line in pairs.read_text().splitlines()]
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    written(folder / "corpus.jsonl", [{"_id": f"d{n}", "text": row["positive"]} for n, row in enumerate(own)])
    written(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"what is {n}"} for n in range(3)])
    judged = "".join(f"q{n}\td{n}\t1\n" for n in range(3))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    settings = evaluated(tiny, pairs, tmp_path / "out", folder, iters=2, epochs=None)
    assert train(settings).metric == "ndcg@10"
    written(folder / "queries.jsonl", [{"_id": f"q{n}", "text": own[n]["anchor"]} for n in range(3)])
    with pytest.raises(CallError, match=r"shares 3 of its 3 texts"):
        train(replace(settings, out=str(tmp_path / "other")))
