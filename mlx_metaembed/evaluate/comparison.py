"""Several models on the same data: each one's figures, its difference to the first, its speed and its bytes."""

from collections.abc import Callable, Mapping, Sequence

from mlx_metaembed import embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.codes import files as stored_codes
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.evaluate import bootstrap, code_fit
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.model import measured, texts_to_encode
from mlx_metaembed.evaluate.speed import speed, texts_timed
from mlx_metaembed.evaluate.task import Task
from mlx_metaembed.evaluate.vectors_asked import Asked, asked_of
from mlx_metaembed.folder import locate
from mlx_metaembed.folder.weight_files import bytes_on_disk
from mlx_metaembed.heads import choices
from mlx_metaembed.inputs.tokenizer import Tokenizer


def compare(
    models: Sequence[str],
    tasks: Mapping[str, Task],
    *,
    dims: Sequence[int] | None = None,
    codes: Sequence[str] = (),
    engine: str = "auto",
    max_seq_length: int | None = None,
    draws: int = bootstrap.DRAWS,
    progress: Callable[[int], object] = lambda count: None,
    note: Callable[[str], object] = lambda text: None,
) -> list[dict]:
    """One dict per data, model and vector, in this order: name, vector, data, task, engine, bytes, figures, speed.

    `tasks` are by the data's name; `vector` is a width, a code or a code head, as `measure_model` names them, of those
    in `dims` and `codes` that a model has. A figure has its interval beside it (`ndcg@10_low`, `_high`). All rows of
    data but the first have `ndcg@10_difference` to that, its interval and `ndcg@10_p`; all have `behind_best`, how much
    less of the main figure they have than the best one, with its interval. `draws` 0 leaves out intervals and p. One
    model is in memory at a time; `note` hears which engine each has, and `progress` how many of `texts` are done.
    Raises CallError as `require_comparable` does, and before anything is measured with each model that the engine
    refuses, and widths and codes that no model has.
    """
    require_comparable(models, max_seq_length)
    wanted = _loadable(models, dims, codes, engine, max_seq_length, note)
    rows: dict[str, list[dict]] = {data: [] for data in tasks}
    judged: dict[str, list[Judgement]] = {data: [] for data in tasks}
    for name in models:
        model = embedder.load(name, engine=engine, max_seq_length=max_seq_length)
        note(f"{name}: {model.engine.name} ({model.engine.reason})")
        about = {"engine": model.engine.name, "bytes_on_disk": bytes_on_disk(model.folder)}
        for data, task in tasks.items():
            found = measured(model, task, wanted[name].dims, wanted[name].codes, progress)
            taken = speed(model, task, progress=progress)
            for each in found:
                line = each.line(draws, task.seed)
                row = {"name": name, "vector": line.pop("name"), "data": data, "task": task.name}
                rows[data].append(row | about | line | taken)
                judged[data].append(each.judgement)
        # Before the next one is loaded.
        del model
    for data, task in tasks.items():
        _compare(rows[data], judged[data], task, draws)
    return [row for lines in rows.values() for row in lines]


def texts(models: Sequence[str], tasks: Mapping[str, Task]) -> int:
    """How many texts all the models encode, to be judged and to be timed."""
    return len(models) * sum(texts_to_encode(task) + texts_timed(task) for task in tasks.values())


def require_comparable(models: Sequence[str], max_seq_length: int | None = None) -> None:
    """Raise CallError for fewer than two models, one named twice, and with each that has not what a model needs."""
    if len(models) < 2:
        raise CallError(f"Found {len(models)} model{'s' * (len(models) != 1)} to compare; expected two or more")
    if twice := [name for name in dict.fromkeys(models) if list(models).count(name) > 1]:
        raise CallError(f"{', '.join(twice)} is named twice; expected different models")

    def check(name: str) -> None:
        folder = folders.read(locate.resolve(name))
        choices.require_dense(folder)
        Tokenizer(folder, max_seq_length)
        folder.weights()

    _each(models, check)


def _loadable(
    models: Sequence[str],
    dims: Sequence[int] | None,
    codes: Sequence[str],
    engine: str,
    max_seq_length: int | None,
    note: Callable[[str], object],
) -> dict[str, Asked]:
    """What is asked of each model, all of which were loaded: an engine refuses some only then."""
    heads: dict[str, list[str]] = {}
    widths: dict[str, int] = {}

    def check(name: str) -> None:
        model = embedder.load(name, engine=engine, max_seq_length=max_seq_length)
        heads[name] = [head for head, found in model.heads.items() if found.gives == "code"]
        heads[name] += stored_codes.names(code_fit.room(model.folder))
        widths[name] = model.folder.dimensions

    _each(models, check)
    return asked_of(widths, heads, dims, codes, note)


def _each(models: Sequence[str], check: Callable[[str], None]) -> None:
    """Check every model. Raises CallError with all that were refused."""
    wrong = []
    for name in models:
        try:
            check(name)
        except CallError as error:
            wrong.append((name, error))
    if len(wrong) == 1:
        raise wrong[0][1]
    if wrong:
        raise faults("These models can't be compared:", [f"{name}: {error}" for name, error in wrong])


def _compare(rows: list[dict], judged: Sequence[Judgement], task: Task, draws: int) -> None:
    """Add to rows of one data their differences to the first, and to the best by the main figure."""
    settings = {"draws": draws, "seed": task.seed}
    best = max(range(len(rows)), key=lambda at: rows[at][task.main])
    ends = ("", "_low", "_high") if draws else ("",)
    for at, row in enumerate(rows):
        if at:
            row |= bootstrap.compared(judged[0], judged[at], task.figures, **settings)
        found = bootstrap.compared(judged[best], judged[at], [task.main], **settings) if at != best else {}
        row |= {f"behind_best{end}": found.get(f"{task.main}_difference{end}", 0.0) for end in ends}
