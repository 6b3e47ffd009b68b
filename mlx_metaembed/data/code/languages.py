"""The languages that are read: their suffixes, their grammars, and what their trees call functions and classes."""

from dataclasses import dataclass, field

Names = frozenset[str]


@dataclass(frozen=True)
class Language:
    """A language by tree-sitter: `functions` have a field `body`, `scopes` give the field that names them.

    A function's comment stands before the outermost of the `wrappers` around it, or before its `attributes`.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str = ""
    entry: str = "language"
    functions: Names = frozenset()
    scopes: dict[str, str] = field(default_factory=dict)
    wrappers: Names = frozenset()
    comments: Names = frozenset({"comment"})
    attributes: Names = frozenset()

    @property
    def package(self) -> str:
        """The package that has the grammar."""
        return self.module.replace("_", "-")


_JAVASCRIPT = {
    "functions": frozenset(
        {
            "function_declaration",
            "generator_function_declaration",
            "function_expression",
            "generator_function",
            "arrow_function",
            "method_definition",
        }
    ),
    "scopes": {
        "class_declaration": "name",
        "abstract_class_declaration": "name",
        "class": "name",
        "internal_module": "name",
    },
    "wrappers": frozenset(
        {
            "variable_declarator",
            "lexical_declaration",
            "variable_declaration",
            "export_statement",
            "assignment_expression",
            "expression_statement",
            "pair",
            "field_definition",
            "public_field_definition",
        }
    ),
    "attributes": frozenset({"decorator"}),
}
_C = {
    "functions": frozenset({"function_definition"}),
    "wrappers": frozenset({"template_declaration"}),
    "attributes": frozenset({"attribute_declaration", "attribute_specifier"}),
}
LANGUAGES = (
    Language("python", (".py", ".pyi", ".pyw")),
    Language("javascript", (".js", ".mjs", ".cjs", ".jsx"), "tree_sitter_javascript", **_JAVASCRIPT),
    Language(
        "typescript", (".ts", ".mts", ".cts"), "tree_sitter_typescript", entry="language_typescript", **_JAVASCRIPT
    ),
    Language("tsx", (".tsx",), "tree_sitter_typescript", entry="language_tsx", **_JAVASCRIPT),
    Language("go", (".go",), "tree_sitter_go", functions=frozenset({"function_declaration", "method_declaration"})),
    Language(
        "rust",
        (".rs",),
        "tree_sitter_rust",
        functions=frozenset({"function_item"}),
        scopes={"impl_item": "type", "trait_item": "name"},
        comments=frozenset({"line_comment", "block_comment"}),
        attributes=frozenset({"attribute_item"}),
    ),
    Language(
        "java",
        (".java",),
        "tree_sitter_java",
        functions=frozenset({"method_declaration", "constructor_declaration"}),
        scopes={
            "class_declaration": "name",
            "interface_declaration": "name",
            "enum_declaration": "name",
            "record_declaration": "name",
        },
        comments=frozenset({"line_comment", "block_comment"}),
    ),
    Language("c", (".c", ".h"), "tree_sitter_c", **_C),
    Language(
        "cpp",
        (".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".ipp"),
        "tree_sitter_cpp",
        scopes={"class_specifier": "name", "struct_specifier": "name"},
        **_C,
    ),
    Language("elixir", (".ex", ".exs"), "tree_sitter_elixir"),
)
NAMES = tuple(language.name for language in LANGUAGES if language.name != "tsx")
_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_SUFFIX = {suffix: language for language in LANGUAGES for suffix in language.suffixes}
CPP_HEADER = (b"class ", b"namespace ", b"template", b"public:", b"std::")
"""What a header of C does not have."""


def of_suffix(suffix: str) -> Language | None:
    """The language of files with a suffix."""
    return _BY_SUFFIX.get(suffix) or _BY_SUFFIX.get(suffix.lower())


def of_content(language: Language, suffix: str, content: bytes) -> Language:
    """The language of a file with such a content: a header (.h) may be C or C++."""
    is_cpp = suffix == ".h" and any(word in content for word in CPP_HEADER)
    return _BY_NAME["cpp"] if is_cpp else language


def shown(language: Language) -> str:
    """The name that rows and choices have: TSX is TypeScript."""
    return "typescript" if language.name == "tsx" else language.name
