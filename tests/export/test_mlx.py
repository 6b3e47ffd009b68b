"""Quantized folders: which tensors are packed, what the configuration says, and that they come back close."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import TESTED
from golden_variants import altered
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.export import command
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import sentence_transformers
from mlx_metaembed.export.matrices import configuration
from mlx_metaembed.export.mlx import export
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.folder.quantized import FLOATS, dequantize
from mlx_metaembed.on_mlx.quantize import quantize

LINEAR = {
    f"encoder.layer.{layer}.{name}"
    for layer in range(2)
    for name in (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )
}


def test_linear_layers_and_words_are_packed_the_rest_is_float16(tiny: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    found = export(folders.read(tiny), tmp_path / "out", bits=4, group_size=32, note=heard.append)
    tensors = safetensors.header(tmp_path / "out/model.safetensors")
    packed = {name.removesuffix(".scales") for name in tensors if name.endswith(".scales")}
    assert packed == LINEAR | {"embeddings.word_embeddings"}
    for name in packed:
        rows, columns = safetensors.header(tiny / "model.safetensors")[f"{name}.weight"].shape
        assert (tensors[f"{name}.weight"].dtype, tensors[f"{name}.weight"].shape) == ("U32", (rows, columns * 4 // 32))
        for part in ("scales", "biases"):
            assert (tensors[f"{name}.{part}"].dtype, tensors[f"{name}.{part}"].shape) == ("F16", (rows, columns // 32))
    assert {tensor.dtype for name, tensor in tensors.items() if name.removesuffix(".weight") not in packed} == {"F16"}
    settings = {"group_size": 32, "bits": 4, "mode": "affine"}
    assert found.config["quantization"] == found.config["quantization_config"] == settings
    assert found.config["dtype"] == "float16"
    assert heard == []


@pytest.mark.parametrize(("bits", "far"), [(2, 0.5), (3, 0.2), (4, 0.08), (6, 0.02), (8, 0.005)])
def test_convert_reads_it_back_close(tiny: Path, tmp_path: Path, bits: int, far: float) -> None:
    export(folders.read(tiny), tmp_path / "packed", bits=bits, group_size=32, dtype="float32")
    heard: list[str] = []
    found = convert(tmp_path / "packed", tmp_path / "plain", note=heard.append)
    assert heard == [f"Its weights of {bits} bits became plain ones, with what quantization took off them"]
    assert found.quantization is None
    assert "quantization_config" not in found.config
    expected = safetensors.read(tiny / "model.safetensors")
    arrays = safetensors.read(tmp_path / "plain/model.safetensors")
    assert arrays.keys() == expected.keys()
    worst = max(np.abs(arrays[name] - array).max() for name, array in expected.items())
    assert far / 8 < worst < far
    np.testing.assert_array_equal(arrays["pooler.dense.weight"], expected["pooler.dense.weight"])


@pytest.mark.parametrize("bits", [4, 8])
def test_mlx_loads_the_names_that_it_expects(tiny: Path, tmp_path: Path, bits: int) -> None:
    from mlx_metaembed.embedder import load

    texts = ["sort a list", "open a socket and read a file line by line"]
    export(folders.read(tiny), tmp_path / "packed", bits=bits, group_size=32, dtype="float32")
    found = load(str(tmp_path / "packed"), engine="mlx", dtype="float32").encode(texts)
    convert(tmp_path / "packed", tmp_path / "plain")
    # The packed weights and their NumPy expansion are one model.
    np.testing.assert_allclose(
        found, load(str(tmp_path / "plain"), engine="mlx", dtype="float32").encode(texts), atol=1e-5
    )
    far = 1 - (found * load(str(tiny), engine="mlx", dtype="float32").encode(texts)).sum(axis=1)
    assert (far < {4: 0.1, 8: 1e-3}[bits]).all()


def test_what_does_not_divide_is_left_and_named(tmp_path: Path) -> None:
    source = tiny_folder(tmp_path / "source", config={"intermediate_size": 40})
    heard: list[str] = []
    export(folders.read(source), tmp_path / "out", bits=8, group_size=32, note=heard.append)
    assert heard == [
        "Not quantized, their rows being no multiple of 32: encoder.layer.0.output.dense.weight, "
        "encoder.layer.1.output.dense.weight; no group size takes all of them"
    ]
    assert safetensors.header(tmp_path / "out/model.safetensors")["encoder.layer.0.output.dense.weight"].dtype == "F16"


def test_a_group_size_that_nothing_fits_offers_the_one_that_does(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="can be quantized in groups of 128; all are with --group-size 32"):
        export(folders.read(tiny), tmp_path / "out", bits=4, group_size=128)
    assert list(tmp_path.iterdir()) == []


def test_what_no_engine_loads_is_not_exported(tmp_path: Path) -> None:
    source = altered(tmp_path / "source", "t5", {"d_ff": None})
    with pytest.raises(CallError, match="was not exported: no engine here loads what comes of it"):
        export(folders.read(source), tmp_path / "out", bits=8, group_size=32)
    assert not (tmp_path / "out").exists()


def test_what_a_peer_would_not_load_is_said(tmp_path: Path) -> None:
    source = tiny_folder(tmp_path / "source", dense=(DenseModule("2_Dense", 32, 6),), pooling="cls")
    arrays = {
        name: array for name, array in safetensors.read(source / "model.safetensors").items() if "pooler" not in name
    }
    safetensors.write(source / "model.safetensors", arrays)
    heard: list[str] = []
    export(folders.read(source), tmp_path / "out", bits=8, group_size=32, note=heard.append)
    assert [text.split(";")[0].split(",")[0] for text in heard] == [
        "The model has no pooler",
        "mlx-embeddings knows no Dense modules and will not load it (this kit does)",
        "mlx-embeddings means over every BERT",
    ]


@pytest.mark.parametrize("engine", ["mlx", "torch"])
@pytest.mark.parametrize("mode", FLOATS)
def test_the_modes_of_floats_load_on_both_engines(tiny: Path, tmp_path: Path, mode: str, engine: str) -> None:
    from mlx_metaembed.embedder import load

    if engine not in TESTED:
        pytest.skip(f"{engine} is not tested here")
    found = export(folders.read(tiny), tmp_path / "packed", mode=mode)
    bits, group_size = FLOATS[mode]
    assert found.config["quantization"] == {"group_size": group_size, "bits": bits, "mode": mode}
    tensors = safetensors.header(tmp_path / "packed/model.safetensors")
    assert {tensor.dtype for name, tensor in tensors.items() if name.endswith(".scales")} == {"U8"}
    assert not [name for name in tensors if name.endswith(".biases")]
    texts = ["sort a list", "open a socket and read a file line by line"]
    vectors = load(str(tmp_path / "packed"), engine=engine).encode(texts)
    cosines = (vectors * load(str(tiny), engine=engine).encode(texts)).sum(axis=1)
    assert (cosines > {4: 0.8, 8: 0.99}[bits]).all()


def test_the_word_embedding_has_bits_of_its_own(tiny: Path, tmp_path: Path) -> None:
    from mlx_metaembed.embedder import load

    found = export(folders.read(tiny), tmp_path / "out", bits=6, group_size=32, embedding_bits=2, dtype="float32")
    own = {"group_size": 32, "bits": 2, "mode": "affine"}
    words = "embeddings.word_embeddings"
    assert found.config["quantization"] == {"group_size": 32, "bits": 6, "mode": "affine", words: own}
    tensors = safetensors.header(tmp_path / "out/model.safetensors")
    assert tensors[f"{words}.weight"].shape == (120, 32 * 2 // 32)
    texts = ["sort a list", "open a socket and read a file line by line"]
    convert(tmp_path / "out", tmp_path / "plain")
    vectors, plain = (
        load(str(tmp_path / name), engine="mlx", dtype="float32").encode(texts) for name in ("out", "plain")
    )
    np.testing.assert_allclose(vectors, plain, atol=1e-5)


def test_a_family_that_peers_hold_under_model_is_named_both_ways() -> None:
    common, own = {"group_size": 64, "bits": 4, "mode": "affine"}, {"group_size": 64, "bits": 8, "mode": "affine"}
    settings = {"embed_tokens": own, "layers.0.mlp.up_proj": common}
    assert configuration(settings, common, "qwen3") == {**common, "embed_tokens": own, "model.embed_tokens": own}
    assert configuration(settings, common, "bert") == {**common, "embed_tokens": own}


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_rounding_is_nearer_than_mlx_own(tiny: Path, tmp_path: Path, bits: int) -> None:
    name = "encoder.layer.0.output.dense.weight"
    export(folders.read(tiny), tmp_path / "packed", bits=bits, group_size=32, dtype="float32")
    convert(tmp_path / "packed", tmp_path / "plain")
    matrix = safetensors.read(tiny / "model.safetensors")[name]
    settings = {"bits": bits, "group_size": 32}
    theirs = dequantize(**quantize(matrix, **settings, mode="affine"), **settings)
    ours = safetensors.read(tmp_path / "plain/model.safetensors")[name]
    assert np.mean((ours - matrix) ** 2) < 0.95 * np.mean((theirs - matrix) ** 2)


@pytest.mark.parametrize(("bits", "group_size"), [(5.5, 64), (1, 64), (16, 64), (4, 16), (4, 48)])
def test_bits_and_groups_that_mlx_has_not(tiny: Path, tmp_path: Path, bits: int, group_size: int) -> None:
    with pytest.raises(CallError, match=f"{bits} bits in groups of {group_size}: MLX has 2, 3, 4, 5, 6, 8 bits"):
        export(folders.read(tiny), tmp_path / "out", bits=bits, group_size=group_size)


def test_all_that_a_mode_has_not_is_said_at_once(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError) as error:
        export(folders.read(tiny), tmp_path / "out", bits=8, mode="nvfp4", embedding_bits=7)
    assert "the mode nvfp4 has 4 bits in groups of 16 alone" in str(error.value)
    assert "7 bits for the word embedding: MLX has 2, 3, 4, 5, 6, 8" in str(error.value)
    with pytest.raises(CallError, match="mode 'int4': MLX has affine, mxfp4, nvfp4, mxfp8"):
        export(folders.read(tiny), tmp_path / "out", mode="int4")


def test_a_quantized_model_is_not_quantized_again_but_becomes_plain(tiny: Path, tmp_path: Path) -> None:
    packed = export(folders.read(tiny), tmp_path / "packed", bits=8, group_size=32)
    with pytest.raises(CallError, match="is quantized to 8 bits; export the model it was made from"):
        export(packed, tmp_path / "again", bits=4, group_size=32)
    assert sentence_transformers.export(packed, tmp_path / "plain").quantization is None
    assert not (tmp_path / "again").exists()


def test_the_verb_reports_bytes(tiny: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny, tmp_path / "source"))
    arguments = [str(source), str(tmp_path / "out"), "--to", "mlx", "--bits", "4", "--group-size", "32", "--json"]
    found = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).stdout)
    assert (found["bits"], found["group_size"], found["dtype"]) == (4, 32, "float16")
    assert found["weights_bytes"] == (tmp_path / "out/model.safetensors").stat().st_size
    assert found["bytes_on_disk"] > found["weights_bytes"]
    assert found["weights_bytes"] < 0.4 * found["model_weights_bytes"]
    assert "library_name: mlx" in (tmp_path / "out/README.md").read_text()
