"""A plan as the answer of `metaembed plan`: one object for --json, and lines for people made of the same object."""

from collections.abc import Sequence

from mlx_metaembed.cli.output import table
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.training.plan import Plan, chips, choices, roofline
from mlx_metaembed.training.plan.chips import Chip
from mlx_metaembed.training.plan.choices import Choice


def result(made: Plan, found: Sequence[Choice], chip: Chip | None, updates: int | None) -> dict:
    """All of it, for --json."""
    job, work, shown = made.job, roofline.step(made), [chip] if chip else chips.CHIPS
    seconds = {each.name: work.seconds(each, job.dtype) for each in shown}
    return {
        "model": str(job.folder.path),
        "engine": job.target.engine,
        "device": job.target.kind,
        "dtype": job.dtype,
        "texts": job.texts,
        "max_seq_length": job.length,
        "parts": made.parts,
        "moments": made.bytes.moments(made.chunk_tokens, held=None if made.cached else made.batch_tokens),
        "total": made.total,
        "budget": made.budget,
        "fits": made.fits,
        "chunk_tokens": made.chunk_tokens,
        "grad_cache": made.cached,
        "checkpointing": made.checkpointing,
        "train": job.recipe.train,
        "trained_parameters": made.bytes.trained,
        "optimizer": job.recipe.optimizer,
        "optimizer_bytes_a_parameter": made.bytes.stays["optimizer"] / made.bytes.trained,
        "most_shapes": made.most_shapes,
        "operations": work.operations,
        "batch_tokens": made.batch_tokens,
        "usual_batch_tokens": job.usual_tokens,
        "lengths": "as the data's" if job.lengths else "full",
        "seconds_a_step": seconds,
        "steps": updates,
        "seconds_a_run": updates and {name: updates * each for name, each in seconds.items()},
        "reckoned_rates": [each.name for each in shown if each.estimated],
        "choices": [
            {
                "changes": dict(each.changes),
                "export_first": each.export,
                "total": each.plan.total,
                "chunk_tokens": each.plan.chunk_tokens,
                "words": each.words(),
            }
            for each in found
        ],
    }


def lines(result: dict) -> list[str]:
    """The answer for people."""
    rows = [{"part": name, "bytes": format_size(size)} for name, size in result["parts"].items() if size]
    rows += [{"part": "total", "bytes": format_size(result["total"])}]
    rows += [{"part": "budget", "bytes": format_size(result["budget"])}]
    way = "GradCache" if result["grad_cache"] else "one graph"
    if "embedding" in result["moments"]:
        way = "pooled vectors, computed once"
    said = [
        *table(rows, ("part", "bytes")),
        f"trains: {result['train']}, {result['trained_parameters']:,} parameters; {result['optimizer']} keeps "
        f"{result['optimizer_bytes_a_parameter']:.2g} bytes for each",
        f"batch: {result['texts']:,} texts of up to {result['max_seq_length']} tokens{_fullest(result)}, by {way}",
        f"chunks: {result['chunk_tokens']:,} tokens, in at most {result['most_shapes']} shapes; checkpointing "
        + ("on" if result["checkpointing"] else "off"),
    ]
    if result["fits"]:
        return said + times(result["seconds_a_step"], result["dtype"], result["reckoned_rates"], result["steps"])
    over = result["total"] - result["budget"]
    least = format_size(result["total"])
    said.append(f"does not fit: {format_size(over)} too much with the smallest chunk; the least is {least}")
    if not result["choices"]:
        return [*said, "no other settings fit either; give a larger --memory or a smaller model"]
    said.append("what fits, the least costly in quality first:")
    return said + [
        f"  {each['words']}: {format_size(each['total'])}, chunks of {each['chunk_tokens']:,} tokens"
        for each in result["choices"][: choices.SHOWN]
    ]


def _fullest(result: dict) -> str:
    """What the data's own lengths make of a batch; nothing where all texts are taken to be full."""
    if result["lengths"] == "full":
        return ""
    return f", {result['usual_batch_tokens']:,} tokens together and {result['batch_tokens']:,} in the fullest"


def times(seconds: dict[str, float], dtype: str, reckoned: Sequence[str], updates: int | None = None) -> list[str]:
    """The least time of a step, on one chip or on each, and of all `updates` where their number is known.

    The rates of those `reckoned` are not the vendor's.
    """
    if len(seconds) == 1:
        (name, least), *_ = seconds.items()
        mark = " (the chip's rate is reckoned, not published)" if reckoned else ""
        lines = [f"a step takes at least {_duration(least)} on {name}, at its peak rate in {dtype}{mark}"]
        if updates:
            whole = _duration(updates * least)
            lines.append(f"the run, {updates:,} steps, takes at least {whole}; real ones take a few times as long")
        return lines
    rows = [
        {"chip": name, "least a step": _duration(least), "rate": "reckoned" if name in reckoned else "published"}
        for name, least in seconds.items()
    ]
    columns = ("chip", "least a step", "rate")
    if updates:
        columns = ("chip", "least a step", "least the run", "rate")
        rows = [row | {"least the run": _duration(updates * seconds[row["chip"]])} for row in rows]
    return [f"the least time of a step, at each chip's peak rate in {dtype}:", *table(rows, columns)]


def _duration(seconds: float) -> str:
    if seconds >= 6000:
        return f"{seconds / 3600:,.1f} h"
    if seconds >= 100:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
