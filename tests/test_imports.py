"""The house's walls: who may import whom, and how quickly the kit answers."""

import ast
import functools
import subprocess
import sys
import tomllib
from pathlib import Path

import mlx_metaembed
import mlx_metaembed.convert

HOUSE = Path(mlx_metaembed.__file__).parent
CONVERT = Path(mlx_metaembed.convert.__file__).parent
FILES = [*HOUSE.rglob("*.py"), *CONVERT.rglob("*.py")]
ENGINES = {"mlx", "mlx_lm", "torch", "transformers", "safetensors"}
HEAVY = {
    "pyarrow",
    "usearch",
    "huggingface_hub",
    "tokenizers",
    "transformers",
    "onnx",
    "PIL",
    "tensorboard",
    "wandb",
    "redis",
    "mteb",
}
FLOORS = (
    ("errors", "xp"),
    ("files", "codes", "quantizers", "progress"),
    ("config", "layers", "data", "vector_cache"),
    ("folder",),
    ("adapters", "inputs", "cards"),
    ("heads",),
    ("losses",),
    ("recipe", "engine"),
    ("on_mlx", "on_torch", "embedder"),
    ("search", "convert", "mining"),
    ("evaluate", "export", "training", "semantic_ids"),
    ("report", "conditioned_lm"),
    ("cli",),
    ("__main__",),
)
"""The rooms from the ground up; each imports from its own floor or below."""


def module_of(path: Path) -> str:
    base, prefix = (CONVERT, "mlx_metaembed.convert.") if CONVERT in path.parents else (HOUSE, "mlx_metaembed.")
    return (prefix + ".".join(path.relative_to(base).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


@functools.cache
def imports(path: Path, *, top: bool = False) -> set[str]:
    """Modules that a file imports; `top`: only those imported as soon as the file is."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        node = todo.pop()
        late = isinstance(node, ast.FunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        if top and late:
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def floor_of(module: str) -> int:
    """The floor of a module's room, -1 of the kit's own __init__. Raises StopIteration where no floor has it."""
    if "." not in module:
        return -1
    room = module.split(".")[1]
    return next(floor for floor, rooms in enumerate(FLOORS) if room in rooms)


def foreign(module: str, path: Path) -> set[str]:
    """Engines that a file imports and may not."""
    used = {name.split(".")[0] for name in imports(path)} & ENGINES
    if module.startswith("mlx_metaembed.on_mlx"):
        return used - {"mlx", "mlx_lm"}
    if module.startswith("mlx_metaembed.on_torch"):
        return used - {"torch", "transformers", "safetensors"}
    if module.startswith("mlx_metaembed.convert"):
        # Tokenizers are made and checked by transformers, which mlx-lm brings.
        return used - {"transformers"} | {name.split(".")[0] for name in imports(path, top=True)} & ENGINES
    return used


def test_only_the_engines_import_mlx_and_torch():
    found = {module: foreign(module, path) for module, path in MODULES.items()}
    assert {module: used for module, used in found.items() if used} == {}


def test_imports_point_down():
    above = [
        f"{module} on floor {floor_of(module)} imports {name}"
        for module, path in MODULES.items()
        for name in imports(path, top=True)
        if is_module(name) and floor_of(name) > floor_of(module) >= 0
    ]
    assert above == []


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or a package, not a name inside of one."""
    return name in MODULES


def test_nothing_stands_loose_at_the_top():
    assert {path.stem for path in HOUSE.glob("*.py")} == {"__init__", "__main__", "errors", "xp", "embedder"}


def test_what_is_optional_or_slow_is_imported_late():
    free = ("mlx_metaembed.on_", "mlx_metaembed.data.readers.parquet")
    found = {
        module: {name.split(".")[0] for name in imports(path, top=True)} & HEAVY
        for module, path in MODULES.items()
        if not module.startswith(free)
    }
    assert {module: early for module, early in found.items() if early} == {}


def test_files_are_small_and_say_what_they_are():
    texts = {path: path.read_text() for path in FILES}
    assert [path for path, text in texts.items() if len(text.splitlines()) > 300] == []
    # The first line says what the file is.
    assert [path for path, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


def test_importing_the_kit_or_its_command_line_imports_no_engine():
    program = (
        "import sys, mlx_metaembed, mlx_metaembed.cli, mlx_metaembed.recipe;"
        "print([name for name in ('mlx', 'torch', 'transformers', 'usearch', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_reads_few_modules():
    """What makes --help slow is what it imports: of the kit, its command line and errors alone."""
    program = (
        "import sys; from mlx_metaembed.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('mlx_metaembed.')], 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = ["mlx_metaembed.cli.signals", "mlx_metaembed.errors", "mlx_metaembed.cli"]
    assert done.stdout.splitlines()[-1] == f"{modules} False"


def test_every_package_is_installed():
    """A folder that pyproject.toml does not list is missing from a wheel, though an editable install has it."""
    listed = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {module_of(path) for path in FILES if path.name == "__init__.py"}
    assert found == set(listed)
