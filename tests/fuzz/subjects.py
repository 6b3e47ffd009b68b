"""What is changed: model folders, adapters, heads, runs, indexes, data, each with the calls that read it.

A subject's path in a call is `m`, what the call writes is `out`; texts stand in for the rest.
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pickled
from tiny import TEXTS, tiny_folder

from mlx_metaembed import disk, weights
from mlx_metaembed.cli import main
from mlx_metaembed.folder.module_types import DenseModule

GOLDEN = Path(__file__).parent.parent / "golden"
ASKED = ("sort a list of numbers", "open a socket", "join two paths 7")
TRAIN = ("--batch-size", "4", "--iters", "2", "--max-seq-length", "16", "--json")
EMBED = ("embed", "m", *ASKED, "--json")
CONVERT, EXPORT, PLAN = ("convert", "m", "out", "--json"), ("export", "m", "out", "--json"), ("plan", "--model", "m")
QUANTIZE = (*EXPORT, "--to", "mlx", "--group-size", "32")
MODEL_CALLS = (EMBED, EMBED, CONVERT, CONVERT, EXPORT, PLAN)
SPARSE = (("embed", "m", *ASKED, "--head", "splade", "--json"), CONVERT, EXPORT)
TOKENS = (("embed", "m", *ASKED, "--head", "multi_vector", "--json"), CONVERT, EXPORT)
LEXICAL = ("embed", "m", *ASKED, "--head", "lexical", "--json")
PAIRS, MODEL = "pairs.jsonl", "tiny"
"""What calls read beside the subject: names in the built folder, for a call's {pairs} and {model}."""


@dataclass(frozen=True)
class Subject:
    """Something that is changed, and the calls that read it, after the verb with the engine where it computes."""

    name: str
    path: Path
    calls: tuple[tuple[str, ...], ...]


def build(root: Path, alone: Callable[[Callable[[], None]], None]) -> dict[str, Subject]:
    """Every subject, made by the kit itself under `root`; `alone` runs what computes, in a process of its own."""
    tiny = tiny_folder(root / MODEL)
    pairs(root / PAIRS)
    found = [_golden(path) for path in sorted(GOLDEN.iterdir()) if (path / "config.json").is_file()]
    found += [_rich(root / "rich"), _pickled(root / "pickled"), _exported(root / "onnx"), _older(root / "older")]
    found += _made_by_the_kit(root, tiny, alone)
    found += [_data(root / "data" / name, write) for name, write in DATA.items()]
    return {subject.name: subject for subject in found}


def pairs(path: Path) -> None:
    """Twelve pairs of texts."""
    lines = [f'{{"anchor": "{TEXTS[row % 6]} {row}", "positive": "{TEXTS[(row + 1) % 6]} {row}"}}' for row in range(12)]
    path.write_text("\n".join(lines) + "\n")


def _golden(path: Path) -> Subject:
    calls = MODEL_CALLS
    if "splade" in path.name:
        calls = SPARSE
    elif "colbert" in path.name:
        calls = TOKENS
    elif path.name == "bge_m3":
        calls = (EMBED, CONVERT, EXPORT, LEXICAL)
    elif path.name in ("bert", "qwen3", "t5"):
        train = ("train", "--model", "m", "--data", "{pairs}", "--out", "out", *TRAIN)
        calls = (*MODEL_CALLS, QUANTIZE, train, (*train, "--train", "lora"))
    return Subject(path.name, path, calls)


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
    arrays = list(weights.read(path / "model.safetensors").items())
    (path / "model.safetensors").unlink()
    listed = {}
    for at, part in enumerate((arrays[:9], arrays[9:])):
        weights.write(path / f"model-{at}.safetensors", dict(part))
        listed |= {name: f"model-{at}.safetensors" for name, _ in part}
    disk.write_json(path / "model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": listed})
    return Subject("rich", path, MODEL_CALLS)


def _pickled(path: Path) -> Subject:
    shutil.copytree(GOLDEN / "bert", path, ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    pickled.save(path / "pytorch_model.bin", weights.read(GOLDEN / "bert" / "model.safetensors"))
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
    alone(lambda: _unfinished(root / "unfinished", tiny, root / PAIRS))
    data = ("--data", "{pairs}", "--json")
    coded = (
        ("embed", "m", *ASKED, "--head", "codes", "--json"),
        ("eval", "m", *data, "--codes", "codes"),
        *MODEL_CALLS,
    )
    return [
        Subject("adapter", root / "adapter", (EMBED, EXPORT, (*CONVERT, "--base", "{model}"))),
        Subject("coded", root / "coded", coded),
        Subject("unfinished", root / "unfinished", (("train", "--resume", "--out", "m", "--json"),)),
        Subject("index", root / "index", (("search", "m", *ASKED, "--json"),)),
        Subject("quantized", root / "quantized", (EMBED, CONVERT, EXPORT)),
    ]


def _unfinished(out: Path, tiny: Path, data: Path) -> None:
    """A run that was stopped after its first step of three."""
    from mlx_metaembed.recipe import Recipe
    from mlx_metaembed.train import Watch, train

    settings = {"batch_size": 4, "iters": 3, "engine": "mlx", "optimizer": "adamw_8bit", "fsq": "4x6"}
    steps: list[dict] = []
    try:
        train(
            Recipe(model=str(tiny), data=str(data), out=str(out), **settings),
            watch=Watch(step=steps.append, stopped=lambda: bool(steps)),
        )
    except Exception:
        if not any(out.glob("checkpoint-*")):
            raise


def _data(path: Path, write: Callable[[Path], None]) -> Subject:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    where = f"m{path.suffix}"
    calls = (
        ("train", "--model", "{model}", "--data", where, "--out", "out", *TRAIN),
        ("eval", "{model}", "--data", where, "--json"),
        ("index", "{model}", where, "out", "--json"),
    )
    if path.suffix == ".txt":
        calls = (
            ("embed", "{model}", "--input", where, "--json"),
            ("embed", "{model}", "--input", where, "--output", "out.npy"),
        )
    if path.suffix == ".toml":
        calls = (("train", where, "--engine", "mlx"), ("plan", where))
    return Subject(f"data:{path.name}", path, calls)


def _jsonl(path: Path) -> None:
    pairs(path)


def _scored(path: Path) -> None:
    path.write_text(
        "".join(
            f'{{"sentence1": "{text}", "sentence2": "{text} 3", "score": 0.{at}}}\n' for at, text in enumerate(TEXTS)
        )
    )


def _csv(path: Path) -> None:
    between = "\t" if path.suffix == ".tsv" else ","
    rows = [between.join(("anchor", "positive", "negative"))]
    rows += [between.join(f'"{text}, {at + part}"' for part in range(3)) for at, text in enumerate(TEXTS)]
    path.write_text("\n".join(rows) + "\n")


def _parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {"anchor": TEXTS, "positive": [f"{text} 1" for text in TEXTS]}
    parquet.write_table(pyarrow.table(columns), path)


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("create table pairs (anchor text, positive text)")
        base.executemany("insert into pairs values (?, ?)", [(text, f"{text} 1") for text in TEXTS])
    base.close()


def _beir(path: Path) -> None:
    (path / "qrels").mkdir(parents=True)
    (path / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "d{at}", "title": "", "text": "{text}"}}\n' for at, text in enumerate(TEXTS))
    )
    (path / "queries.jsonl").write_text(
        "".join(f'{{"_id": "q{at}", "text": "{text} 1"}}\n' for at, text in enumerate(TEXTS))
    )
    rows = "".join(f"q{at}\td{at}\t1\n" for at in range(len(TEXTS)))
    for split in ("train", "test"):
        (path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def _python(path: Path) -> None:
    path.mkdir()
    for at, text in enumerate(TEXTS):
        lines = (
            f"def function_{at}(a, b):",
            f'    """{text.capitalize()}."""',
            f"    total = a + {at}",
            "    return total * b",
        )
        (path / f"module_{at}.py").write_text("\n".join(lines) + "\n")


def _texts(path: Path) -> None:
    path.write_text("\n".join(TEXTS) + "\n")


def _recipe(path: Path) -> None:
    lines = {"model": "{model}", "data": "{pairs}", "out": "out", "matryoshka": [32, 16], "fsq": "4x6"}
    lines |= {"batch_size": 4, "iters": 1, "learning_rate": 1e-3, "train": "full", "symmetric": True}
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in lines.items()))


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


DATA: Mapping[str, Callable[[Path], None]] = {
    "pairs.jsonl": _jsonl,
    "scored.jsonl": _scored,
    "triplets.csv": _csv,
    "triplets.tsv": _csv,
    "pairs.parquet": _parquet,
    "pairs.db": _sqlite,
    "beir": _beir,
    "source": _python,
    "texts.txt": _texts,
    "recipe.toml": _recipe,
}
