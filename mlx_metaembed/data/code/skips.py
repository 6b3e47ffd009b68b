"""Which files are passed over, by their paths and by what is in them, and why."""

import re
from collections.abc import Sequence

MOST_BYTES = 4 << 20
"""Bytes of a file: as a tree, source takes some hundred times as much. The standard library's largest has 0.8 MB."""
VENDORED = frozenset(
    (
        *("node_modules", "bower_components", "jspm_packages", "vendor", "vendored", "_vendor", "third_party"),
        *("third-party", "thirdparty", "3rdparty", "external", "externals", "extern", "Pods", "Carthage"),
        *("site-packages", "dist-packages", "venv", "virtualenv", "__pycache__", "_build"),
    )
)
BUILT = {
    "target": ("Cargo.toml", "pom.xml", "build.sbt"),
    "build": ("package.json", "setup.py", "pyproject.toml", "build.gradle", "build.gradle.kts", "CMakeLists.txt"),
    "dist": ("package.json", "setup.py", "pyproject.toml"),
    "out": ("package.json", "build.gradle", "build.gradle.kts"),
    "deps": ("mix.exs",),
}
"""Folders that a build fills, where one of these files stands beside them."""
TESTS = frozenset(["test", "tests", "__tests__", "testdata", "test_data", "fixtures", "e2e", "idle_test", "unittests"])
TEST_FILE = re.compile(
    r"test_.*\.py|.*_test\.(?:py|go|c|cc|cpp|exs?)|.*[._-](?:test|spec)\.(?:[cm]?[jt]sx?)|.*Tests?\.java|.*_test\.exs"
)
GENERATED_NAME = re.compile(
    r".*(?:_pb2(?:_grpc)?\.pyi?|\.pb(?:\.gw)?\.(?:go|cc|h)|_pb\.(?:js|d\.ts)|\.g\.(?:[jt]s|dart)|_generated\.\w+|"
    r"\.(?:generated|gen)\.\w+|_string\.go|zz_generated.*|parsetab\.py|.*\.tab\.[ch]|lex\.yy\.c)"
)
MINIFIED_NAME = re.compile(r".*[.-](?:min|bundle|pack(?:ed)?)\.[cm]?js")
GENERATED = re.compile(
    rb"^[ \t]*(?://+|#+|\*+|/\*+|--|;|\"\"\"|<!--)[ \t!]*(?:.*@generated\b|.*\bdo not (?:edit|modify)\b|"
    rb"auto-?\s?generated\b|"
    rb"(?:automatically\s+)?generated\s+(?:by|from|on|automatically)\b|"
    rb"(?:this\s+)?(?:file|code|source|module|header)\s+(?:(?:is|was|has been)\s+)?(?:automatically\s+|auto-?\s?)?"
    rb"generated\b)",
    re.IGNORECASE | re.MULTILINE,
)
START = 2_000
"""Bytes in which a file says that a program wrote it."""
LINE = 200
"""Bytes of a line on average, from which on nobody wrote them; programs that people write have some 35."""


def of_folder(name: str, beside: Sequence[str], *, tests: bool) -> str | None:
    """Why a folder is passed over; `beside` are the names that stand beside it."""
    if name.startswith("."):
        return "hidden"
    if name in VENDORED or any(each in beside for each in BUILT.get(name, ())):
        return "vendored"
    return "tests" if name in TESTS and not tests else None


def of_name(name: str, *, tests: bool) -> str | None:
    """Why a file is passed over, by its name."""
    if name.startswith("."):
        return "hidden"
    if MINIFIED_NAME.fullmatch(name):
        return "minified"
    if GENERATED_NAME.fullmatch(name):
        return "generated"
    return "tests" if TEST_FILE.fullmatch(name) and not tests else None


def of_path(path: str, *, tests: bool) -> str | None:
    """Why a file is passed over, by the folders that it is in and its name."""
    *folders, name = path.split("/")
    found = (of_folder(folder, (), tests=tests) for folder in folders)
    return next(filter(None, found), None) or of_name(name, tests=tests)


def of_content(content: bytes) -> str | None:
    """Why a file is passed over, by what is in it."""
    if len(content) > MOST_BYTES:
        return "too large"
    if b"\0" in content:
        return "binary"
    if GENERATED.search(content, 0, START):
        return "generated"
    return "minified" if len(content) > START and len(content) > LINE * (content.count(b"\n") + 1) else None
