"""Compare dvc.yaml with the imports, and hold the order of the packages."""

import ast
import importlib.metadata
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from checkout import ROOT
from click.testing import CliRunner
from ruamel.yaml import YAML

from genres.cli import COMMANDS, EXTRAS, app

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}
SRC = ROOT / "src"
# A package imports only from those before it.
PACKAGES = ["core", "stats", "audio", "compute", "figures", "sources", "remixing", "models", "data", "tracking"]
PACKAGES += ["training", "inference", "experiments", "tuning", "library", "page"]
SCRIPTS = sorted(path.stem for path in SRC.glob("*.py"))
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
SOURCES = {recipe["source"] for recipe in PARAMS["datasets"].values()}


def module_file(name: str) -> Path | None:
    path = SRC / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imported_names(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside of functions, and what it imports from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported(path: Path) -> set[Path]:
    """Return the files of src that a file imports, also inside of functions."""
    names = imported_names(path)
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


def test_the_lists_of_architectures_in_dvc_yaml_are_the_default_ones():
    """Which DVC cannot take from params.yaml outside of stages."""
    (curves,) = PIPELINE["plots"][0].values()
    trained = [name for name in PARAMS["architectures"] if "discriminant" not in PARAMS["models"][name]]
    assert set(curves["y"]) == {f"plots/{name}/history.csv" for name in trained}
    artifacts = {artifact["path"] for artifact in PIPELINE["artifacts"].values()}
    assert artifacts == {f"models/{name}.keras" for name in PARAMS["architectures"]}


def test_dvcs_page_begins_with_the_leaderboard_and_the_learning_curves():
    """DVC writes charts first, then pictures by folder; the page's style sheet orders them by their ids."""
    page = (ROOT / ".dvc/plots.html").read_text(encoding="utf-8")
    order = dict(re.findall(r"(#\w+|\[id\^=\"\w+\"\]|body > div) \{ order: (\d)", page))
    chart = next(iter(PIPELINE["plots"][0]))
    pictures = [re.sub(r"\W", "_", next(iter(plot))) for plot in STAGES["compare"]["plots"]]
    assert "plots_compare_leaderboard_png" in pictures
    first, second, *others = sorted(order, key=order.__getitem__)
    assert (first, second) == ("#plots_compare_leaderboard_png", f"#{chart}")
    assert others[0] == '[id^="plots_compare_"]'


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


def test_tests_import_benchmarks_only_to_test_them():
    files = (path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "benchmarks")
    assert [path for path in files if re.search("^ *(from|import) benchmarks", path.read_text(), re.MULTILINE)] == []


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The extras that a package's imports may need on top of the base.
EXTRAS_OF = {package: ["train"] for package in PACKAGES} | {"compute": ["cluster"], "cli.py": []}
EXTRAS_OF |= {"sources": ["train", "spotify"], "page": ["train", "page"]}


def distributions(requirements: list[str]) -> set[str]:
    """The names of required packages, normalised."""
    return {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", line)[0]).lower() for line in requirements}


def with_their_own(names: set[str]) -> set[str]:
    """Packages and what they always install, one level deep."""
    needed = [line for name in names for line in importlib.metadata.requires(name) or [] if "extra ==" not in line]
    return names | distributions(needed)


PROVIDERS = importlib.metadata.packages_distributions()


def installed_by(module: str) -> set[str]:
    return distributions(PROVIDERS.get(module, []))


def third_party(path: Path) -> set[str]:
    """Return the modules from outside that a file imports, also inside of functions."""
    tops = {name.split(".")[0] for name in imported_names(path)}
    return tops - {"genres", "jax", *sys.stdlib_module_names}  # JAX is a choice of the user


@pytest.mark.parametrize("package", [*PACKAGES, "cli.py"])
def test_what_a_package_imports_is_in_the_base_or_in_its_extra(package):
    place = SRC / "genres" / package
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    allowed = distributions(PROJECT["dependencies"])
    for extra in EXTRAS_OF[package]:
        allowed |= distributions(PROJECT["optional-dependencies"][extra])
    allowed = with_their_own(allowed)
    for file in files:
        for module in third_party(file):
            assert installed_by(module) & allowed, f"{file.name} imports {module}"


def test_each_requirement_is_imported():
    used = set().union(*(installed_by(name) for path in (SRC / "genres").rglob("*.py") for name in third_party(path)))
    listed = distributions([*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())])
    assert listed <= used


def test_the_command_knows_the_modules_of_each_extra():
    assert set(EXTRAS) == set(PROJECT["optional-dependencies"])
    for extra, requirements in PROJECT["optional-dependencies"].items():
        listed = distributions(requirements)
        provided = [installed_by(module) & listed for module in EXTRAS[extra]]
        assert all(provided) and set().union(*provided) == listed


@pytest.mark.parametrize(
    ("module", "extra"), [("gradio", "page"), ("mlflow.entities", "train"), ("requests", "spotify")]
)
def test_a_missing_extra_is_one_line(module, extra, monkeypatch):
    def main(arguments):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("genres.inference.answer.main", main)
    result = CliRunner().invoke(app, ["predict", "song.wav"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: genres predict: {module.split('.')[0]} is not installed; ")
    assert line.endswith(f'pip install "music-genres[{extra}]"')


def test_only_tracking_imports_mlflow():
    users = {path.parent.name for path in SRC.rglob("*.py") if "import mlflow" in path.read_text(encoding="utf-8")}
    assert users == {"tracking", "inference"}  # the latter in serving.py, which MLflow loads


def test_no_script_has_the_name_of_a_module_that_is_installed():
    """Python puts a script's folder first: another package's `import evaluate` would find the stage."""
    installed = {*PROVIDERS, *sys.stdlib_module_names}
    assert not installed & set(SCRIPTS)


# Asks each stage and command for its help; tells status, what was printed, and which heavy modules there are by then.
HELP = """
import contextlib, io, json, runpy, sys
from genres.cli import app
shown = {}
for name in sys.argv[1:]:
    printed, status, sys.argv = io.StringIO(), 0, [name, "--help"]
    with contextlib.redirect_stdout(printed):
        try:
            if name.endswith(".py"):
                runpy.run_path(name, run_name="__main__")
            else:
                app(sys.argv, prog_name="genres")
        except SystemExit as stop:
            status = stop.code or 0
    shown[name] = [status, printed.getvalue(), sorted({"keras", "mlflow", "tensorflow"} & set(sys.modules))]
print(json.dumps(shown))
"""


def test_help_comes_without_loading_keras():
    names = {f"{script}.py": f"usage: python src/{script}.py" for script in SCRIPTS}
    names |= {name: f"usage: genres {name}" for name in COMMANDS}
    shown = subprocess.run([sys.executable, "-c", HELP, *names], cwd=SRC, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for name, (status, printed, loaded) in json.loads(shown.stdout).items():
        assert (status, printed.startswith(names[name]), loaded) == (0, True, []), f"{name}: {printed}"


def test_the_command_lists_all_and_names_what_it_does_not_know():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)
    result = CliRunner().invoke(app, ["predikt"])
    assert result.exit_code == 2 and "predikt" in result.output


@pytest.mark.parametrize("script", ["ingest", "clips", "mels", "inputs", "pretrained", "compare", "confounding"])
def test_light_stages_do_not_import_keras(script):
    names = closure(SRC / f"{script}.py")
    assert "src/genres/models/backend.py" not in names
    if script != "compare":  # which tells MLflow what the best is
        assert not any("/tracking/" in name for name in names)
    for name in names:
        assert "import keras" not in (ROOT / name).read_text()


@pytest.mark.parametrize(("command", "extra"), [("app", "page"), ("spotify", "spotify"), ("tune", "train")])
def test_of_a_module_of_several_extras_the_commands_own_is_named(command, extra, monkeypatch):
    def main(arguments):
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr(f"{COMMANDS[command][0]}.main", main)
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 2
    assert result.stderr.endswith(f'pip install "music-genres[{extra}]"\n')
