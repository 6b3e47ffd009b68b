"""A data set of Hugging Face by its name, `NAME[:CONFIG][:SPLIT]`, streamed by `datasets` (extra `datasets`).

NAME is that of a repository or a folder of data files. No code of a data set is run: releases of `datasets` that can
are not used.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.data.readers.class_names import ClassNames
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, missing_extra, nearest

NAME = re.compile(r"(?P<name>[^:?]+)(?P<choices>(?::[\w.+-]+){0,2})")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
FIRST_SAFE = 4
"""The release of `datasets` from which on data sets have no scripts."""


def is_name(path: Path) -> bool:
    """Whether what is no path can be the name of a data set: it has a choice, or is OWNER/NAME of no folder here."""
    found = NAME.fullmatch(str(path))
    if found is None or path.exists():
        return False
    return bool(found["choices"]) or (
        REPOSITORY.fullmatch(found["name"]) is not None and not path.suffix and not path.parent.exists()
    )


def fill(path: Path, table: Table) -> None:
    """Take a data set's rows. Raises CallError where there is none of the name, or a choice is missing."""
    found = NAME.fullmatch(str(path))
    name, choices = found["name"], found["choices"].split(":")[1:]
    with _told(name):
        datasets = _library(name)
        config, split = _chosen(datasets, name, choices)
        data = datasets.load_dataset(name, config, split=split, streaming=True)
        features = data.features or {}
        columns = tuple(features or next(iter(data), {}))
        classes = {each: about.names for each, about in features.items() if isinstance(about, datasets.ClassLabel)}
        if not table.header("its schema", columns):
            return
        names = ClassNames(classes)
        rows = iter(data.select_columns(table.sources(columns)))
    number = 0
    while True:
        # Faults of the rows are not those of the library.
        with _told(name):
            row = next(rows, None)
        if row is None:
            return
        number += 1
        table.add(f"row {number}", names.named(row), columns)


def _chosen(datasets: object, name: str, choices: list[str]) -> tuple[str | None, str]:
    """The configuration and the split that are meant."""
    configs = datasets.get_dataset_config_names(name)
    config = choices[0] if choices and (len(choices) == 2 or choices[0] in configs) else None
    split = choices[-1] if len(choices) > (config is not None) else None
    if config is None and len(configs) > 1 and "default" not in configs:
        raise CallError(f"{name} has several configurations; choose one: {name}:CONFIG[:SPLIT]. {_listed(configs)}")
    if config is not None and config not in configs:
        raise CallError(f"{name} has no configuration {config!r}{nearest(config, configs)}. {_listed(configs)}")
    splits = datasets.get_dataset_split_names(name, config)
    if split is None and len(splits) == 1:
        return config, splits[0]
    if split not in splits:
        chosen = f"{name}:{config}" if config else name
        what = f"no split {split!r}{nearest(split, splits)}" if split else "several splits"
        raise CallError(f"{chosen} has {what}; choose one: {chosen}:SPLIT. {_listed(splits)}")
    return config, split


def _listed(names: list[str]) -> str:
    return f"Known: {', '.join(sorted(names)[:50])}"


def _library(name: str) -> object:
    """The library, quiet. Raises CallError where it is not installed or could run a data set's code."""
    try:
        import datasets
    except ImportError:
        raise missing_extra("datasets", "datasets", f"Reading the data set {name}") from None
    if int(datasets.__version__.split(".")[0]) < FIRST_SAFE:
        raise CallError(
            f"datasets {datasets.__version__} can run the code of a data set; {name} is read with {FIRST_SAFE} or later"
        )
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    return datasets


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what the library raises into CallError."""
    try:
        yield
    except CallError:
        raise
    except Exception as error:
        first = str(error).strip().split("\n")[0][:300] or type(error).__name__
        raise CallError(
            f"There is no file or folder {name}, or no data set of the name that can be read "
            f"({type(error).__name__}: {first})"
            if not Path(name).exists()
            else f"{name} is no data set that can be read ({type(error).__name__}: {first})"
        ) from None
