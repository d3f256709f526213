"""Compare dvc.yaml with the imports, and hold the order of the packages."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from click.testing import CliRunner
from ruamel.yaml import YAML

from genres.cli import COMMANDS, app

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
SRC = ROOT / "src"
# A package imports only from those before it.
PACKAGES = ["core", "stats", "audio", "compute", "figures", "sources", "models", "data", "tracking", "training"]
PACKAGES += ["inference", "experiments", "tuning", "page"]
SCRIPTS = sorted(path.stem for path in SRC.glob("*.py"))
SOURCES = {recipe["source"] for recipe in YAML(typ="safe").load(ROOT / "params.yaml")["datasets"].values()}


def module_file(name: str) -> Path | None:
    path = SRC / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported(path: Path) -> set[Path]:
    """Files of src that a file imports, also inside of functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    # Importing a module runs the __init__.py of the packages around it.
    names |= {name.rpartition(".")[0] for name in names}
    files = {module_file(name) for name in names if name.split(".")[0] in ("genres", *SCRIPTS)}
    return {file for file in files if file is not None}


def is_only_a_docstring(path: Path) -> bool:
    return path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) == 1


def closure(start: Path) -> set[str]:
    seen, waiting = set(), {start}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= imported(path) - seen
    return {path.relative_to(ROOT).as_posix() for path in seen if not is_only_a_docstring(path)}


@pytest.mark.parametrize("stage", STAGES)
def test_declared_code_is_what_is_imported(stage):
    script = STAGES[stage]["cmd"].split()[1]
    assert script in STAGES[stage]["deps"]
    needed = closure(ROOT / script)
    if stage == "ingest":  # which imports the source that params.yaml names
        needed = needed.union(*(closure(module_file(f"genres.sources.{source}")) for source in SOURCES))
    declared = {dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")}
    # A folder stands for all of its files: the sources of ingest and the builders of models are chosen by name.
    files = {
        file.relative_to(ROOT).as_posix()
        for dep in declared
        for file in ([ROOT / dep] if (ROOT / dep).is_file() else (ROOT / dep).rglob("*.py"))
    }
    assert needed <= files, "imported but not declared"
    for dep in declared:
        covered = {dep} if (ROOT / dep).is_file() else {name for name in files if name.startswith(f"{dep}/")}
        assert covered & needed, f"{dep} is declared but not imported"


@pytest.mark.parametrize("path", sorted((SRC / "genres").rglob("*.py")), ids=lambda path: path.stem)
def test_a_package_imports_only_from_those_before_it(path):
    place = path.relative_to(SRC / "genres").parts
    if len(place) == 1:
        return  # cli.py, which may use all
    allowed = PACKAGES[: PACKAGES.index(place[0]) + 1]
    for other in imported(path):
        there = other.relative_to(SRC).parts
        assert there[0] == "genres", f"{other.name}: a script, which nothing imports"
        assert len(there) == 2 or there[1] in allowed, f"{place[0]} must not import {there[1]}"
        assert there[1] not in ("cli.py", "__main__.py")


def test_no_module_imports_itself_through_others():
    files = sorted((SRC / "genres").rglob("*.py"))
    # Packages' own __init__.py aside, which Python runs first whatever it holds.
    after = {path: {other for other in imported(path) if other.name != "__init__.py"} for path in files}
    while leaves := [path for path in after if not after[path] & set(after)]:
        for path in leaves:
            del after[path]
    assert not after, f"a circle: {sorted(path.stem for path in after)}"


def test_only_tracking_imports_mlflow():
    users = {path.parent.name for path in SRC.rglob("*.py") if "import mlflow" in path.read_text(encoding="utf-8")}
    assert users == {"tracking", "inference"}  # the latter in serving.py, which MLflow loads


def test_no_script_has_the_name_of_a_module_that_is_installed():
    """Python puts a script's folder first: another package's `import evaluate` would find the stage."""
    installed = {*importlib.metadata.packages_distributions(), *sys.stdlib_module_names}
    assert not installed & set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_of_a_stage_comes_without_loading_keras(script):
    code = f"""
import runpy, sys
sys.path.insert(0, "src")
sys.argv = ["src/{script}.py", "--help"]
try:
    runpy.run_path("src/{script}.py", run_name="__main__")
except SystemExit as stop:
    assert stop.code == 0
assert not {{"keras", "mlflow", "tensorflow"}} & set(sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: python src/{script}.py")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_comes_without_loading_keras(name):
    code = f"""
import sys
from genres.cli import app
try:
    app(["{name}", "--help"], prog_name="genres")
except SystemExit as stop:
    assert not stop.code
assert not {{"keras", "mlflow", "tensorflow"}} & set(sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], cwd=SRC, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: genres {name}")


def test_the_command_lists_all_and_names_what_it_does_not_know():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)
    result = CliRunner().invoke(app, ["predikt"])
    assert result.exit_code == 2 and "predikt" in result.output


@pytest.mark.parametrize("script", ["ingest", "clips", "mels", "compare", "confounding"])
def test_light_stages_do_not_import_keras(script):
    names = closure(SRC / f"{script}.py")
    assert "src/genres/models/backend.py" not in names
    if script != "compare":  # which tells MLflow what the best is
        assert not any("/tracking/" in name for name in names)
    for name in names:
        assert "import keras" not in (ROOT / name).read_text()
