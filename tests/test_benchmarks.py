"""The arithmetic of the benchmarks' ratios; nothing here is timed."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import agreement, compare, negatives, process, ratios, sets, speed
from benchmarks.sets import figures, texts
from benchmarks.sets.turn import file
from mlx_metaembed.files import disk
from mlx_metaembed.mining.settings import Settings


def test_ratios_are_taken_pair_by_pair():
    # The machine was twice as slow in the second round: the ratio does not mind.
    assert ratios.ratios([200, 100, 330], [100, 50, 110]) == {"median": 2.0, "min": 2.0, "max": 3.0}


def test_rows_and_lines():
    answers = ([{"x": 3000.0}, {"x": 1000.0}], [{"x": 1000.0}, {"x": 1000.0}])
    (row,) = ratios.rows(("ours", "theirs"), ["x"], answers)
    assert row["first_median"] == 2000.0 and row["ratio"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert ratios.lines([row]) == [
        "   first       second        first / second (min..max)",
        "x  ours 2,000  theirs 1,000  2.00 (1.00..3.00)",
    ]


def test_a_contestant_without_a_peer_has_no_ratio():
    (row,) = ratios.rows(["ours"], ["x"], [[{"x": 0.5}]])
    assert row == {"measure": "x", "first": "ours", "first_median": 0.5, "ratio": None}
    assert ratios.lines([row])[1] == "x  ours 0.5000  -       -"


def test_agreement_is_the_worst_of_all():
    vectors, reference = np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[2.0, 0.0], [1.0, 0.0]])
    assert agreement.cosine(vectors, reference) == pytest.approx(3 / 5)
    assert agreement.difference([[{"loss": 1.0}, {"loss": 1.5}], [{"loss": 0.75}]], "loss") == 0.75


def test_a_peer_is_needed_where_it_is_asked():
    assert "mlx_embeddings" in compare.needed(["heads", "encode_speed"])
    assert "mlx_embeddings" not in compare.needed(["heads", "quality"]) and "torch" in compare.needed([])


def test_the_command_of_a_program():
    words = process.command("benchmarks.train_speed.metaembed", {"engine": "mlx", "grad_cache": "on"})
    assert words[1:] == ["-m", "benchmarks.train_speed.metaembed", "--engine", "mlx", "--grad-cache", "on"]


def test_arms_differ_in_their_negatives_alone():
    assert negatives.settings_of("in-batch", 9) == (None, {})
    random = Settings(1, output_format="list", relative_margin=None, sampling_strategy="random", range_max=9)
    assert negatives.settings_of("random", 9) == (random, {})
    mined, recipe = negatives.settings_of("mined num_negatives=2 relative_margin=0.2 batch_size=8", 9)
    assert (mined, recipe) == (Settings(2, output_format="list", relative_margin=0.2), {"batch_size": 8})


def test_arms_are_compared_seed_by_seed_and_query_by_query():
    def run(arm, seed, *figures):
        return {"arm": arm, "seed": seed, "mining_s": 1.0, "training_s": 2.0, "queries": {"test": list(figures)}}

    runs = [run("in-batch", 0, 0.5, 0.5), run("in-batch", 1, 0.0, 0.0), run("mined", 0, 0.75, 0.75)]
    one, other = negatives.summary(runs, ["in-batch", "mined"])
    assert (one["seeds"], one["test ndcg@10"], other["test ndcg@10"]) == (2, 0.25, 0.75)
    # The second seed has no run of the other arm yet, and counts for no difference.
    assert [other[f"test over in-batch{end}"] for end in ("", "_low", "_high")] == [0.25, 0.25, 0.25]
    assert one["test over mined"] == -0.25


def test_speeds_leave_out_the_first_step():
    # 30 tokens in 2 seconds on the wall and 1 of the processor; three quarters of the 0.8 and 0.4 seconds before.
    found = speed.speeds([10, 10, 20], [(5.0, 3.0), (6.0, 3.5), (7.0, 4.0)], before=(0.8, 0.4))
    assert found == {"tokens_per_second": 30 / 2.6, "tokens_per_cpu_second": pytest.approx(30 / 1.3)}


def answer(value: float, draws: list[float]) -> dict:
    return {"task": {"figure": "ndcg@10", "value": value, "draws": draws}}


def test_a_difference_over_draws_and_seeds():
    ours = {0: answer(0.8, [0.8, 0.7]), 1: answer(0.6, [0.6, 0.6]), 2: answer(0.0, [0.0, 0.0])}
    theirs = {0: answer(0.7, [0.75, 0.65]), 1: answer(0.5, [0.55, 0.55])}
    found = figures.difference(ours, theirs, "task")
    # The third seed has no second. Every draw of either seed differs by 0.05.
    assert found == pytest.approx(
        {"first": 0.7, "second": 0.6, "difference": 0.1, "low": 0.05, "high": 0.05, "seeds": 2}
    )


def test_the_tables_of_what_is_answered(tmp_path: Path):
    for label, value in ((sets.BASE, 0.5), (sets.THEIRS, 0.6), (sets.OURS, 0.625)):
        whole = dict.fromkeys(("task", "stsb", "banking77"), answer(value, [value, value])["task"])
        speeds = {"tokens_per_second": 80 * value, "tokens_per_cpu_second": 100 * value}
        disk.write_json(file(label, "cosqa", 0, tmp_path), whole | speeds)
    assert figures.lines(figures.quality(tmp_path), figures.kept(tmp_path)) == [
        "| set | metaembed | beside | its figure | difference | tokens a second, ratio | seeds |",
        "|---|---|---|---|---|---|---|",
        "| cosqa, ndcg@10 | 0.6250 | base | 0.5000 | +0.1250 (+0.1250 to +0.1250) | - | 1 |",
        "| cosqa, ndcg@10 | 0.6250 | sentence-transformers | 0.6000 | +0.0250 (+0.0250 to +0.0250) | "
        "1.04 (1.04 to 1.04) | 1 |",
        "",
        "| trained on | how | task | stsb | banking77 | seeds |",
        "|---|---|---|---|---|---|",
        "| cosqa | sentence-transformers | " + "+0.1000 (+0.1000 to +0.1000) | " * 3 + "1 |",
        "| cosqa | metaembed | " + "+0.1250 (+0.1250 to +0.1250) | " * 3 + "1 |",
    ]


def test_the_rows_of_the_sets(tmp_path: Path):
    (tmp_path / "cad_nli/all_combined").mkdir(parents=True)
    lines = ["sentence1\tsentence2\tgold_label", "p\te\tentailment", "p\tc\tcontradiction", 'q\t"a\tentailment']
    (tmp_path / "cad_nli/all_combined/train.tsv").write_text(
        "\n".join([*lines, "r\te2\tentailment", "r\tc2\tcontradiction"])
    )
    (tmp_path / "cad_nli/all_combined/test.tsv").write_text("\n".join(lines))
    # A premise without both hypotheses is no row, and one of the test part is none to train on.
    assert texts.triplets(tmp_path) == [{"anchor": "p", "positive": "e", "negative": "c"}]
    assert texts.train("cad_nli", tmp_path) == [{"anchor": "r", "positive": "e2", "negative": "c2"}]
    (tmp_path / "cosqa").mkdir()
    (tmp_path / "cosqa/code_idx_map.txt").write_text(json.dumps({f"def f{n}(): pass": n for n in range(900)}))
    for part, rows in (("dev", [("how a", 0), ("how b", 1)]), ("test", [("how c", 1), ("how d", 2)])):
        text = json.dumps([{"doc": query, "retrieval_idx": number} for query, number in rows])
        (tmp_path / f"cosqa/cosqa-retrieval-{part}-500.json").write_text(text)
    assert texts.train("cosqa", tmp_path) == [{"anchor": "how a", "positive": "def f0(): pass"}]
    asked = texts.search("cosqa", tmp_path)
    assert asked.queries == ["how c", "how d"] and len(set(asked.corpus)) == 500
    assert [asked.corpus[row] for answers in asked.relevant for row in answers] == ["def f1(): pass", "def f2(): pass"]
