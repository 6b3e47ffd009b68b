"""Which widths and codes each of several models is measured at: those that were asked for and that it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.evaluate.coded import CODES


@dataclass(frozen=True)
class Asked:
    """Widths, None for the model's own, and codes."""

    dims: tuple[int, ...] | None
    codes: tuple[str, ...]


def asked_of(
    widths: Mapping[str, int],
    heads: Mapping[str, Sequence[str]],
    dims: Sequence[int] | None,
    codes: Sequence[str],
    note: Callable[[str], object] = lambda text: None,
) -> dict[str, Asked]:
    """What is asked of each model, whose `widths` and code `heads` are by its name; `note` hears what one lacks.

    Raises CallError with the widths and codes that no model has, and the models that have none of the widths.
    """
    most = max(widths.values())
    known = [*CODES, *dict.fromkeys(head for found in heads.values() for head in found)]
    wrong = [f"Width {width}: the models give {most} dimensions at most" for width in dims or () if width > most]
    wrong += [
        f"There is no code {code!r}{nearest(code, known) or '.'} These models know: {', '.join(known)}"
        for code in codes
        if code not in known
    ]
    found, notes = {}, []
    for name, width in widths.items():
        own = tuple(each for each in dims or () if each <= width)
        have = tuple(code for code in codes if code in CODES or code in heads[name])
        if dims and not own and not wrong:
            wrong.append(f"{name} gives {width} dimensions; expected one of the widths to be at most that")
        lost = [str(each) for each in dims or () if each not in own] + [code for code in codes if code not in have]
        notes += [f"{name} has no {', '.join(lost)}"] if lost else []
        found[name] = Asked(own if dims else None, have)
    if len(wrong) == 1:
        raise CallError(wrong[0])
    if wrong:
        raise faults("These can't be measured:", wrong)
    for said in notes:
        note(said)
    return found
