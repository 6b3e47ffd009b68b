"""Which tests passed in another environment, so that `.ci/run` need not repeat those that torch cannot change.

`--note-passed=FILE` writes their names, `--without-passed=FILE` leaves them out: cases on MLX alone, and the rooms
below every engine. Whatever did not pass there, or was not there, runs.
"""

import json
from pathlib import Path

import pytest

ONE_ENGINE = ("engine_name", "mlx_engine", "one_engine")
BELOW_ENGINES = ("codes", "config", "data", "files", "inputs", "layers", "quantizers")
"""Rooms of tests whose subjects import no engine (tests/test_imports.py sees to it)."""


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--note-passed", metavar="FILE", type=Path, help="write the names of the tests that pass")
    parser.addoption(
        "--without-passed", metavar="FILE", type=Path, help="leave out tests named there that torch cannot change"
    )


class Passed:
    """Notes what passes, and leaves out what passed elsewhere."""

    def __init__(self, config: pytest.Config):
        # Of the processes that share the tests, the first hears of all.
        self._into = None if hasattr(config, "workerinput") else config.getoption("note_passed")
        elsewhere = config.getoption("without_passed")
        self._elsewhere = set(json.loads(elsewhere.read_text())) if elsewhere else set()
        self._here: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = [item for item in items if item.nodeid in self._elsewhere and not torch_changes(item)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            dropped = {item.nodeid for item in left_out}
            items[:] = [item for item in items if item.nodeid not in dropped]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._here.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        if self._into:
            self._into.write_text(json.dumps(self._here))


def torch_changes(item: pytest.Item) -> bool:
    """Whether a test may go otherwise where torch is installed."""
    room = item.path.relative_to(Path(__file__).parent).parts[0]
    parameters = getattr(item, "callspec", None)
    on_mlx = parameters and any(parameters.params.get(name) == "mlx" for name in ONE_ENGINE)
    return not on_mlx and room not in BELOW_ENGINES
