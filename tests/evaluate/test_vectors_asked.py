"""Widths and codes of several models: each has those that it can have, and what none has is refused."""

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.vectors_asked import Asked, asked_of

WIDTHS = {"small": 32, "large": 64}
HEADS = {"small": [], "large": ["fsq"]}


def test_each_model_has_what_it_can_have_and_a_note_says_what_it_lacks():
    notes: list[str] = []
    found = asked_of(WIDTHS, HEADS, (64, 16), ("int8", "fsq"), notes.append)
    assert found == {"small": Asked((16,), ("int8",)), "large": Asked((64, 16), ("int8", "fsq"))}
    assert notes == ["small has no 64, fsq"]
    assert asked_of(WIDTHS, HEADS, None, ()) == dict.fromkeys(WIDTHS, Asked(None, ()))


def test_what_no_model_has_is_refused_all_at_once():
    with pytest.raises(CallError) as error:
        asked_of(WIDTHS, HEADS, (128, 64), ("int9", "fsq"))
    assert str(error.value).splitlines() == [
        "These can't be measured:",
        "  - Width 128: the models give 64 dimensions at most",
        "  - There is no code 'int9'; did you mean 'int8'? These models know: int8, binary, binary-hamming, fsq",
    ]
    with pytest.raises(CallError, match=r"^small gives 32 dimensions; expected one of the widths to be at most that$"):
        asked_of(WIDTHS, HEADS, (64,), ())
