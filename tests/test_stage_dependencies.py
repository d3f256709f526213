"""dvc.yaml lists for each stage exactly the modules of src that its command imports, directly or through others."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
HELPFUL = ["ingest", "ingest.spotify", "clips", "mels", "train", "evaluate", "confounding", "compare", "leak"]
HELPFUL += ["aggregate", "app", "evidence", "export_mels", "predict", "register", "remix", "tune"]
SOURCES = {recipe["source"] for recipe in YAML(typ="safe").load(ROOT / "params.yaml")["datasets"].values()}


def module_file(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
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
    files = {module_file(name) for name in names if name.split(".")[0] == "src"}
    return {file for file in files if file is not None}


def closure(start: Path) -> set[str]:
    seen, waiting = set(), {start}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= imported(path) - seen
    # src/__init__.py is a docstring and no more.
    return {path.relative_to(ROOT).as_posix() for path in seen} - {"src/__init__.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_declared_code_is_what_is_imported(stage):
    command = STAGES[stage].get("cmd")
    module = command.split()[2]
    start = module_file(module)
    package = start.parent if start.name == "__init__.py" else None
    needed = closure(package / "__main__.py" if package else start)
    if stage == "ingest":  # which imports the source that params.yaml names
        needed = needed.union(*(closure(module_file(f"src.ingest.{source}")) for source in SOURCES))
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


@pytest.mark.parametrize("module", HELPFUL)
def test_help_comes_without_loading_keras(module):
    code = f"""
import runpy, sys
sys.argv = ["{module}", "--help"]
try:
    runpy.run_module("src.{module}", run_name="__main__")
except SystemExit as stop:
    assert stop.code == 0
assert not {{"keras", "mlflow", "tensorflow"}} & set(sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: python -m src.{module}")


def test_src_init_holds_no_code():
    (docstring,) = ast.parse((ROOT / "src/__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("module", ["ingest", "clips", "compare", "confounding", "mels"])
def test_light_stages_do_not_import_keras(module):
    start = ROOT / "src" / module
    names = closure(start / "__main__.py" if start.is_dir() else start.with_suffix(".py"))
    assert "src/backend.py" not in names
    if module != "compare":  # which tells MLflow what the best is
        assert "src/tracking.py" not in names
    for name in names:
        assert "import keras" not in (ROOT / name).read_text()
