"""When a message was sent: numbers since 1970 in any unit, and texts."""

import pytest

from mlx_metaembed.data.messages import times


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1.7e9),
        (1_700_000_000_000, 1.7e9),
        ("1700000000000000", 1.7e9),
        (1_700_000_000 * 10**9, 1.7e9),
        ("2023-11-14 22:13:20", 1.7e9),
        ("2023-11-14T23:13:20+01:00", 1.7e9),
        ("yesterday", None),
        (True, None),
        (None, None),
        (10**400, None),
    ],
)
def test_times(value, seconds):
    assert times.seconds(value) == seconds
