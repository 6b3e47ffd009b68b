"""The subjects: model folders, adapters, heads, runs and indexes, each with the calls that read it; and all data."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf_files
import numpy as np
import pickled
from checkpoints import sharded
from tiny import TEXTS, tiny_folder

from fuzz import data_subjects, source_subjects
from fuzz.subject import GOLDEN, MODEL, PAIRS, TRAIN, Subject, pairs
from mlx_metaembed.cli import main
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder.module_types import DenseModule

ASKED = ("sort a list of numbers", "open a socket", "join two paths 7")
EMBED = ("embed", "m", *ASKED, "--json")
CONVERT, EXPORT, PLAN = ("convert", "m", "out", "--json"), ("export", "m", "out", "--json"), ("plan", "--model", "m")
QUANTIZE = (*EXPORT, "--to", "mlx", "--group-size", "32")
MODEL_CALLS = (EMBED, EMBED, CONVERT, CONVERT, EXPORT, PLAN)
SPARSE = (("embed", "m", *ASKED, "--head", "splade", "--json"), CONVERT, EXPORT)
TOKENS = (("embed", "m", *ASKED, "--head", "multi_vector", "--json"), CONVERT, EXPORT)
LEXICAL = ("embed", "m", *ASKED, "--head", "lexical", "--json")


def build(root: Path, alone: Callable[[Callable[[], None]], None]) -> dict[str, Subject]:
    """Every subject, made by the kit itself under `root`; `alone` runs what computes, in a process of its own."""
    tiny = tiny_folder(root / MODEL)
    pairs(root / PAIRS)
    found = [_golden(path) for path in sorted(GOLDEN.iterdir()) if (path / "config.json").is_file()]
    found += [_gguf(root / "gguf.gguf"), _gguf(root / "pieces.gguf", pieces=True)]
    found += [_rich(root / "rich"), _pickled(root / "pickled"), _exported(root / "onnx"), _older(root / "older")]
    found += _made_by_the_kit(root, tiny, alone)
    found += data_subjects.build(root / "data") + source_subjects.build(root / "sources")
    return {subject.name: subject for subject in found}


def _golden(path: Path) -> Subject:
    calls = MODEL_CALLS
    if "splade" in path.name:
        calls = SPARSE
    elif "colbert" in path.name:
        calls = TOKENS
    elif path.name in ("clip", "siglip"):
        photo = ("embed", "m", "--image", "{photo}", "--json")
        calls = (EMBED, CONVERT, EXPORT, photo, photo)
    elif path.name == "bge_m3":
        calls = (EMBED, CONVERT, EXPORT, LEXICAL)
    elif path.name in ("bert", "qwen3", "t5"):
        train = ("train", "--model", "m", "--data", "{pairs}", "--out", "out", *TRAIN)
        calls = (*MODEL_CALLS, QUANTIZE, train, (*train, "--train", "lora"))
    return Subject(path.name, path, calls)


def _gguf(path: Path, *, pieces: bool = False) -> Subject:
    """A llama that is pooled, with byte pairs or with SentencePiece's pieces."""
    said: dict = {"llama__pooling_type": 3, "tokenizer__chat_template": None}
    if pieces:
        words = ["<unk>", "<s>", *(f"<0x{at:02X}>" for at in range(256)), *"▁abcdefghijk"][: gguf_files.WORDS]
        kinds = np.array([2, 3] + [6] * 256 + [1] * (len(words) - 258), np.int32)
        said |= {
            "tokenizer__ggml__model": "llama",
            "tokenizer__ggml__tokens": words,
            "tokenizer__ggml__token_type": kinds,
        }
        said |= {
            "tokenizer__ggml__scores": -np.arange(len(words), dtype=np.float32),
            "tokenizer__ggml__bos_token_id": 1,
        }
        said |= {"tokenizer__ggml__unknown_token_id": 0, "tokenizer__ggml__merges": None}
    call = ("convert", f"m{path.suffix}", "out", "--json")
    return Subject(path.stem, gguf_files.llama(path, **said), (call,))


def _rich(path: Path) -> Subject:
    """Every declaring file, two Dense modules, prompts, and the weights in two shards."""
    dense = (
        DenseModule("2_Dense", 32, 24, activation_function="torch.nn.modules.activation.Tanh"),
        DenseModule("3_Dense", 24, 12),
    )
    tiny_folder(path, dense=dense, prompts={"query": "q: ", "document": "d: "}, default_prompt_name="query")
    disk.write_json(
        path / "tokenizer_config.json",
        {"model_max_length": 32, "cls_token": "[CLS]", "pad_token": "[PAD]", "tokenizer_class": "BertTokenizer"},
    )
    disk.write_json(path / "special_tokens_map.json", {"unk_token": "[UNK]", "sep_token": {"content": "[SEP]"}})
    sharded(path)
    return Subject("rich", path, MODEL_CALLS)


def _pickled(path: Path) -> Subject:
    shutil.copytree(GOLDEN / "bert", path, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    pickled.save(path / "pytorch_model.bin", safetensors.read(GOLDEN / "bert" / "model.safetensors"))
    return Subject("pickled", path, (CONVERT,))


def _exported(path: Path) -> Subject:
    shutil.copytree(GOLDEN / "bert", path, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    shutil.copyfile(GOLDEN / "onnx" / "bert-legacy.onnx", path / "model.onnx")
    return Subject("onnx", path, (CONVERT,))


def _older(path: Path) -> Subject:
    """A tokenizer in its older files, and a trunk in a folder of its own."""
    shutil.copytree(
        GOLDEN / "bert", path / "0_Transformer", ignore=shutil.ignore_patterns("*_*", "modules.json", "*.npz")
    )
    for name in ("1_Pooling", "modules.json", "config_sentence_transformers.json"):
        copy = shutil.copytree if (GOLDEN / "bert" / name).is_dir() else shutil.copyfile
        copy(GOLDEN / "bert" / name, path / name)
    listed = disk.read_json(path / "modules.json")
    disk.write_json(path / "modules.json", [listed[0] | {"path": "0_Transformer"}, *listed[1:]])
    (path / "0_Transformer" / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({word for text in TEXTS for word in text.split()})]
    (path / "0_Transformer" / "vocab.txt").write_text("\n".join(words) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 32}
    disk.write_json(path / "0_Transformer" / "tokenizer_config.json", settings)
    return Subject("older", path, (CONVERT, EMBED))


def _made_by_the_kit(root: Path, tiny: Path, alone: Callable) -> list[Subject]:
    """An adapter, a code head, an unfinished run, an index, a quantized model: as the commands leave them."""
    common = ["--model", str(tiny), "--data", str(root / PAIRS), "--engine", "mlx", *TRAIN]
    notes = root / "notes.txt"
    notes.write_text("\n".join(TEXTS) + "\n")
    index = ("--engine", "mlx", "--dtype", "i8")
    for words in (
        ["train", *common, "--train", "lora", "--lora-rank", "4", "--out", str(root / "adapter")],
        ["train", *common, "--fsq", "4x6", "--dense", "16", "--out", str(root / "coded")],
        ["index", str(tiny), str(notes), str(root / "index"), *index],
        ["export", str(tiny), str(root / "quantized"), "--to", "mlx", "--group-size", "32"],
    ):
        alone(lambda words=words: main(words))
    _others_adapters(root, tiny)
    alone(lambda: _unfinished(root / "unfinished", tiny, root / PAIRS))
    data = ("--data", "{pairs}", "--json")
    coded = (
        ("embed", "m", *ASKED, "--head", "codes", "--json"),
        ("eval", "m", *data, "--codes", "codes"),
        *MODEL_CALLS,
    )
    return [
        Subject("adapter", root / "adapter", (EMBED, EXPORT, (*CONVERT, "--base", "{model}"))),
        Subject("adapter_pickled", root / "adapter_pickled", ((*CONVERT, "--base", "{model}"),)),
        Subject("adapter_mlx_lm", root / "adapter_mlx_lm", ((*CONVERT, "--base", "{model}"), EMBED)),
        Subject("coded", root / "coded", coded),
        Subject("unfinished", root / "unfinished", (("train", "--resume", "--out", "m", "--json"),)),
        Subject("index", root / "index", (("search", "m", *ASKED, "--json"),)),
        Subject("quantized", root / "quantized", (EMBED, CONVERT, EXPORT)),
    ]


def _others_adapters(root: Path, tiny: Path) -> None:
    """The kit's adapter as PEFT pickles one, and in mlx-lm's words."""
    arrays = safetensors.read(root / "adapter" / "adapter_model.safetensors")
    files = ("adapter_config.json", "README.md")
    for name in ("adapter_pickled", "adapter_mlx_lm"):
        (root / name).mkdir()
        for file in files:
            if (root / "adapter" / file).is_file():
                shutil.copyfile(root / "adapter" / file, root / name / file)
    pickled.save(root / "adapter_pickled" / "adapter_model.bin", arrays)
    parts = {"lora_A.weight": "lora_a", "lora_B.weight": "lora_b"}
    renamed = {}
    for name, array in arrays.items():
        part = next(part for part in parts if name.endswith(part))
        renamed[name.removeprefix("base_model.model.").removesuffix(part) + parts[part]] = array.T
    safetensors.write(root / "adapter_mlx_lm" / "adapters.safetensors", renamed)
    settings = {"rank": 4, "scale": 2.0, "dropout": 0.0, "keys": None}
    said = {"model": str(tiny), "fine_tune_type": "lora", "num_layers": 2, "lora_parameters": settings}
    disk.write_json(root / "adapter_mlx_lm" / "adapter_config.json", said)


def _unfinished(out: Path, tiny: Path, data: Path) -> None:
    """A run that was stopped after its first step of three."""
    from mlx_metaembed.recipe import Recipe
    from mlx_metaembed.training import Callbacks, train

    settings = {"batch_size": 4, "iters": 3, "engine": "mlx", "optimizer": "adamw_8bit", "fsq": "4x6"}
    steps: list[dict] = []
    try:
        train(
            Recipe(model=str(tiny), data=str(data), out=str(out), **settings),
            callbacks=[Callbacks(step=steps.append, stopped=lambda: bool(steps))],
        )
    except Exception:
        if not any(out.glob("checkpoint-*")):
            raise
