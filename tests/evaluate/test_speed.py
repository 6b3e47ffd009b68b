"""Latency, throughput and tokens of a model whose every pass takes a known time."""

import pytest

from mlx_metaembed import embedder
from mlx_metaembed.data.rows import Retrieval, Scored
from mlx_metaembed.evaluate.retrieval import RetrievalTask
from mlx_metaembed.evaluate.speed import speed, spread, texts_timed, tokens
from mlx_metaembed.evaluate.sts import StsTask


class Timed:
    """The model; its clock shows a hundredth of a second a text that was encoded, and half a one a pass."""

    def __init__(self, model):
        self.model, self.now, self.passes = model, 0.0, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def encode(self, texts, *, prompt_name):
        self.passes.append((len(texts), prompt_name))
        self.now += 0.005 + 0.01 * len(texts)
        return self.model.encode(texts, prompt_name=prompt_name)

    def clock(self):
        return self.now


@pytest.fixture
def model(tiny):
    return Timed(embedder.load(tiny, engine="mlx"))


def test_one_text_by_itself_and_many_after_a_warm_up(model):
    # 4 distinct texts, of 4, 4, 5 and 3 tokens: [CLS], words, [SEP].
    task = StsTask(Scored(["sort list", "open socket"], ["join two paths", "parse"], [1.0, 2.0]))
    done: list[int] = []
    found = speed(model, task, model.clock, done.append)
    assert sum(done) == texts_timed(task) == 4 + 48 + 2 * 4
    assert found == pytest.approx(
        {
            "latency_median_s": 0.015,
            "latency_p95_s": 0.015,
            "texts_per_second": 4 / 0.045,
            "tokens_per_second": (4 + 4 + 5 + 3) / 0.045,
        }
    )
    assert model.passes == [(1, None)] * 4 + [(1, None)] * 48 + [(4, None)] * 2


def test_the_95th_percentile_is_of_the_slow_ones(model):
    ticks = iter([each for at in range(48) for each in (0.0, 0.1 if at < 4 else 0.01)] + [0.0, 1.0])
    task = StsTask(Scored(["sort list"], ["sort list"], [1.0]))
    found = speed(model, task, lambda: next(ticks))
    assert (found["latency_median_s"], found["latency_p95_s"]) == pytest.approx((0.01, 0.1))


def test_one_text_is_a_query_and_many_are_what_is_stored(model):
    task = RetrievalTask(Retrieval(["open"], ["sort list", "parse"], [{0: 1.0}], ["q"], ["1", "2"]))
    speed(model, task, model.clock)
    assert model.passes == [(1, "query")] * 49 + [(2, "document")] * 2


def test_tokens_count_the_prompt(tiny):
    model = embedder.load(tiny, engine="mlx")
    assert tokens(model, ["sort list"], None) == 4
    model.prompts["query"] = "open a "
    assert tokens(model, ["sort list"], "query") == 6


def test_texts_are_spread_over_all_of_the_data():
    assert spread(list("abcdefghi"), 3) == ["a", "e", "i"]
    assert spread(["a", "b"], 48) == ["a", "b"]
