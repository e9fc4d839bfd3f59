"""Imports flow one way, our packages are ours, and habits that would hurt are absent."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("shared", "cloud", "edge", "export")
ALLOWED = {
    "shared": {"shared"},
    "export": {"export", "shared"},
    "edge": {"edge", "export", "shared"},
    "cloud": {"cloud", "export", "shared"},
}
SIMULATOR = Path("cloud/lab")  # runs agents beside the coordinator, and alone may import both
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
MAY_UNPICKLE = {"shared/data/batch_pickle.py"}  # CIFAR's own files, through an unpickler that builds arrays only


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_modules(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", node.lineno))
    return found


def violations(path: Path, text: str) -> list[str]:
    place = path.relative_to(ROOT)
    allowed = ALLOWED[place.parts[0]] | ({"edge"} if SIMULATOR in place.parents else set())
    foreign = set(PACKAGES) - allowed
    return [
        f"{place}:{line} imports {module}: {place.parent} may import only {sorted(allowed)}"
        for module, line in imported_modules(ast.parse(text))
        if module.split(".")[0] in foreign
    ]


def test_imports_follow_the_table() -> None:
    found = [line for path in sources() for line in violations(path, path.read_text())]
    assert not found, "\n".join(found)


def test_the_rule_bites() -> None:
    assert violations(ROOT / "shared" / "made_up.py", "from cloud.planning import plan_round\n")
    assert violations(ROOT / "edge" / "made_up.py", "import cloud\n")
    assert not violations(ROOT / "cloud" / "made_up.py", "from shared.heads import Head\n")


def test_our_packages_are_not_shadowed_by_namesakes() -> None:
    for package in PACKAGES:
        module = importlib.import_module(package)
        where = Path(str(module.__file__)).resolve().parent
        assert where == ROOT / package, f"{package} is imported from {where}, a namesake shadows ours in {ROOT}"


def test_nothing_unpickles_but_the_restricted_reader_of_cifar_files() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in MAY_UNPICKLE
        for module, line in imported_modules(ast.parse(path.read_text()))
        if module.split(".")[0] in FORBIDDEN_MODULES
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_assert_and_no_file_of_two_nouns(path: Path) -> None:
    text = path.read_text()
    asserts = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assert)]
    assert not asserts, f"{path}: assert in lines {asserts}; data from outside is checked with raise"
    assert text.count("\n") <= 300, f"{path} has {text.count(chr(10))} lines: is there a second noun in it?"


def test_no_file_is_named_like_a_dependency() -> None:
    taken = {"onnx", "torch", "typer", "alembic", "sqlalchemy", "paho", "amqtt", "numpy", "safetensors", "msgspec"}
    clashes = [path for path in sources() if path.stem in taken | set(sys.stdlib_module_names) - {"__init__"}]
    allowed = {ROOT / "shared" / "errors.py"}
    assert not set(clashes) - allowed, clashes
