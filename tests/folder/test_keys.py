"""The table of keys is what the kit does: each row's key is applied, refused or ignored.

Every row has its example here. Where sentence-transformers is installed, its vectors of the same folder are the right
ones.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.key_table import ROWS
from mlx_metaembed.folder.keys import (
    APPLIED,
    CONFIG,
    DENSE,
    IGNORED,
    MODULES,
    POOLING,
    REFUSED,
    SPLADE,
    TOP,
    TRUNK,
    Key,
)
from mlx_metaembed.folder.module_types import DenseModule

pytestmark = pytest.mark.filterwarnings("ignore")
LONG = [*TEXTS, "Sort a LIST", " ".join(TEXTS)]
TANH = "torch.nn.modules.activation.Tanh"
FLAGS = [row.key for row in ROWS if row.key.startswith("pooling_mode_")]
ELSEWHERE = {SPLADE: "heads/test_splade.py", CONFIG: "folder/test_bare_folder.py"}
"""Files whose rows other tests hold."""


def edited(path: Path, file: str, change: dict | Callable) -> Path:
    """Change one of a folder's JSON files; None takes a key out."""
    where = path / file
    where.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(where.read_text()) if where.is_file() else {}
    found = change(found) if callable(change) else {**found, **change}
    if isinstance(found, dict):
        found = {key: value for key, value in found.items() if value is not None}
    where.write_text(json.dumps(found))
    return path


def nested(key: str, value: object) -> dict:
    """`{"a": {"b": value}}` of `a.b`."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def plain(path: Path, **settings: object) -> Path:
    """The folder that every example changes: a mean, a square Dense module and a Normalize module."""
    settings = {"dense": (DenseModule("2_Dense", 32, 32, True, TANH),), **settings}
    path = tiny_folder(path, **settings)
    specials = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **specials}))
    return path


def without_bias(path: Path) -> None:
    edited(path, DENSE, {"bias": False})
    stored = safetensors.read(path / "2_Dense/model.safetensors")
    safetensors.write(path / "2_Dense/model.safetensors", {"linear.weight": stored["linear.weight"]})


def narrow(path: Path) -> None:
    edited(path, DENSE, {"out_features": 8})
    stored = {name: array[:8] for name, array in safetensors.read(path / "2_Dense/model.safetensors").items()}
    safetensors.write(path / "2_Dense/model.safetensors", stored)


def pooled_by(mode: str) -> dict:
    return {flag: flag == mode for flag in FLAGS}


PROMPTS = {"prompts": {"query": "open a ", "document": "sort "}}
CUT = {f"{section}.max_length": 5 for section in ("processing_kwargs.text", "processing_kwargs.common")}
CUT |= {f"{section}.model_max_length": 5 for section in ("tokenizer_args", "processor_kwargs")}
CHANGES: dict[tuple[str, str], dict | Callable[[Path], object]] = {
    (TRUNK, "max_seq_length"): {"max_seq_length": 5},
    (TRUNK, "do_lower_case"): {"do_lower_case": True},
    (TRUNK, "query_length"): {"query_length": 5},
    (TRUNK, "document_length"): {"document_length": 5},
    **{(TRUNK, key): nested(key, value) for key, value in CUT.items()},
    (TOP, "prompts"): PROMPTS,
    (TOP, "default_prompt_name"): PROMPTS | {"default_prompt_name": "document"},
    (TOP, "truncate_dim"): {"truncate_dim": 8},
    (POOLING, "pooling_mode"): dict.fromkeys(FLAGS) | {"pooling_mode": ["lasttoken", "cls"]},
    **{(POOLING, flag): pooled_by(flag) for flag in FLAGS},
    (POOLING, "include_prompt"): {"include_prompt": False},
    (DENSE, "out_features"): narrow,
    (DENSE, "bias"): without_bias,
    (DENSE, "activation_function"): {"activation_function": "torch.nn.modules.activation.GELU"},
    (DENSE, "use_residual"): {"use_residual": True},
}
"""What changes the vectors, by row."""
WRONG = {
    (MODULES, "type"): lambda listed: [listed[0], listed[1] | {"type": "sentence_transformers.models.LSTM"}],
    (MODULES, "path"): lambda listed: [listed[0], listed[1] | {"path": "../1_Pooling"}],
    (MODULES, "name"): lambda listed: [each | {"name": "one"} for each in listed],
    (TRUNK, "transformer_task"): {"transformer_task": "sequence-classification"},
    (TRUNK, "modality_config"): {
        "modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}},
        "module_output_name": "token_embeddings",
    },
    (TRUNK, "module_output_name"): {
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "sentence_embedding",
    },
    (TOP, "model_type"): {"model_type": "CrossEncoder"},
    (DENSE, "in_features"): {"in_features": 9},
}
"""What an applied key may not say, where there is nothing else that it could."""
SAID = {
    "attn_implementation": "eager",
    "dtype": "float32",
    "torch_dtype": "float32",
    "padding_side": "right",
    "pad_to_multiple_of": 8,
    "return_tensors": "pt",
    "logits_to_keep": 1,
    "unpad_inputs": False,
    "idx": 9,
    "kwargs": [],
    "embedding_dimension": 5,
    "trust_remote_code": True,
    "backend": "torch",
    "__version__": {},
    "chat_template": {"a": 1},
    "audio": {"a": 1},
    "video": {"a": 1},
}
"""Values that sentence-transformers takes; true elsewhere."""
UNHEARD = ("token", "cache_dir", "revision", "device_map", "low_cpu_mem_usage", "word_embedding_dimension")
"""Keys for which sentence-transformers would want a hub, a package or a folder; or they stand there already."""


def rows(state: str) -> list[Key]:
    return [row for row in ROWS if row.state == state and row.file not in ELSEWHERE]


CHANGING = [row for row in rows(APPLIED) if (row.file, row.key) in CHANGES]


def example(row: Key, value: object) -> dict:
    """The settings that hold a row's key with a value; a key that no row names for `*`."""
    return nested(row.key.replace("*", "not_named"), value)


def theirs(path: Path, side: str | None) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    encode = {None: model.encode, "query": model.encode_query, "document": model.encode_document}[side]
    return np.stack([encode(text) for text in LONG])


def changed(path: Path, row: Key) -> tuple[Path, str | None]:
    """A folder with a row's example, and the side whose vectors it changes."""
    settings = {"prompts": PROMPTS["prompts"]} if row.key == "include_prompt" else {}
    found = plain(path, **settings)
    change = CHANGES[row.file, row.key]
    if callable(change):
        change(found)
    else:
        edited(found, row.file, change)
    if row.key == "pooling_mode":
        # Two vectors side by side are twice as wide as the Dense module takes.
        edited(found, MODULES, lambda listed: listed[:2])
    sides = {"query_length": "query", "document_length": "document", "prompts": "query", "include_prompt": "query"}
    return found, sides.get(row.key)


def test_every_row_has_its_example():
    known = {*CHANGES, *WRONG, (TOP, "similarity_fn_name")}
    assert [(row.file, row.key) for row in rows(APPLIED) if (row.file, row.key) not in known] == []
    assert len({(row.file, row.key) for row in ROWS}) == len(ROWS)
    assert all(row.why for row in ROWS)


@pytest.mark.parametrize("row", CHANGING, ids=lambda row: row.key)
def test_an_applied_key_changes_the_vectors(engine_name: str, tmp_path: Path, row: Key):
    path, side = changed(tmp_path / "m", row)
    settings = {"include_prompt": {"prompts": PROMPTS["prompts"]}, "pooling_mode_mean_tokens": {"pooling": "cls"}}
    before = plain(tmp_path / "before", **settings.get(row.key, {}))
    models = (load(each, engine=engine_name, dtype="float32") for each in (path, before))
    mine, others = (model.encode(LONG, prompt_name=side) for model in models)
    assert mine.shape != others.shape or np.abs(mine - others).max() > 1e-3


@pytest.mark.parametrize("row", CHANGING, ids=lambda row: row.key)
def test_an_applied_key_means_what_sentence_transformers_makes_of_it(
    sentence_transformers: str, engine_name: str, tmp_path: Path, row: Key
):
    path, side = changed(tmp_path / "m", row)
    found = load(path, engine=engine_name, dtype="float32")
    expected = theirs(path, side)
    assert expected.shape[1] == found.dimensions
    np.testing.assert_allclose(found.encode(LONG, prompt_name=side), expected, atol=1e-5)
    convert(str(path), tmp_path / "converted")
    np.testing.assert_allclose(theirs(tmp_path / "converted", side), expected, atol=1e-5)


@pytest.mark.parametrize(("file", "key"), WRONG, ids=lambda part: str(part))
def test_a_value_that_can_not_be_applied_is_refused_by_name(tmp_path: Path, file: str, key: str):
    path = edited(plain(tmp_path / "m"), file, WRONG[file, key])
    for refuse in (lambda: folders.read(path), lambda: convert(str(path), tmp_path / "out")):
        with pytest.raises(CallError) as error:
            refuse()
        said = {"type": "LSTM", "path": "outside the folder", "name": "'one'", "in_features": "expects 9 features"}
        said |= {"modality_config": "pooler_output"}
        assert said.get(key, key) in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("row", rows(REFUSED), ids=lambda row: f"{row.file}:{row.key}")
def test_a_refused_key_is_named_at_load_and_by_convert(tmp_path: Path, row: Key):
    path = edited(plain(tmp_path / "m"), row.file, example(row, "another value"))
    for refuse in (lambda: folders.read(path), lambda: convert(str(path), tmp_path / "out")):
        with pytest.raises(CallError, match=row.key.replace("*", "not_named")):
            refuse()
    for value in (value for value in row.unless if value is not None):
        folders.read(edited(plain(tmp_path / f"ok-{row.unless.index(value)}"), row.file, example(row, value)))


def ignored(path: Path, *, left_out: tuple[str, ...] = ()) -> Path:
    """A folder that says every ignored key at once."""
    found = plain(path)
    for row in rows(IGNORED):
        last = row.key.rpartition(".")[2]
        if last in left_out:
            continue
        change = example(row, SAID.get(last, True))

        def merge(settings: dict | list, change: dict = change) -> dict | list:
            return [each | change for each in settings] if isinstance(settings, list) else merged(settings, change)

        edited(found, row.file, merge)
    return found


def merged(one: dict, other: dict) -> dict:
    both = [key for key in other if isinstance(one.get(key), dict) and isinstance(other[key], dict)]
    return one | other | {key: merged(one[key], other[key]) for key in both}


def test_ignored_keys_change_nothing(engine_name: str, tmp_path: Path):
    path = ignored(tmp_path / "m")
    found = load(path, engine=engine_name, dtype="float32")
    np.testing.assert_array_equal(
        found.encode(LONG), load(plain(tmp_path / "plain"), engine=engine_name, dtype="float32").encode(LONG)
    )
    assert any("not_named" in note for note in found.folder.notes)
    heard: list[str] = []
    convert(str(path), tmp_path / "out", note=heard.append)
    assert len([line for line in heard if "not_named is not known and was left out" in line]) == 5


def test_ignored_keys_change_nothing_for_sentence_transformers(sentence_transformers: str, tmp_path: Path):
    path = ignored(tmp_path / "m", left_out=UNHEARD)
    np.testing.assert_allclose(theirs(path, None), theirs(plain(tmp_path / "plain"), None), atol=1e-6)


@pytest.mark.parametrize(("said", "known"), [("dot", "dot"), ("maxsim", "cosine"), (7, "cosine")])
def test_a_similarity_that_is_not_known_is_cosine(tmp_path: Path, said: object, known: str):
    path = edited(plain(tmp_path / "m"), TOP, {"similarity_fn_name": said})
    assert folders.read(path).similarity_fn_name == known


def lines() -> list[str]:
    """The table as docs/models.md shows it: keys that fare alike share a line."""
    alike: dict[tuple, list[str]] = {}
    # Sections by their newer names; `common` has the keys of `text`.
    for row in (row for row in ROWS if "_args" not in row.key and "_kwargs.common" not in row.key):
        said = row.state if row.state != REFUSED else "refused, but for " + " ".join(map(json.dumps, row.unless))
        said = "refused" if row.state == REFUSED and not row.unless else said
        alike.setdefault((row.file, said, row.why), []).append(f"`{row.key}`".replace("`*`", "any other"))
    return [f"| `{file}` | {', '.join(names)} | {said}: {why} |" for (file, said, why), names in alike.items()]


def test_the_docs_show_the_table():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    shown = [line for line in page.split("\n## Tokenizer files")[0].splitlines() if line.startswith("| `")]
    assert shown == lines()
