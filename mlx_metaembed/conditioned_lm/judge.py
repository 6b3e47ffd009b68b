"""A conditioned language model, judged: what it writes is coded by the scheme, and compared with what was asked for.

Beside what it writes for an ID stand texts of no ID, of another text's ID, and the held-out texts themselves, cut at as
many tokens: the ceiling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.conditioned_lm import agreement, foretold, sampling
from mlx_metaembed.conditioned_lm.agreement import ALL
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.opened import Opened
from mlx_metaembed.conditioned_lm.sampling import Draw
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.semantic_ids.scheme import Scheme

ROWS = 32
"""Texts that are written together."""
REAL = "real"
Code = Callable[[Sequence[str]], np.ndarray]
"""Texts to IDs int [n, d] by the scheme's encoder."""
FEWEST = 10
"""Held-out texts from which anything is told."""


@dataclass(frozen=True)
class Verdict:
    """Tables: `rows` an approach and digit (kappa, exact), `gains` a digit (against shuffled IDs, the ceiling, and
    unseen against seen IDs), `texts` an approach (distinct_2, tokens, examples)."""

    rows: list[dict]
    gains: list[dict]
    texts: list[dict]


def require_scheme(found: Opened, scheme: Scheme) -> None:
    """Raise CallError where a scheme has other digits than the model knows."""
    levels, known = found.made.levels, scheme.levels[: len(found.made.levels.counts)]
    names = tuple(digit.name for digit in scheme.digits[: len(known)])
    if known != levels.counts or any(one and one != other for one, other in zip(levels.names, names, strict=True)):
        raise CallError(
            f"The scheme has digits of {', '.join(map(str, scheme.levels))} levels ({', '.join(filter(None, names))}), "
            f"the model was made with {', '.join(map(str, levels.counts))}; name its own by --ids"
        )


def judge(
    found: Opened,
    scheme: Scheme,
    code: Code,
    draw: Draw,
    *,
    guidances: Sequence[float] = (1.0,),
    texts: int = 200,
    draws: int = 1_000,
    seed: int = 0,
    told: Callable[[str, int, int], None] = lambda what, count, of: None,
) -> Verdict:
    """The verdict on `texts` of the held-out ones. Raises CallError where there are too few, or for another scheme."""
    require_scheme(found, scheme)
    held = found.made.held_out
    if len(held) < FEWEST:
        raise CallError(f"{len(held)} texts were held out; expected {FEWEST} or more. Train with a larger --held-out")
    chosen = np.sort(np.random.default_rng((seed, 3)).permutation(len(held))[:texts])
    held = [held[at] for at in chosen]
    ids = np.array([each.digits for each in held], np.int32)
    none = np.repeat(found.made.levels.none[None], len(ids), axis=0)
    own = [f"id, guidance {guidance:g}" for guidance in guidances]
    asked = dict(zip(own, [(ids, guidance) for guidance in guidances], strict=True))
    asked |= {foretold.NONE: (none, 0.0), foretold.SHUFFLED: (foretold.shuffled(ids, seed), guidances[0])}
    tokens: dict[str, list[list[int]]] = {}
    for number, (name, (digits, guidance)) in enumerate(asked.items()):
        random, own_draw = np.random.default_rng((seed, 4, number)), replace(draw, guidance=guidance)
        tokens[name] = _written(
            found, digits, own_draw, random, lambda count: told("writing", count, len(asked) * len(ids))
        )
    tokens[REAL] = found.tokens.of([each.text for each in held], draw.max_tokens)
    written = {name: sampling.texts(found.tokens, each) for name, each in tokens.items()}
    coded = {}
    for name, each in written.items():
        coded[name] = code([text or "-" for text in each])[:, : ids.shape[1]].astype(np.int64)
        told("coding", len(each), len(written) * len(ids))
    seen = np.array([each.seen for each in held])
    rows, gains = _tables(found.made.levels, scheme, ids.astype(np.int64), coded, seen, draws, seed)
    distinct = agreement.distinct_2(written)
    texts = [
        {
            "name": name,
            "distinct_2": distinct[name],
            "tokens": float(np.mean([len(ids) for ids in tokens[name]])),
            "examples": written[name][:3],
        }
        for name in written
    ]
    return Verdict(rows, gains, [_plain(row) for row in texts])


def _written(
    found: Opened, digits: np.ndarray, draw: Draw, random: np.random.Generator, told: Callable[[int], None]
) -> list[list[int]]:
    made: list[list[int]] = []
    for first in range(0, len(digits), ROWS):
        part = digits[first : first + ROWS]
        made += sampling.write(found.model, found.weights, found.tokens, part, draw, random, told)
    return made


def _tables(
    levels: Levels,
    scheme: Scheme,
    ids: np.ndarray,
    coded: dict[str, np.ndarray],
    seen: np.ndarray,
    draws: int,
    seed: int,
) -> tuple[list[dict], list[dict]]:
    """The rows and the gains of a verdict, for texts of IDs int64 [n, d]; the first of `coded` is judged."""
    names = [levels.spoken(at) for at in range(ids.shape[1])]
    ordered = [digit.edges is not None for digit in scheme.digits[: ids.shape[1]]]

    def judged(got: np.ndarray, rows: np.ndarray | slice = slice(None)) -> Judgement:
        return agreement.judged(ids[rows], got[rows], names, levels.counts, ordered)

    by_name = {name: judged(got) for name, got in coded.items()}
    rows = [row for name, each in by_name.items() for row in _rows(name, each, names, draws, seed)]
    first, got = next(iter(by_name.values())), next(iter(coded.values()))
    every = [*names, ALL]
    kappas = [f"{name}/kappa" for name in every]
    found = bootstrap.compared(by_name[foretold.SHUFFLED], first, kappas, draws=draws, seed=seed)
    found |= bootstrap.with_intervals(agreement.shares(first, by_name[REAL], every), draws, seed)
    parts = {
        label: judged(got, np.flatnonzero(mask)).figures(None)
        for label, mask in (("kappa_seen", seen), ("kappa_unseen", ~seen))
        if mask.sum() >= FEWEST
    }
    renamed = {f"kappa_difference{end}": f"gain{end}" for end in ("", "_low", "_high")} | {"kappa_p": "gain_p"}
    gains = []
    for name in every:
        own = {key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"{name}/")}
        row = {"digit": name} | {renamed.get(key, key): value for key, value in own.items()}
        gains.append(_plain(row | {label: each[f"{name}/kappa"] for label, each in parts.items()}))
    return rows, gains


def _rows(name: str, judged: Judgement, names: Sequence[str], draws: int, seed: int) -> list[dict]:
    found = bootstrap.with_intervals(judged, draws, seed)
    return [
        _plain(
            {"name": name, "digit": digit}
            | {key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"{digit}/")}
        )
        for digit in (*names, ALL)
    ]


def _plain(row: dict) -> dict:
    """The row with None for what is not defined."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}
