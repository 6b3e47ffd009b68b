"""What was found of all models: rows, goals, guesses of what is answered, and what refuses another model's vectors."""

import chat
import intents
import judge
import numpy as np
from measured import Judged, encoded

from mlx_metaembed.cards.products import product
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import bootstrap, classifier
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.heads import probe_start
from mlx_metaembed.heads.linear import linear
from mlx_metaembed.search import index as indexes

HEAD = "the head"
PROBED = 4_096
"""Training messages from which a regression on the base's vectors learns, as many as the head begins with."""


def gathered(found: dict[str, Judged], parts: dict[str, chat.Part], part: chat.Part, pairs: chat.Pairs) -> dict:
    """All results: rows by model, goals, histograms, quality, refusals and facts."""
    base, match, flow, tasks = (found[name] for name in ("base", "match", "flow", "tasks"))
    bare = judge.conversation(judge.cosines(encoded(base.model, part.bare, base.folder), part, pairs))
    rows = [{"name": "bare", **judge.with_intervals(bare)}, *(each.row for each in found.values())]
    guessed = guesses(found, parts["training"], part)
    quality = [{"name": name, **judge.with_intervals(each)} for name, each in guessed.items()]
    apart = bootstrap.differences(base.conversation, flow.conversation, draws=judge.DRAWS)
    kept = bootstrap.differences(match.conversation, tasks.conversation, draws=judge.DRAWS)
    head = beside_the_best(guessed)
    answered = float(np.nanmean(part.answered))
    return {
        "lede": f"{base.row['name']} and three trainings, judged on {len(set(part.days)):,} days that none has seen",
        "rows": rows,
        "goals": goals(found, apart, kept, head),
        "quality": quality,
        "histograms": {
            name: [
                {"stage": "before", "groups": judge.histogram(base.cosines)},
                {"stage": "after", "groups": judge.histogram(found[name].cosines)},
            ]
            for name in ("match", "flow")
        },
        "refused": refused(found),
        "facts": {
            "engine": product(base.model.engine.name),
            "device": product(base.model.device),
            "training days": len(set(parts["training"].days)),
            "judged days": len(set(part.days)),
            "judged messages": len(part.texts),
            "judged threads": len(set(part.threads.tolist())),
            "answered_share": answered,
        },
    }


def goals(found: dict[str, Judged], apart: dict, kept: dict, head: dict) -> list[dict]:
    """What was wanted, what was there before, what was found, and whether that is it."""
    base, match, flow = (found[name].row for name in ("base", "match", "flow"))
    slowest = max(each.row["over_floor"] for each in found.values())

    def goal(name: str, wanted: str, row: dict, key: str, met: bool, before: float | None = None) -> dict:
        ends = {f"found_{end}": row.get(f"{key}_{end}") for end in ("low", "high")}
        return {"name": name, "wanted": wanted, "before": before, "found": row[key], **ends, "met": bool(met)}

    return [
        goal(
            *("Matching: correlation with belonging together", "above 0.70", match, "correlation"),
            *(match["correlation"] > 0.70, base["correlation"]),
        ),
        goal("Flow: cosine within a thread", "above 0.65", flow, "same", flow["same"] > 0.65, base["same"]),
        goal(
            *("Flow: cosine of different threads", "not risen", flow, "different"),
            *(flow["different"] <= base["different"], base["different"]),
        ),
        goal("Flow: gap between them", "wider", apart, "gap_difference", apart["gap_difference_low"] > 0),
        goal("Flow: AUC", "above the base", flow, "auc", apart["auc_difference_low"] > 0, base["auc"]),
        goal(
            *("Several tasks: Spearman of the head against the best other guess", "not below", head),
            *("spearman_difference", head["spearman_difference_high"] >= 0),
        ),
        goal(
            *("Several tasks: correlation against Matching", "not below", kept, "correlation_difference"),
            kept["correlation_difference_high"] >= 0,
        ),
        {
            "name": "One message: embedding by bare pass",
            "wanted": "at most 1.2",
            "found": slowest,
            "met": slowest <= 1.2,
        },
    ]


def guesses(found: dict[str, Judged], training: chat.Part, part: chat.Part) -> dict[str, Judgement]:
    """How well it is guessed whether a message is answered: by the head, by a regression on the base, by length."""
    tasks, base = found["tasks"], found["base"]
    known = np.flatnonzero(np.isfinite(training.answered))
    taught = known[:: max(len(known) // PROBED, 1)][:PROBED]
    vectors = encoded(base.model, [training.texts[at] for at in taught], base.folder)
    probed = probe_start.regression(vectors, training.answered[taught])
    ways = {
        HEAD: tasks.model.apply("quality", tasks.vectors)[:, 0],
        "ridge regression on the base's vectors": linear(probed, base.vectors)[:, 0],
        "the message's length": np.array([len(text) for text in part.texts]),
    }
    return {name: judge.quality(scores, part) for name, scores in ways.items()}


def beside_the_best(guessed: dict[str, Judgement]) -> dict[str, float]:
    """The differences of the head to the best of the other guesses, draw by draw."""
    others = [each for name, each in guessed.items() if name != HEAD]
    best = max(others, key=lambda each: each.figures(None)["spearman"])
    return bootstrap.differences(best, guessed[HEAD], draws=judge.DRAWS)


def refused(found: dict[str, Judged]) -> list[str]:
    """What is said where one model is to search the index of another, or to take its classifier."""
    base, match = found["base"], found["match"]
    said = []
    index = next(base.folder.glob("index-*"))
    tried = [lambda: indexes.open(index).require_fingerprint(match.marks, "match")]
    if (path := base.folder / intents.FILE).is_file():
        tried.append(lambda: classifier.load(path, model="match", fingerprint=match.marks))
    for each in tried:
        try:
            each()
        except CallError as error:
            said.append(str(error))
    return said
