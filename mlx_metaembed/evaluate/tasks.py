"""The tasks by name, and which of them rows are for."""

from mlx_metaembed.data.rows import Kinds, Labelled, Pairs, Retrieval, Scored
from mlx_metaembed.evaluate.bitext import BitextTask
from mlx_metaembed.evaluate.classification import ClassificationTask
from mlx_metaembed.evaluate.clustering import ClusteringTask
from mlx_metaembed.evaluate.pair_classification import PairClassificationTask
from mlx_metaembed.evaluate.reranking import RerankingTask
from mlx_metaembed.evaluate.retrieval import RetrievalTask
from mlx_metaembed.evaluate.sts import StsTask
from mlx_metaembed.evaluate.task import Task

TASKS: dict[str, type[Task]] = {
    each.name: each
    for each in (
        RetrievalTask,
        StsTask,
        PairClassificationTask,
        ClassificationTask,
        ClusteringTask,
        RerankingTask,
        BitextTask,
    )
}


def of(rows: Kinds | Task) -> Task:
    """The task that rows are for, as their columns say; a task is itself."""
    if isinstance(rows, Task):
        return rows
    rows = rows.retrieval() if isinstance(rows, Pairs) else rows
    return {Retrieval: RetrievalTask, Scored: StsTask, Labelled: ClassificationTask}[type(rows)](rows)
