"""The law of ``policies/``: pure, but for ``documents``, which reads the policy's and the catalogue's files."""

import ast
import sys
from importlib.resources import files
from pathlib import Path

import pytest

FOLDER = Path(str(files("policies")))
MODULES = sorted(FOLDER.glob("*.py"))
ALLOWED = {"policies", "pydantic", "pydantic_core", "ruamel", "idna", "marisa_trie"}
FORBIDDEN_STDLIB = {
    "os",
    "io",
    "socket",
    "subprocess",
    "sqlite3",
    "threading",
    "asyncio",
    "logging",
    "random",
    "shutil",
}
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}
READER = "documents.py"


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def called(tree: ast.AST) -> set[str]:
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {f.id for f in functions if isinstance(f, ast.Name)}
    return names | {f.attr for f in functions if isinstance(f, ast.Attribute)}


@pytest.fixture(params=MODULES, ids=lambda path: path.name)
def module(request) -> Path:
    return request.param


def test_imports_only_what_is_allowed(module):
    """The standard library, the four libraries of the design, and itself; ``proxy`` never."""
    roots = {name.partition(".")[0] for name in imported(ast.parse(module.read_text()))}
    assert roots <= ALLOWED | sys.stdlib_module_names
    assert not roots & FORBIDDEN_STDLIB


def test_reads_no_clock(module):
    """Time comes in as a value."""
    tree = ast.parse(module.read_text())
    assert not called(tree) & CLOCKS
    assert "time" not in imported(tree)


def test_opens_no_file(module):
    """Only the reader of documents opens anything."""
    opening = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "print", "input", "getenv"}
    assert module.name == READER or not called(ast.parse(module.read_text())) & opening


def test_the_scan_finds_what_it_looks_for():
    """The scanner itself: an import of ``proxy``, a clock and a file are seen."""
    tree = ast.parse("import proxy.store\nfrom datetime import datetime\ndatetime.now()\nopen('x')")
    assert "proxy.store" in imported(tree)
    assert {"now", "open"} <= called(tree)
