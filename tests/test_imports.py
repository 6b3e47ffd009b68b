"""The house's walls: who may import whom, and how quickly the kit answers."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_only_the_engines_import_mlx_and_torch(path: Path):
    module = module_of(path)
    used = {name.split(".")[0] for name in imports(path)} & ENGINES
    if module.startswith("mlx_metaembed.on_mlx"):
        assert used <= {"mlx", "mlx_lm"}
    elif module.startswith("mlx_metaembed.on_torch"):
        assert used <= {"torch", "transformers", "safetensors"}
    elif module.startswith("mlx_metaembed.convert"):
        # Tokenizers are made and checked by transformers, which mlx-lm brings.
        assert used <= {"transformers"} and not imports(path, top=True) & ENGINES
    else:
        assert not used


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_down(path: Path):
    module = module_of(path)
    kit = {name for name in imports(path, top=True) if name.startswith("mlx_metaembed.") and is_module(name)}
    above = [name for name in kit if floor_of(name) > floor_of(module) >= 0]
    assert not above, f"{module} is on floor {floor_of(module)}"


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or a package, not a name inside of one."""
    return any(module == name or module.startswith(f"{name}.") for module in map(module_of, FILES))


def test_nothing_stands_loose_at_the_top():
    assert {path.stem for path in HOUSE.glob("*.py")} == {"__init__", "__main__", "errors", "xp", "embedder"}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_what_is_optional_or_slow_is_imported_late(path: Path):
    module = module_of(path)
    if not module.startswith(("mlx_metaembed.on_", "mlx_metaembed.data.readers.parquet")):
        assert not {name.split(".")[0] for name in imports(path, top=True)} & HEAVY


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_small_and_say_what_they_are(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "the first line says what the file is"


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
