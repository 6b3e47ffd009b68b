"""What holds for every kind: exact bytes, scores without decoding, and what is refused."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes import kinds
from mlx_metaembed.codes.codec import numbers_and_arrays
from mlx_metaembed.errors import CallError

WIDTH = 44
"""No multiple of 8."""
VECTORS = clustered(700, WIDTH)


def fitted(kind: str, size: int = 6) -> object:
    least, most = kinds.KINDS[kind].span(WIDTH)
    return kinds.fit(kind, VECTORS, min(max(size, least), most))


@pytest.mark.parametrize("kind", kinds.KINDS)
@pytest.mark.parametrize("queries", [3, 50])
def test_a_score_is_that_of_the_decoded_vectors(kind: str, queries: int):
    """Few queries go by look-up tables, many by products."""
    codec = fitted(kind)
    codes = codec.encode(VECTORS)
    assert codes.dtype == np.uint8 and codes.shape == (700, codec.bytes_per_vector)
    found, decoded = codec.score(VECTORS[:queries], codes), codec.decode(codes)
    assert found.dtype == decoded.dtype == np.float32 and found.shape == (queries, 700)
    assert found == pytest.approx(VECTORS[:queries] @ decoded.T, abs=2e-6)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_a_decoded_vector_has_the_code_that_it_came_from(kind: str):
    if kind in ("residual", "scalar", "rotated", "rabitq"):
        pytest.skip("a beam and a scale move")
    codec = fitted(kind)
    codes = codec.encode(VECTORS)
    again = codec.encode(codec.decode(codes))
    assert np.mean(again == codes) > 0.97


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_equal_samples_give_equal_codes(kind: str):
    assert np.array_equal(fitted(kind).encode(VECTORS), fitted(kind).encode(VECTORS))


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_the_least_and_the_most_bytes_are_spent(kind: str):
    if kind in kinds.LONG:
        pytest.skip("as many stages take long")
    for size in kinds.KINDS[kind].span(WIDTH):
        assert kinds.fit(kind, VECTORS, size).bytes_per_vector <= size


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_arrays_have_the_shapes_that_the_numbers_say(kind: str):
    codec = fitted(kind)
    _, arrays = numbers_and_arrays(codec)
    assert codec.shapes() == {name: array.shape for name, array in arrays.items()}
    assert all(array.dtype == np.float32 for array in arrays.values())


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_no_vectors_have_no_codes(kind: str):
    codec = fitted(kind)
    codes = codec.encode(np.empty((0, WIDTH), np.float32))
    assert codes.shape == (0, codec.bytes_per_vector)
    assert codec.decode(codes).shape == (0, WIDTH) and codec.score(VECTORS[:2], codes).shape == (2, 0)


def test_rows_with_nan_are_named():
    wrong = VECTORS.copy()
    wrong[[3, 17], 0] = np.nan
    with pytest.raises(CallError, match=r"2 of 700 vectors to fit on hold NaN or infinity: row 3, 17 \(from 0\)"):
        kinds.fit("scalar", wrong, 6)
    with pytest.raises(CallError, match="row 3, 17"):
        fitted("scalar").encode(wrong)


def test_vectors_of_another_width_are_refused():
    codec = fitted("scalar")
    with pytest.raises(CallError, match=r"Expected vectors \[n, 44\] of floats; found float32 \[2, 8\]"):
        codec.encode(np.ones((2, 8), np.float32))
    with pytest.raises(CallError, match=r"uint8 \[N, 6\]; found uint8 \[2, 8\]"):
        codec.decode(np.ones((2, 8), np.uint8))


def test_an_unknown_kind_is_refused_with_all_that_there_are():
    with pytest.raises(CallError, match="There is no kind 'scaler'; did you mean 'scalar'") as found:
        kinds.fit("scaler", VECTORS, 6)
    assert all(kind in str(found.value) for kind in kinds.KINDS)


@pytest.mark.parametrize("size", [0, -4, 176, 10_000])
def test_no_bytes_and_those_of_the_float_vector_are_refused(size: int):
    with pytest.raises(CallError, match=f"A code has 1 to 175 bytes: .*44 dimensions has 176.*\n.*{size:,} bytes"):
        kinds.require_bytes([size, 32], WIDTH)


def test_bytes_that_a_kind_can_not_have_are_refused_with_kinds_that_can():
    with pytest.raises(CallError, match="binary takes 1 to 6 bytes of a vector of 44 dimensions; found 40") as found:
        kinds.fit("binary", VECTORS, 40)
    assert "scalar" in str(found.value) and "pca-binary" not in str(found.value)


def test_vectors_that_are_all_one_are_refused():
    with pytest.raises(CallError, match="one and the same"):
        kinds.fit("scalar", np.ones((50, WIDTH), np.float32), 6)
    with pytest.raises(CallError, match="at least 2 vectors"):
        kinds.fit("scalar", VECTORS[:1], 6)


def test_what_is_tried_hangs_on_the_bytes():
    assert kinds.candidates(15, 384) == ["residual", "opq", "scalar-unscaled", "scalar", "pca-binary"]
    assert kinds.candidates(24, 384) == ["opq", "scalar-unscaled", "scalar", "pca-binary", "residual"]
    assert kinds.candidates(48, 384) == ["opq", "scalar-unscaled", "scalar", "pca-binary"]
    assert kinds.candidates(96, 384) == ["scalar-unscaled", "scalar"]
    assert kinds.candidates(384, 384) == ["scalar-unscaled", "scalar", "int8"]
    assert kinds.candidates(386, 384) == ["scalar"]
    assert kinds.candidates(1, 384) == ["residual", "opq", "scalar-unscaled", "pca-binary"]


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_codes_of_vectors_of_length_1_stand_for_such_vectors(kind: str):
    codec = fitted(kind)
    codes = codec.encode(VECTORS)
    lengths = np.linalg.norm(codec.decode(codes), axis=1)
    if codec.has_length:
        assert not codec.unit and codec.lengths(codes) is None
        return
    assert codec.unit and lengths == pytest.approx(1, abs=1e-5)
    once = codec.lengths(codes)
    assert codec.score(VECTORS[:3], codes, once) == pytest.approx(codec.score(VECTORS[:3], codes), abs=1e-6)
    # Of other lengths nothing is known, and nothing is changed.
    other = kinds.fit(kind, 2 * VECTORS, codec.bytes_per_vector)
    assert not other.unit and other.lengths(other.encode(2 * VECTORS)) is None


@pytest.mark.parametrize("kind", ["residual", "scalar-unscaled", "opq"])
def test_a_length_of_1_finds_more_neighbours(kind: str):
    vectors = clustered(3_000, 64, seed=3)
    codec = kinds.fit(kind, vectors[:2_000], 4)
    queries, stored = vectors[2_000:2_200], vectors[2_200:]
    codes = codec.encode(stored)
    true = np.argsort(-(queries @ stored.T), axis=1)[:, :10]

    def found(lengths: np.ndarray | None) -> float:
        ranked = np.argsort(-codec.score(queries, codes, lengths), axis=1)[:, :10]
        return np.mean([len(set(one) & set(other)) for one, other in zip(true, ranked, strict=True)])

    assert found(None) > found(np.ones(len(codes), np.float32)) + 0.1
