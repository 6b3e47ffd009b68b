"""Negatives that are mined again while a run goes: which they are, and that a stopped run finds them again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import metrics, recipe, stop_after, weights_of

from mlx_metaembed import data, embedder
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.mining.run import mine
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, batches, train
from mlx_metaembed.training.batches import TokenizedRows
from mlx_metaembed.training.mined_negatives import FILE, MinedNegatives, MinedSet, settings_of

PLAIN = {"fsq": "", "matryoshka": (), "dtype": "float32", "save_every": 1, "save_total_limit": 99, "epochs": 1}


def settings(engine: str, tiny: Path, pairs: Path, out: Path, **more) -> Recipe:
    return recipe(tiny, pairs, out, engine=engine, **PLAIN | {"mine_every": 3, "mine_negatives": 2} | more)


def kept(checkpoint: Path) -> np.ndarray:
    """The negatives of a checkpoint's rows, by text number."""
    return np.array(safetensors.read(checkpoint / FILE)["data"])


@pytest.fixture
def by_hand() -> MinedNegatives:
    """Two queries, the first of two rows, over texts 10 to 14."""
    rows = Rows({"anchor": ["p", "q", "p"], "positive": ["a", "b", "c"], "negative": [("d", "a"), (), ("e",)]}, {})
    numbers = {"anchor": [1, 2, 1], "positive": [10, 11, 12], "negative": [[13, 10], [-1, -1], [14, -1]]}
    tokenized = TokenizedRows({role: np.array(each) for role, each in numbers.items()})
    chosen = Settings(num_negatives=2, relative_margin=0.1)
    return MinedNegatives({"set": MinedSet.of("set", rows, tokenized, chosen)}, chosen, 4)


def vectors(degrees: dict[int, float]):
    """What encodes text numbers as directions in the plane, of any length."""
    return lambda numbers: np.array(
        [[3 * np.cos(np.radians(degrees[at])), 3 * np.sin(np.radians(degrees[at]))] for at in numbers.tolist()],
        np.float32,
    )


def test_the_nearest_that_are_no_answers(by_hand: MinedNegatives):
    own = by_hand.sets["set"]
    assert (own.queries.tolist(), own.corpus.tolist()) == ([1, 2], [10, 11, 12, 13, 14])
    assert own.of_row.tolist() == [0, 1, 0]
    # p has the positives 10 and 12, at 20 and 30 degrees: nothing above 90 % of cos 30 = 0.779, which is 38.8 degrees.
    degrees = {1: 0, 2: 90, 10: 20, 11: 80, 12: 30, 13: 35, 14: 40}
    said = by_hand.mine(vectors(degrees), seed=(0, 0))
    assert by_hand.now["set"].tolist() == [[14, 11], [14, 13], [14, 11]]
    near = [np.cos(np.radians(30))] * 4 + [np.cos(np.radians(10))] * 2
    far = np.cos(np.radians([40, 80, 40, 80, 50, 55]))
    assert said.pop("mined/seconds") >= 0
    assert said == pytest.approx(
        {
            "mined/rows": 1.0,
            "mined/positive_score": np.mean(near),
            "mined/negative_score": far.mean(),
            "mined/margin": np.mean(near) - far.mean(),
        }
    )
    # q's positive moves off to 170 degrees, 80 from it: nothing is far enough below that, and p's are as they were.
    said = by_hand.mine(vectors(degrees | {11: 170}), seed=(0, 4))
    assert by_hand.now["set"].tolist() == [[14, 11], [-1, -1], [14, 11]]
    assert (said["mined/rows"], said["mined/changed"]) == (2 / 3, 0.0)
    # 13 comes between: one of two is new in each of p's rows.
    said = by_hand.mine(vectors(degrees | {11: 170, 13: 60}), seed=(0, 8))
    assert by_hand.now["set"].tolist() == [[14, 13], [-1, -1], [14, 13]]
    assert said["mined/changed"] == 0.5


def test_the_rows_of_other_sets_keep_their_own(by_hand: MinedNegatives):
    rows = TokenizedRows({"anchor": np.array([5]), "positive": np.array([6]), "negative": np.array([[7]])})
    by_hand.now["set"] = np.array([[8, -1]])
    assert by_hand.rows("other", rows) is rows
    assert by_hand.rows("set", rows).texts["negative"].tolist() == [[8, -1]]
    assert [by_hand.due(done) for done in range(6)] == [True, False, False, False, True, False]
    assert not MinedNegatives({}, Settings(), None).due(0)


def test_they_are_those_that_mine_finds_with_the_model_of_the_step(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path
):
    copies: dict[int, Path] = {}
    asked = settings(engine_name, tiny, pairs, tmp_path / "out")
    train(asked, callbacks=[copying(tmp_path / "out", copies)])
    rows = data.read(pairs, training=True)
    numbers = {text: at for at, text in enumerate([*rows.anchors, *rows.positives])}
    chosen = settings_of(asked)
    for model, step in ((tiny, 1), (copies[3], 4)):
        out = tmp_path / f"mined-{step}.jsonl"
        mine(embedder.load(model, engine=engine_name, dtype="float32"), rows, out, chosen)
        lines = map(json.loads, out.read_text().splitlines())
        expected = {line["anchor"]: [numbers[text] for text in line["negatives"]] for line in lines}
        found = [[each for each in row if each >= 0] for row in kept(copies[step]).tolist()]
        assert found == [expected.get(anchor, []) for anchor in rows.anchors]
    assert sum(map(len, expected.values())) > 10
    # What it found is said at the step after, and the model's folder has none of it.
    said = [{name for name in row if name.startswith("mined/")} for row in metrics(tmp_path / "out")]
    assert [bool(each) for each in said] == [True, False, False, True, False]
    assert said[3] - said[0] == {"mined/changed"}
    assert not (tmp_path / "out" / FILE).exists()


def copying(out: Path, copies: dict[int, Path]) -> Callbacks:
    """Copy each checkpoint of a run into `copies` by its step, since they go at its end."""

    def copy(row: dict) -> None:
        path = out / f"checkpoint-{row['step'] - 1}"
        if path.is_dir():
            copies[row["step"] - 1] = Path(shutil.copytree(path, out.parent / path.name))

    return Callbacks(step=copy)


@pytest.mark.parametrize("more", [{}, {"mine_sampling": "random", "mine_range_max": 12, "dropout": 0.1}], ids=str)
def test_a_stopped_run_ends_in_the_same_bits(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, more: dict):
    whole = settings(engine_name, tiny, pairs, tmp_path / "whole", steps_per_report=10, **more)
    train(whole, callbacks=[])
    expected, log = weights_of(tmp_path / "whole"), metrics(tmp_path / "whole")
    assert [row["step"] for row in log] == [1, 4, 5]
    for step in (2, 3, 4):
        out = tmp_path / str(step)
        with pytest.raises(JobError):
            train(replace(whole, out=str(out)), callbacks=[stop_after(step)])
        train(replace(whole, out=str(out)), resume=True, callbacks=[])
        found = weights_of(out)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], array) for name, array in expected.items()), step
        mined = [
            [{name: row[name] for name in row if name[:6] == "mined/"} for row in each] for each in (metrics(out), log)
        ]
        for one, other in zip(*mined, strict=True):
            one.pop("mined/seconds", 0), other.pop("mined/seconds", 0)
            assert one == other, step


def test_which_rows_share_a_batch_does_not_hang_on_them(tiny: Path, pairs: Path, tmp_path: Path, monkeypatch):
    taken, made = [], batches.batch

    def batch(store, rows, chosen, **settings):
        taken.append((chosen.tolist(), rows.texts.get("negative")))
        return made(store, rows, chosen, **settings)

    monkeypatch.setattr(batches, "batch", batch)
    for every in (3, None):
        own = {} if every else {"mine_negatives": 1}
        out = tmp_path / str(every)
        train(settings("mlx", tiny, pairs, out, mine_every=every, batch_sampler="no_duplicates", **own), callbacks=[])
    assert [rows for rows, _ in taken[:5]] == [rows for rows, _ in taken[5:]]
    negatives = [each for _, each in taken]
    assert negatives[0] is negatives[2] and not np.array_equal(negatives[2], negatives[3]) and negatives[5] is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mine_every": 0}, "mine_every = 0: expected 1 or more"),
        ({"mine_every": -5}, "mine_every = -5: expected 1 or more"),
        ({"mine_negatives": 0}, "mine_negatives = 0: expected 1 or more"),
        ({"mine_range_min": -1}, "mine_range_min = -1: expected 0 or more"),
        ({"mine_margin": -1.5}, "mine_margin = -1.5: expected a share of the positive's score"),
        ({"mine_range_min": 4, "mine_range_max": 5}, "leave 1 ranks for 2 negatives"),
        ({"mine_range_min": 9, "mine_range_max": 5}, "leave 0 ranks for 2 negatives"),
        ({"mine_every": None}, "mine_negatives = 2 belongs to mine_every, which is not set"),
        ({"mine_negatives": 40}, "mine_every: the data has 40 distinct texts, 39 beside a query's positives"),
        ({"mine_range_min": 38}, "can't give 2 negatives after range_min = 38"),
    ],
    ids=str,
)
def test_settings_that_can_not_be(tiny: Path, pairs: Path, tmp_path: Path, more: dict, said: str):
    with pytest.raises(CallError) as error:
        train(settings("mlx", tiny, pairs, tmp_path / "out", **more), callbacks=[])
    assert said in str(error.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "loss", "said"),
    [
        ({"text": "a", "label": "x"}, "cross_entropy", "no loss takes hard negatives (cross_entropy)"),
        ({"sentence1": "a", "sentence2": "b", "score": 0.5}, "cosent", "no loss takes hard negatives (cosent)"),
        (
            {"anchor": "a", "positive": "b", "negative": "c", "positive_score": 0.5, "negative_score": 0.1},
            "margin_mse",
            "margin_mse compares with scores of the negatives, which mined ones do not have",
        ),
    ],
)
def test_rows_of_other_shapes(tiny: Path, tmp_path: Path, row: dict, loss: str, said: str):
    path = tmp_path / "rows.jsonl"
    rows = [
        {name: f"{each} {at}" if isinstance(each, str) else each + at / 100 for name, each in row.items()}
        for at in range(8)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    with pytest.raises(CallError) as error:
        train(settings("mlx", tiny, path, tmp_path / "out", loss=loss), callbacks=[])
    assert said in str(error.value)


def test_fewer_steps_than_mine_every_mine_once(tiny: Path, pairs: Path, tmp_path: Path):
    notes: list[str] = []
    train(settings("mlx", tiny, pairs, tmp_path / "out", mine_every=5), callbacks=[Callbacks(note=notes.append)])
    assert "mine_every = 5 is not under the 5 steps: negatives are mined once, before the first" in notes
    (said,) = [note for note in notes if note.startswith("negatives mined after step 0, in ")]
    assert "of the rows have some, their scores 0." in said


def test_vectors_and_scores_are_planned(tiny: Path, pairs: Path, tmp_path: Path, capsys):
    from calls import call

    plans = []
    for more in ([], ["--mine-every", 2, "--mine-negatives", 3]):
        given = ["--model", tiny, "--data", pairs, "--batch-size", 8, "--engine", "mlx", "--loss", "info_nce"]
        status, out, err = call(capsys, "plan", *given, *more, "--json")
        assert status == 0, err
        plans.append(json.loads(out))
    # 80 texts of 32 features, twice, and a block of scores: more than a batch of so small a model.
    assert plans[1]["parts"]["vectors"] == 2 * 4 * 80 * 32 + 2**26


def test_a_damaged_checkpoint_is_told(tiny: Path, pairs: Path, tmp_path: Path, by_hand: MinedNegatives):
    (tmp_path / "metaembed").mkdir()
    for array in (np.zeros((3, 1), np.int64), np.full((3, 2), 99), np.full((3, 2), -2), np.zeros((3, 2), np.float32)):
        safetensors.write(tmp_path / FILE, {"set": array})
        with pytest.raises(CallError, match="has no negatives of the rows of set; it is damaged"):
            by_hand.restore(tmp_path, 15)
    by_hand.now["set"] = np.array([[14, 11], [-1, -1], [14, 11]])
    by_hand.write(tmp_path)
    by_hand.now.clear()
    by_hand.restore(tmp_path, 15)
    assert by_hand.now["set"].tolist() == [[14, 11], [-1, -1], [14, 11]]


def test_heads_alone_mine_with_what_trains(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    own = {"train": "heads", "dense": 8, "matryoshka": (8,), "head_learning_rate": 0.05, "mine_margin": -1}
    train(settings(engine_name, tiny, pairs, tmp_path / "out", **own, grad_cache="auto"), callbacks=[])
    changed = [row["mined/changed"] for row in metrics(tmp_path / "out") if "mined/changed" in row]
    assert len(changed) == 1 and changed[0] > 0
