"""What is said of a step that failed: out of memory, or numbers that are not finite."""

from mlx_metaembed.errors import JobError
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe


def out_of_memory(step: int, error: Exception, recipe: Recipe, chunk_tokens: int, onward: str) -> Exception:
    """The allocator's refusal in words; any other error as it is."""
    text = str(error).lower()
    if not isinstance(error, MemoryError) and not any(word in text for word in ("memory", "alloc")):
        return error
    return JobError(
        f"Step {step} ran out of memory within {recipe.memory} ({str(error).splitlines()[0]}). Give a smaller "
        f"--chunk-tokens (now {chunk_tokens}) or a larger --memory. {onward}"
    )


def diverged(step: int, what: str, recipe: Recipe, dtype: str, kept: str) -> str:
    """What is not finite, and the likely causes by a recipe as tables; `kept` says where the last checkpoint is."""
    rate = recipe.head_learning_rate if recipe.train == "heads" else recipe.learning_rate
    asked = [table.settings.get("temperature", _default(table.loss)) for table in recipe.objectives]
    temperatures = [each for each in asked if each is not None]
    lowest = f"a temperature that is too low ({min(temperatures):g}), " if temperatures else ""
    return (
        f"Step {step}: {what}. Likely causes: a learning rate that is too high ({rate:g}), {lowest}"
        f"or {dtype} overflowing (try --dtype float32). {kept}"
    )


def _default(loss: str) -> float | None:
    """The temperature of a loss that was given none; None where it has none."""
    return getattr(LOSSES.get(loss), "temperature", None)
