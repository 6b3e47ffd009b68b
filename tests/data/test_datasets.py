"""Data sets of Hugging Face: saved to disk, and by name; their classes, their splits, and what is refused."""

import json
import sys

import pytest
from calls import call

from mlx_metaembed import data
from mlx_metaembed.errors import CallError

NLI = {
    "premise": ["a b", "c", "d"],
    "hypothesis": ["x", "y", "z"],
    "label": [0, 2, -1],
}


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(capsys, tmp_path, source, *more):
    status, _, err = call(capsys, "data", "table", source, tmp_path / "out.jsonl", *more)
    assert status == 0, err
    return rows(tmp_path / "out.jsonl")


def refused(capsys, tmp_path, source, *more):
    status, out, err = call(capsys, "data", "table", source, tmp_path / "out.jsonl", *more)
    assert (status, out) == (2, "") and not (tmp_path / "out.jsonl").exists()
    return err


@pytest.fixture
def hub(monkeypatch):
    """The library, which asks nobody."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


@pytest.fixture
def saved(hub, tmp_path):
    """A data set with the classes of NLI, saved in two files."""
    names = hub.ClassLabel(names=["entailment", "neutral", "contradiction"])
    text = hub.Value("string")
    features = hub.Features({"premise": text, "hypothesis": text, "label": names})
    hub.Dataset.from_dict(NLI, features=features).save_to_disk(tmp_path / "saved", num_shards=2)
    return tmp_path / "saved"


@pytest.fixture
def files(tmp_path):
    """A folder of data files, as a repository has them."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"q": "a b", "a": "c", "n": 1}\n{"q": "d", "a": "e", "n": 2}\n')
    (folder / "test.jsonl").write_text('{"q": "f", "a": "g", "n": 3}\n')
    return folder


def test_a_saved_data_set_with_its_classes(saved, tmp_path, capsys):
    assert table(capsys, tmp_path, saved) == [
        {"premise": "a b", "hypothesis": "x", "label": "entailment"},
        {"premise": "c", "hypothesis": "y", "label": "contradiction"},
        {"premise": "d", "hypothesis": "z", "label": "-"},
    ]
    assert table(capsys, tmp_path, saved, "--columns", "anchor=premise,positive=hypothesis,label=") == [
        {"anchor": anchor, "positive": positive} for anchor, positive in (("a b", "x"), ("c", "y"), ("d", "z"))
    ]
    # 0 is entailment there, and a hard negative elsewhere.
    assert data.read(saved).anchors == ["a b"]


@pytest.mark.parametrize(
    ("names", "labels"),
    [(["red", "green", "blue"], ["red", "blue"]), (["different", "same"], [0, 1])],
)
def test_classes_of_texts_and_of_pairs(hub, tmp_path, capsys, names, labels):
    features = hub.Features({"text": hub.Value("string"), "label": hub.ClassLabel(names=names)})
    found = {"text": ["a", "b"], "label": [0, len(names) - 1]}
    hub.Dataset.from_dict(found, features=features).save_to_disk(tmp_path / "saved")
    assert [row["label"] for row in table(capsys, tmp_path, tmp_path / "saved")] == labels


def test_splits_of_a_saved_data_set(hub, tmp_path, capsys):
    both = {name: hub.Dataset.from_dict({"anchor": [name], "positive": ["b"]}) for name in ("train", "test")}
    hub.DatasetDict(both).save_to_disk(tmp_path / "saved")
    where = tmp_path / "saved"
    assert table(capsys, tmp_path, f"{where}?split=test") == [{"anchor": "test", "positive": "b"}]
    (tmp_path / "out.jsonl").unlink()
    assert f"has several splits; choose one: '{where}?split=NAME'. Its splits: train, test" in refused(
        capsys, tmp_path, where
    )
    assert "no split 'tset'; did you mean 'test'?" in refused(capsys, tmp_path, f"{where}?split=tset")
    with pytest.raises(CallError, match="is one data set without splits"):
        data.read(f"{where / 'test'}?split=test")


def test_saved_data_sets_that_are_damaged(saved, tmp_path, capsys):
    state = json.loads((saved / "state.json").read_text())
    for name in ("../saved/data-00000-of-00002.arrow", "/etc/passwd", "nowhere.arrow", 3, ""):
        (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        assert "names a file that is not there" in refused(capsys, tmp_path, saved)
    (saved / "state.json").write_text(json.dumps(state))
    first = saved / "data-00000-of-00002.arrow"
    first.write_bytes(first.read_bytes()[:200])
    assert "is no Arrow file that can be read" in refused(capsys, tmp_path, saved)
    (saved / "state.json").write_text("{")
    assert "not JSON" in refused(capsys, tmp_path, saved)


def test_a_data_set_by_name(hub, files, tmp_path, capsys):
    columns = ("--columns", "query=q,positive=a,n=")
    assert table(capsys, tmp_path, f"{files}:train", *columns) == [
        {"query": "a b", "positive": "c"},
        {"query": "d", "positive": "e"},
    ]
    assert table(capsys, tmp_path, f"{files}:default:test") == [{"q": "f", "a": "g", "n": 3}]
    (tmp_path / "out.jsonl").unlink()
    assert f"has no split 'dev'; choose one: {files}:SPLIT. Known: test, train" in refused(
        capsys, tmp_path, f"{files}:dev"
    )
    assert "has no configuration 'other'. Known: default" in refused(capsys, tmp_path, f"{files}:other:train")
    status, out, _ = call(capsys, "data", "check", f"{files}:train", "--columns", "anchor=q,positive=a", "--json")
    assert status == 0 and json.loads(out)["rows"] == 2


def test_names_of_no_data_set(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    err = refused(capsys, tmp_path, "nobody/nothing")
    assert "There is no file or folder nobody/nothing, or no data set of the name that can be read" in err
    assert err == err.replace("Traceback", "")
    for name in ("nothing.jsonl", "nothing", f"{tmp_path}/nothing"):
        assert refused(capsys, tmp_path, name).startswith(f"metaembed: There is no file or folder {name}\n")


def test_a_folder_with_a_program_runs_nothing(hub, files, tmp_path, capsys):
    (files / "files.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    call(capsys, "data", "table", f"{files}:train", tmp_path / "out.jsonl")
    assert not (tmp_path / "ran").exists()


def test_a_saved_data_set_is_trained_on(hub, tiny, tmp_path, capsys):
    pairs = {"anchor": [f"a cat {at}" for at in range(8)], "positive": [f"a dog {at}" for at in range(8)]}
    hub.Dataset.from_dict(pairs).save_to_disk(tmp_path / "saved")
    words = ("train", "--model", tiny, "--data", tmp_path / "saved", "--out", tmp_path / "run", "--engine", "mlx")
    assert call(capsys, *words, "--iters", 1, "--batch-size", 4, "--json")[0] == 0


def test_libraries_that_are_not_installed(saved, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "needs datasets, which is not installed" in refused(capsys, tmp_path, f"{files}:train")
    assert len(table(capsys, tmp_path, saved)) == 3
    (tmp_path / "out.jsonl").unlink()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "needs pyarrow, which is not installed" in refused(capsys, tmp_path, saved)


def test_a_release_that_can_run_programs(hub, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hub, "__version__", "3.6.0")
    assert "datasets 3.6.0 can run the code of a data set" in refused(capsys, tmp_path, f"{files}:train")
