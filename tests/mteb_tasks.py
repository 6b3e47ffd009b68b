"""Tasks of mteb whose rows are given, so that nothing is fetched. Imported only where mteb is installed."""

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
from mteb.abstasks.task_metadata import TaskMetadata

from mlx_metaembed.data.rows import Retrieval, Scored

ABOUT = {
    "description": "Rows of a test.",
    "reference": "https://example.org",
    "dataset": {"path": "not/fetched", "revision": "1"},
    "category": "t2t",
    "eval_splits": ["test"],
    "eval_langs": ["eng-Latn"],
    "date": ("2026-01-01", "2026-01-02"),
    "domains": [],
    "task_subtypes": [],
    "license": "cc0-1.0",
    "annotations_creators": "derived",
    "dialect": [],
    "sample_creation": "found",
    "bibtex_citation": "",
    "modalities": ["text"],
}


class Search(AbsTaskRetrieval):
    """Queries in a corpus."""

    metadata = TaskMetadata(type="Retrieval", name="SearchOfATest", main_score="ndcg_at_10", **ABOUT)

    def __init__(self, rows: Retrieval):
        super().__init__()
        self.rows = rows

    def load_data(self, num_proc: int | None = None, **kwargs: object) -> None:
        rows = self.rows
        queries = {"id": rows.query_ids, "text": rows.queries}
        corpus = {"id": rows.corpus_ids, "text": rows.corpus, "title": [""] * len(rows.corpus)}
        judged = {
            name: {rows.corpus_ids[row]: int(grade) for row, grade in grades.items()}
            for name, grades in zip(rows.query_ids, rows.relevant, strict=True)
        }
        found = RetrievalSplitData(
            queries=Dataset.from_dict(queries), corpus=Dataset.from_dict(corpus), relevant_docs=judged, top_ranked=None
        )
        self.dataset = {"default": {"test": found}}
        self.data_loaded = True


class Pairs(AbsTaskSTS):
    """Pairs and people's scores of them."""

    metadata = TaskMetadata(type="STS", name="PairsOfATest", main_score="cosine_spearman", **ABOUT)
    min_score, max_score = 0, 6

    def __init__(self, rows: Scored):
        super().__init__()
        self.rows = rows

    def load_data(self, num_proc: int | None = None, **kwargs: object) -> None:
        rows = {"sentence1": self.rows.sentence1, "sentence2": self.rows.sentence2, "score": self.rows.scores}
        self.dataset = DatasetDict({"test": Dataset.from_dict(rows)})
        self.data_loaded = True
