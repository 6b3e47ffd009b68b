"""What is said of a step that failed: out of memory, or numbers that are not finite."""

from mlx_metaembed.errors import JobError
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
    """What is not finite, and the likely causes; `kept` says where the last good checkpoint is."""
    rate = recipe.head_learning_rate if recipe.train == "heads" else recipe.learning_rate
    temperature = f"a temperature that is too low ({recipe.temperature:g}), " if recipe.loss == "info_nce" else ""
    return (
        f"Step {step}: {what}. Likely causes: a learning rate that is too high ({rate:g}), {temperature}"
        f"or {dtype} overflowing (try --dtype float32). {kept}"
    )
