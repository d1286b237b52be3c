"""What ``import xbar`` offers: public names and nothing else, each importable, each typed."""

import ast
import builtins
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import xbar

ROOT = Path(__file__).parents[1]
PACKAGES = [name for name in dir(xbar) if inspect.ismodule(getattr(xbar, name))]
FACADES = ["xbar", *(f"xbar.{name}" for name in PACKAGES)]


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("package", FACADES)
def test_every_name_that_dir_shows_is_there_and_public(package):
    module = import_module(package)
    for name in dir(module):
        value = getattr(module, name)
        assert name == "__version__" or not name.startswith("_") or package != "xbar"
        assert getattr(value, "__module__", package) != "typing"
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018 - looking it up is what is tested


def test_dir_shows_no_machinery():
    leaked = {"Any", "TYPE_CHECKING", "annotations", "import_module", "public_names"}
    for package in FACADES:
        shown = set(dir(import_module(package)))
        assert not leaked & shown
        assert not [name for name in shown if name.startswith("_") and name != "__version__"]


def test_dir_does_not_change_with_what_was_imported():
    before, after = run(
        "import xbar; print(dir(xbar)); import xbar.cli.main, xbar.compiler.job; print(dir(xbar))"
    ).splitlines()
    assert before == after


@pytest.mark.parametrize("name", ["circuit", "hardware", "simulation", "sizing", "effects"])
def test_packages_are_attributes_without_an_import_of_their_own(name):
    assert run(f"import xbar; print(xbar.{name}.__name__)") == f"xbar.{name}\n"


def test_import_loads_nothing_heavy():
    heavy = "numpy scipy numba torch ortools pydantic rich typer".split()
    assert run(f"import sys, xbar; print([n for n in {heavy} if n in sys.modules])") == "[]\n"


def test_the_version_has_one_source():
    text = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in text
    assert 'path = "xbar/version.py"' in text
    assert not re.search(r"^version = ", text, re.MULTILINE)
    assert re.fullmatch(r"\d+\.\d+\.\d+", xbar.__version__)


def test_users_get_our_types():
    assert (ROOT / "xbar/py.typed").exists()


@pytest.mark.parametrize("package", [p for p in FACADES if hasattr(import_module(p), "_HOME")])
def test_type_checkers_see_the_names_that_python_finds(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    # the solvers may not look up at the sizing that stands on them, so checkers can't see it there
    above = {"bankdesign", "laws"} if package == "xbar.subset" else set()
    homes = {name: home for name, home in module._HOME.items() if name not in above}
    assert {n: m for n, m in seen.items() if m != package} == homes
    assert {n for n, m in seen.items() if m == package} <= set(module.__all__)


def sources(value):
    """The annotations of a function, or of a class's fields and public methods."""
    if inspect.isfunction(value):
        yield value.__module__, value.__annotations__.values()
        return
    yield value.__module__, getattr(value, "__annotations__", {}).values()
    for name, member in vars(value).items():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        function = getattr(function, "__func__", function)
        if not name.startswith("_") and inspect.isfunction(function):
            yield function.__module__, function.__annotations__.values()


def classes(value):
    """The classes of xbar that a value's annotations name."""
    for home, annotations in sources(value):
        module = sys.modules[home]
        tree = ast.parse(Path(module.__file__).read_text())
        imported = {
            alias.asname or alias.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for word in re.findall(r"(?<!\.)\b\w+", " ".join(map(str, annotations))):
            found = vars(module).get(word)
            if found is None and imported.get(word, "").startswith("xbar."):
                found = getattr(import_module(imported[word]), word)
            if inspect.isclass(found) and found.__module__.startswith("xbar."):
                yield found


# not met by users: the protocol of what is taken as a ticket, and what values keep for themselves
INNER = {"_Start", "SignedMapping", "Ticket", "TunedCells"}


def test_every_class_that_a_public_name_takes_or_gives_is_public_itself():
    public = [getattr(xbar, name) for name in dir(xbar)]
    public = [value for value in public if inspect.isclass(value) or inspect.isfunction(value)]
    offered = {
        id(getattr(module, name)) for module in map(import_module, FACADES) for name in dir(module)
    }
    hidden = {
        f"{value.__name__}: {found.__module__}.{found.__name__}"
        for value in public
        for found in classes(value)
        if id(found) not in offered and found.__name__ not in INNER
    }
    assert not hidden


def imports(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_import_xbar_and_nothing_from_inside(path):
    ours = [module for module, _ in imports(path) if module.split(".")[0] == "xbar"]
    assert ours == ["xbar"]
    assert " or 0.0" not in path.read_text()


def test_no_public_name_hides_a_builtin_but_compile():
    assert set(dir(xbar)) & set(dir(builtins)) == {"compile"}


def test_a_name_stays_a_function_where_its_module_has_the_same_name():
    code = (
        "import xbar.circuit.transfers, xbar.simulation.cells, xbar;"
        "from xbar.circuit import transfers;"
        "print(callable(xbar.circuit.transfers), transfers is xbar.circuit.transfers)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "True"]
