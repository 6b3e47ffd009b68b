"""The model that a run leaves, averaged with its base: what must hold before it trains, and the files at its end."""

from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed import recipe as recipes
from mlx_metaembed.convert import averages
from mlx_metaembed.convert.averages import Averages
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ADAPTER, locate
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.claim import SETTINGS
from mlx_metaembed.training.model_parts import PostTrunk


def require(recipe: Recipe, behind: PostTrunk) -> None:
    """Raise CallError where a run can't be averaged with its base: gone, an adapter, or without what the run adds."""
    if not recipe.average_with_base:
        return
    base = folders.read(locate.resolve(recipe.model))
    asked = f"average_with_base = {recipe.average_with_base:g}"
    if base.adapter:
        raise CallError(
            f"{asked}: {base.path} has an {ADAPTER}, and the mean of two adapters is none. Fuse it first: "
            f"metaembed export {base.path} OUT --to sentence-transformers"
        )
    there = head_files.every(base)[0] if behind.heads else {}
    added = [f"the head {name!r}" for name, head in behind.heads.items() if there.get(name) != head]
    added += [f"the Dense module {each.path}" for each in behind.folder.dense[len(base.dense) :]]
    if added:
        raise CallError(
            f"{asked}: the run adds {', '.join(added)}, which the base has not and which would be fitted to vectors "
            "that averaging moves. Average without, then train it on the averaged model (--train heads)"
        )


def files(last: Path) -> dict[Path, Averages]:
    """The averaged weights of a run's last checkpoint by their files' paths inside it; none where none are asked for.

    Raises CallError where the base is gone.
    """
    recipe = Recipe(**recipes.read(last / SETTINGS))
    share = recipe.average_with_base
    return averages.of_files(last, recipe.model, share) if share else {}
