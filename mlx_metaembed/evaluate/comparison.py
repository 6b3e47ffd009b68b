"""Several models on the same data: each one's figures, its difference to the first, its speed and its bytes."""

from collections.abc import Callable, Mapping, Sequence

from mlx_metaembed import embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.model import encode, full_width, texts_to_encode, with_intervals
from mlx_metaembed.evaluate.speed import speed
from mlx_metaembed.evaluate.task import Task
from mlx_metaembed.folder import locate
from mlx_metaembed.folder.weight_files import bytes_on_disk
from mlx_metaembed.heads import choices
from mlx_metaembed.inputs.tokenizer import Tokenizer


def compare(
    models: Sequence[str],
    tasks: Mapping[str, Task],
    *,
    engine: str = "auto",
    max_seq_length: int | None = None,
    draws: int = bootstrap.DRAWS,
    progress: Callable[[int], object] = lambda count: None,
    loaded: Callable[[embedder.Embedder], object] = lambda model: None,
) -> list[dict]:
    """One dict per model and data, data after data: name, data, task, engine, dimensions, bytes, figures, speed.

    `tasks` are by the data's name. A figure has its interval beside it (`ndcg@10_low`, `_high`); from the second model
    on also `ndcg@10_difference` to the first, its interval and `ndcg@10_p`. `draws` 0 leaves out intervals and p. One
    model is in memory at a time; `loaded` sees each, and `progress` hears how many of `texts` are done. Raises
    CallError as `require_comparable` does.
    """
    require_comparable(models, max_seq_length)
    first: dict[str, Judgement] = {}
    rows: dict[str, list[dict]] = {data: [] for data in tasks}
    for name in models:
        model = embedder.load(name, engine=engine, max_seq_length=max_seq_length)
        loaded(model)
        for data, task in tasks.items():
            coded = full_width(model, encode(model, task, progress=progress))
            found = task.judge(coded, task.figures)
            row = {"name": name, "data": data, "task": task.name, "engine": model.engine.name}
            row["dimensions"] = coded.dimensions
            row |= {"bytes_per_vector": coded.bytes_per_vector, "bytes_on_disk": bytes_on_disk(model.folder)}
            row |= with_intervals(found, draws, task.seed)
            if data in first:
                row |= _differences(first[data], found, task, draws)
            rows[data].append(row | speed(model, task))
            first.setdefault(data, found)
        # Before the next one is loaded.
        del model
    return [row for lines in rows.values() for row in lines]


def texts(models: Sequence[str], tasks: Mapping[str, Task]) -> int:
    """How many texts all the models encode to be judged."""
    return len(models) * sum(map(texts_to_encode, tasks.values()))


def require_comparable(models: Sequence[str], max_seq_length: int | None = None) -> None:
    """Raise CallError for fewer than two models, one named twice, and with each model that can't be measured."""
    if len(models) < 2:
        raise CallError(f"Found {len(models)} model{'s' * (len(models) != 1)} to compare; expected two or more")
    if twice := [name for name in dict.fromkeys(models) if list(models).count(name) > 1]:
        raise CallError(f"{', '.join(twice)} is named twice; expected different models")
    wrong = []
    for name in models:
        try:
            folder = folders.read(locate.resolve(name))
            choices.require_dense(folder)
            Tokenizer(folder, max_seq_length)
            folder.weights()
        except CallError as error:
            wrong.append((name, error))
    if len(wrong) == 1:
        raise wrong[0][1]
    if wrong:
        raise faults("These models can't be compared:", [f"{name}: {error}" for name, error in wrong])


def _differences(first: Judgement, other: Judgement, task: Task, draws: int) -> dict[str, float]:
    """How much more a model has of each of the task's figures; thresholds are no figures."""
    found = bootstrap.differences(first, other, draws=draws, seed=task.seed)
    endings = ("difference", *(("difference_low", "difference_high", "p") if draws else ()))
    wanted = [f"{name}_{ending}" for name in task.figures for ending in endings]
    return {key: found[key] for key in wanted if key in found}
