"""How many rows are done, said on a line that counts without an end."""

from collections.abc import Callable

from mlx_metaembed.progress.display import Progress


def counting(bar: Progress, words: str, every: int = 10_000) -> Callable[..., None]:
    """What takes the number of rows that are done since it was called, 1 where none is given, and says it now and then.

    `words` follow the count: "rows".
    """

    def told(count: int = 1) -> None:
        bar.update(count)
        if bar.done % every == 0:
            bar.say(f"{bar.done:,} {words}")

    return told
