"""Sizes as people write them."""

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("8GB", 8 * 10**9), ("1.5 gib", 3 * 2**29), ("500MB", 5 * 10**8), ("7KiB", 7 * 1024)]
)
def test_sizes(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "8", "8 apples", "-1GB", "0GB", "nanGB", "infGB", "1e30GB"])
def test_what_is_no_size(text: str):
    with pytest.raises(CallError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (950, "950 B"), (12_345, "12.3 KB"), (8 * 10**9, "8.00 GB"), (640 * 10**6, "640 MB")],
)
def test_sizes_in_words(size: int, text: str):
    assert format_size(size) == text
