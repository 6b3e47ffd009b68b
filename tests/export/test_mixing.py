"""Bits of each matrix under a budget: by hand, within the bytes, and better than the same bits everywhere."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.export import command
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.matrices import most_common
from mlx_metaembed.export.mixing import allot, losses
from mlx_metaembed.export.mlx import export
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.quantized import BITS, settings_of

TEXTS = ["sort a list", "open a socket and read a file line by line", "join two paths"]


def _lost(first: float) -> dict[int, float]:
    return {bits: first / 4 ** (bits - 2) for bits in BITS}


def test_bits_go_where_a_byte_gains_most() -> None:
    lost = {"light": _lost(0.1), "heavy": _lost(0.4)}
    taken = {module: {bits: float(bits) for bits in BITS} for module in lost}
    assert allot(lost, taken, 4) == {"light": 2, "heavy": 2}
    assert allot(lost, taken, 5) == {"light": 2, "heavy": 3}
    # .4 / 4 is left of the heavy one, as much as the light one has.
    assert allot(lost, taken, 7) == {"light": 3, "heavy": 4}
    assert allot(lost, taken, 16) == {"light": 8, "heavy": 8}


def test_a_large_matrix_pays_for_its_bytes() -> None:
    lost = {"small": _lost(0.1), "large": _lost(0.2)}
    taken = {"small": {bits: float(bits) for bits in BITS}, "large": {bits: 4.0 * bits for bits in BITS}}
    assert allot(lost, taken, 2 + 8 + 2) == {"small": 4, "large": 2}


def test_a_step_may_leave_bits_out() -> None:
    lost = {"a": {2: 1.0, 3: 0.99, 4: 0.2, 5: 0.19, 6: 0.18, 8: 0.17}}
    assert allot(lost, {"a": {bits: float(bits) for bits in BITS}}, 4.5) == {"a": 4}


def test_losses_are_shares() -> None:
    matrix = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32)
    found = losses(matrix, 32, dtype="float32")
    assert list(found) == list(BITS)
    assert 0.05 < found[2] < 0.2
    assert all(found[one] > 2 * found[other] for one, other in itertools.pairwise(BITS))
    assert losses(100 * matrix, 32, dtype="float32")[4] == pytest.approx(found[4], rel=1e-3)


def test_inputs_that_never_come_count_nothing() -> None:
    matrix = np.ones((4, 64), np.float32)
    matrix[:, 32:] = np.random.default_rng(0).standard_normal((4, 32))
    moments = np.diag(np.repeat([1.0, 0.0], 32))
    assert losses(matrix, 32, dtype="float32", moments=moments)[2] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("size", [28_000, 33_000, 45_000])
def test_the_file_is_within_the_bytes(tiny: Path, tmp_path: Path, size: int) -> None:
    heard: dict[str, float] = {}
    found = export(folders.read(tiny), tmp_path / "out", bytes=size, group_size=32, heard=heard.update)
    weights = tmp_path / "out/model.safetensors"
    # Headers are reckoned a little too long.
    assert size - 10_000 < weights.stat().st_size <= size
    said = found.config["quantization"]
    own = {name.removesuffix(".scales") for name in safetensors.header(weights) if name.endswith(".scales")}
    bits = {module: settings_of(said, module)["bits"] for module in own}
    for module, each in bits.items():
        columns = safetensors.header(weights)[f"{module}.scales"].shape[1] * 32
        assert safetensors.header(weights)[f"{module}.weight"].shape[1] * 32 == columns * each
    assert 3 <= heard["bits_per_weight"] <= 10


def test_mixed_bits_load_on_both_engines_as_they_expand(tiny: Path, tmp_path: Path, engine_name: str) -> None:
    found = export(folders.read(tiny), tmp_path / "out", mean_bits=5.4, group_size=32, dtype="float16")
    said = found.config["quantization"]
    assert {each["bits"] for each in said.values() if isinstance(each, dict)} - {said["bits"]}
    convert(tmp_path / "out", tmp_path / "plain")
    vectors = load(str(tmp_path / "out"), engine=engine_name, dtype="float32").encode(TEXTS)
    plain = load(str(tmp_path / "plain"), engine=engine_name, dtype="float32").encode(TEXTS)
    np.testing.assert_allclose(vectors, plain, atol=1e-5)


def test_too_few_bytes_say_how_many_there_must_be(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CallError, match=r"1,000 bytes are too few: with 2 bits everywhere the weights take ([\d,]+)"
    ) as error:
        export(folders.read(tiny), tmp_path / "out", bytes=1_000, group_size=32)
    least = int(str(error.value).rpartition(" ")[2].replace(",", ""))
    export(folders.read(tiny), tmp_path / "out", bytes=least, group_size=32)
    assert (tmp_path / "out/model.safetensors").stat().st_size <= least
    with pytest.raises(CallError, match=r"2\.5 bits a weight are too few: .*, scales counted, it is 3"):
        export(folders.read(tiny), tmp_path / "again", mean_bits=2.5, group_size=32)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"bytes": 9, "bits": 4}, "bits beside a budget"),
        ({"mean_bits": 4, "embedding_bits": 4}, "embedding_bits beside a budget"),
        ({"mean_bits": 4, "mode": "mxfp4"}, "bits differ in the mode affine alone"),
        ({"mean_bits": 4, "bytes": 9}, "bytes and mean_bits: give one of them"),
        ({"mean_bits": -1.0}, "mean_bits = -1: expected more than 0"),
        ({"mean_bits": float("nan")}, "mean_bits = nan: expected more than 0"),
        ({"bytes": 0}, "bytes = 0: expected more than 0"),
    ],
)
def test_budgets_that_contradict(tiny: Path, tmp_path: Path, how: dict, said: str) -> None:
    with pytest.raises(CallError, match=said):
        export(folders.read(tiny), tmp_path / "out", **how)


def test_the_most_common_settings() -> None:
    one, other = {"bits": 2, "group_size": 64}, {"bits": 4, "group_size": 64}
    assert most_common({"a": one, "b": other, "c": other}) == other


def test_the_verb_takes_a_size(tiny: Path, tmp_path: Path) -> None:
    arguments = [str(tiny), str(tmp_path / "out"), "--to", "mlx", "--bytes", "33KB", "--group-size", "32", "--json"]
    found = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
    assert (found["bytes"], found["group_size"]) == (33_000, 32)
    assert found["weights_bytes"] <= 33_000
    assert "bits" not in found
    result = CliRunner().invoke(command, [*arguments[:5], "much", "--json"])
    assert "bytes = 'much' is no size" in str(result.exception)
