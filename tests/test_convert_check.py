"""The check against transformers: it holds for a right model and fails loudly for a wrong one."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import tiny_folder
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from mlx_metaembed import disk, weights
from mlx_metaembed import folder as folders
from mlx_metaembed.cli.convert import command
from mlx_metaembed.convert import check
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.folder import DenseModule


def test_each_pooling_by_hand() -> None:
    states = np.array([[[1.0, 10.0], [3.0, 20.0], [8.0, 0.0], [99.0, 99.0]]])
    mask = np.array([[1.0, 1.0, 1.0, 0.0]])
    expected = {
        "cls": [1, 10],
        "mean": [(1 + 3 + 8) / 3, (10 + 20 + 0) / 3],
        "max": [8, 20],
        "mean_sqrt_len_tokens": [12 / 3**0.5, 30 / 3**0.5],
        "weightedmean": [(1 * 1 + 2 * 3 + 3 * 8) / 6, (1 * 10 + 2 * 20 + 3 * 0) / 6],
        "lasttoken": [8, 0],
    }
    assert expected.keys() == set(folders.POOLING_FLAGS.values())
    for mode, vector in expected.items():
        np.testing.assert_allclose(check.pool(states, mask, mode)[0], vector, err_msg=mode)


def test_compare_by_hand() -> None:
    found = check.compare(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [2.0, 2.0]]))
    assert found == {"cosine": pytest.approx(0.5**0.5), "largest_difference": 2.0}


def test_a_row_out_of_tolerance_fails_the_job() -> None:
    good = {"dtype": "float32", "cosine": 1.0, "largest_difference": 0.0, "tolerance": "t", "holds": True}
    check.require([good])
    with pytest.raises(JobError, match=r"float16: cosine 0\.500000, largest difference 2\.00e\+00") as error:
        check.require([good, good | {"dtype": "float16", "cosine": 0.5, "largest_difference": 2.0, "holds": False}])
    assert "float32" not in str(error.value)


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with everything that a folder may declare, and a tokenizer that transformers takes."""
    path = tmp_path_factory.mktemp("models") / "wordpiece"
    dense = DenseModule("2_Dense", 32, 12, activation_function="torch.nn.modules.activation.Tanh")
    tiny_folder(path, dense=(dense,), pooling="cls", prompts={"query": "sort: "}, default_prompt_name="query")
    letters = [chr(code) for code in range(33, 64)] + [chr(code) for code in range(97, 123)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(models.WordPiece({token: at for at, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(path / "tokenizer.json"))
    disk.write_json(path / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 32})
    return path


@pytest.mark.parametrize("pooling", ["cls", "mean", "lasttoken"])
def test_both_engines_hold(wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...], pooling: str) -> None:
    disk.write_json(wordpiece / "1_Pooling/config.json", {"pooling_mode": pooling, "include_prompt": pooling == "cls"})
    for engine in two_engines:
        out = str(tmp_path / engine)
        done = CliRunner().invoke(
            command, [str(wordpiece), out, "--check", "--engine", engine, "--json"], catch_exceptions=False
        )
        rows = json.loads(done.stdout)["check"]
        assert [(row["dtype"], row["engine"], row["holds"]) for row in rows] == [
            ("float32", engine, True),
            ("float16", engine, True),
        ]
        assert rows[0]["largest_difference"] < 1e-5
        # Half precision was really computed in.
        assert rows[1]["largest_difference"] > 1e-5


def test_weights_that_changed_on_the_way_do_not_hold(
    wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...]
) -> None:
    tiny_folder(tmp_path / "other", seed=9)
    with pytest.raises(JobError, match="does not give the reference's vectors"):
        check.require(check.check(wordpiece, reference=tmp_path / "other", engine=two_engines[0]))


def test_a_reference_with_a_tensor_missing_is_none(
    wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...]
) -> None:
    tiny_folder(tmp_path / "other")
    arrays = weights.read(tmp_path / "other/model.safetensors")
    del arrays["encoder.layer.1.output.dense.weight"]
    weights.write(tmp_path / "other/model.safetensors", arrays)
    with pytest.raises(CallError, match=r"finds no encoder\.layer\.1\.output\.dense\.weight"):
        check.check(wordpiece, reference=tmp_path / "other")


def test_the_reference_is_the_source_where_nothing_was_changed(tiny: Path) -> None:
    assert check.reference_for(tiny, None) == tiny
    assert check.reference_for(tiny, "float16") is None
    assert check.reference_for(tiny / "model.safetensors", None) is None
