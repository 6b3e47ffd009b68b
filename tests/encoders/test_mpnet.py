"""MPNet's relative positions by hand."""

from mlx_metaembed import engine as engines


def test_buckets_are_exact_then_wider_and_end_at_the_largest_distance():
    engines.choose("mlx")
    from mlx_metaembed.on_mlx.encoders.mpnet import MAX_DISTANCE, buckets

    found = buckets(200, 32, MAX_DISTANCE)
    # A query at 100 and keys before it: 0 to 7 away exactly, then one bucket for each factor of 16 ** (1 / 8).
    before = {0: 0, 1: 1, 7: 7, 8: 8, 11: 8, 12: 9, 16: 10, 32: 12, 64: 14, 90: 14, 91: 15, 100: 15}
    assert {distance: found[100][100 - distance] for distance in before} == before
    after = {1: 17, 7: 23, 8: 24, 64: 30, 99: 31}
    assert {distance: found[100][100 + distance] for distance in after} == after
    # At and past 128 all are one.
    assert {found[199][199 - distance] for distance in (128, 150, 199)} == {15}
