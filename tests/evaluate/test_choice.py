"""Which model is advised: the cheapest that is surely hardly worse than the best, whatever the rows leave open."""

from mlx_metaembed.evaluate.choice import Choice, cheapest, choose


def row(name: str, value: float, behind: tuple = (0.0, 0.0), *, data: str = "a", **costs: object) -> dict:
    costs = {"latency_median_s": 0.010, "bytes_per_vector": 1536, "bytes_on_disk": 90_000_000, "vector": "384"} | costs
    difference, low = behind
    return {"name": name, "data": data, "ap": value, "behind_best": difference, "behind_best_low": low} | costs


BEST = row("large", 0.90)


def test_a_faster_one_is_taken_where_its_interval_lies_within_the_margin():
    found = choose([BEST, row("small", 0.895, (-0.005, -0.019), latency_median_s=0.002)], {"a": "ap"})
    assert found == Choice(("small", "384"), True, {"a": ("large", "384")}, ())


def test_one_that_is_only_not_told_apart_is_left_open():
    rows = [BEST, row("small", 0.895, (-0.005, -0.021), latency_median_s=0.002)]
    assert choose(rows, {"a": "ap"}) == Choice(("large", "384"), True, {"a": ("large", "384")}, (("small", "384"),))
    assert choose(rows, {"a": "ap"}, 0.03).chosen == ("small", "384")
    # A dearer one is no question.
    rows = [BEST, row("slow", 0.895, (-0.005, -0.021), latency_median_s=0.02)]
    assert choose(rows, {"a": "ap"}).undecided == ()


def test_without_intervals_the_difference_itself_counts():
    other = row("small", 0.885, (-0.015, 0.0), latency_median_s=0.002)
    del other["behind_best_low"]
    assert choose([BEST, other], {"a": "ap"}).chosen == ("small", "384")


def test_of_equally_fast_ones_the_shorter_vector_and_then_the_smaller_model():
    options = {
        ("large", "384"): {"a": BEST},
        ("large", "int8@384"): {"a": row("large", 0.9, vector="int8@384", bytes_per_vector=384)},
        ("other", "int8@384"): {"a": row("other", 0.9, bytes_per_vector=384, bytes_on_disk=50_000_000)},
        ("slow", "binary@384"): {"a": row("slow", 0.9, bytes_per_vector=48, latency_median_s=0.0111)},
    }
    assert cheapest(options) == ("other", "int8@384")
    # 1.1 times the time is one time.
    options["slow", "binary@384"]["a"]["latency_median_s"] = 0.0109
    assert cheapest(options) == ("slow", "binary@384")


def test_all_the_data_count_and_the_mean_where_none_is_near_everywhere():
    rows = [
        BEST,
        row("other", 0.80, (-0.10, -0.12)),
        row("large", 0.50, (-0.20, -0.25), data="b"),
        row("other", 0.70, data="b"),
    ]
    found = choose(rows, {"a": "ap", "b": "ap"})
    assert found == Choice(("other", "384"), False, {"a": ("large", "384"), "b": ("other", "384")}, ())
