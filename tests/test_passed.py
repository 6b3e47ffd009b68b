"""What CI does not repeat with torch: only what passed without it, and only what torch cannot change."""

import json
from pathlib import Path
from types import SimpleNamespace

import passed
import pytest

HERE = Path(__file__).parent


def item(name: str, room: str, **parameters: str) -> SimpleNamespace:
    path = HERE / room / "test_a.py"
    return SimpleNamespace(nodeid=name, path=path, callspec=SimpleNamespace(params=parameters))


class Config(SimpleNamespace):
    def getoption(self, name: str) -> Path | None:
        return getattr(self, name, None)


def config(**options: Path) -> Config:
    return Config(hook=SimpleNamespace(pytest_deselected=lambda items: None), **options)


def test_what_passed_and_torch_cannot_change_is_left_out(tmp_path: Path):
    names = ["mlx", "torch", "none", "below", "first"]
    (tmp_path / "passed.json").write_text(json.dumps(names))
    items = [
        item("mlx", "training", engine_name="mlx"),
        item("torch", "training", engine_name="torch"),
        item("none", "training"),
        item("below", "codes"),
        item("first", "mining", one_engine="mlx", search="exact"),
        item("skipped there", "codes"),
        item("new here", "training", engine_name="mlx", peft_library="peft"),
    ]
    found = config(without_passed=tmp_path / "passed.json")
    passed.Passed(found).pytest_collection_modifyitems(found, items)
    assert [each.nodeid for each in items] == ["torch", "none", "skipped there", "new here"]


@pytest.mark.parametrize("worker", [False, True])
def test_the_first_process_notes_what_passed(tmp_path: Path, worker: bool):
    file = tmp_path / "passed.json"
    plugin = passed.Passed(config(note_passed=file, **({"workerinput": {}} if worker else {})))
    for name, when, outcome in (("a", "setup", True), ("a", "call", True), ("b", "call", False), ("c", "setup", False)):
        plugin.pytest_runtest_logreport(SimpleNamespace(nodeid=name, when=when, passed=outcome))
    plugin.pytest_sessionfinish()
    assert worker is not file.exists()
    assert worker or json.loads(file.read_text()) == ["a"]
