"""`make repro` around the pipeline: its environment, and what it says of results that have changed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT, clean_environment

RESULTS = {"metrics/baseline.json": "{}", "plots/curve.csv": "1", "dvc.lock": "a: 1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A committed project whose `dvc` does what the file `run` says, in an environment that counts as installed."""
    place = tmp_path / "it's a project"
    files = {"Makefile": (ROOT / "Makefile").read_text(), ".gitignore": ".venv/\nrun\n", "params.yaml": "seed: 1"}
    for name, text in (files | RESULTS | {"src/train.py": "", "dvc.yaml": "", "requirements.txt": ""}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "pyproject.toml").touch()
    install(place)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=place, env=clean_environment(), check=True)
    return place


def install(place: Path) -> None:
    for name, text in {"dvc": "sh ./run", "genres": "echo '!! disk: full'; exit 1"}.items():
        tool = place / ".venv/bin" / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(f"#!/bin/sh\n# {place}/.venv/bin/python\n{text}\n")  # pip names the folder at the top
        tool.chmod(0o755)
    (place / ".venv/.installed").touch()


def repro(place: Path, run: str) -> str:
    (place / "run").write_text(run)
    done = subprocess.run(
        ["make", "-s", "repro"], cwd=place, env=clean_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


def test_warnings_come_first_and_stop_nothing(place):
    assert repro(place, "echo reproduced").splitlines() == ["!! disk: full", "reproduced"]


@pytest.mark.parametrize("name", RESULTS)
def test_results_that_only_another_processor_changed_can_be_put_back(place, name):
    said = repro(place, f"echo 2 > {name}").splitlines()[-1]
    cure = said.partition("with: ")[2]
    assert "differ between processors" in said and cure.startswith("git ")
    subprocess.run(["sh", "-c", cure], cwd=place, check=True, capture_output=True)
    status = subprocess.run(["git", "status", "--short"], cwd=place, capture_output=True, text=True, check=True)
    assert status.stdout == ""


@pytest.mark.parametrize("change", ["params.yaml", "src/train.py", "dvc.yaml"])
def test_results_of_changed_parameters_or_code_are_the_users_own(place, change):
    (place / change).write_text("seed: 2")
    assert "processors" not in repro(place, "echo 2 > metrics/baseline.json")


def test_the_environment_of_a_copied_or_renamed_project_is_refused(place):
    copy = place.rename(place.with_name("another"))
    command = ["make", "-s", "repro"]
    done = subprocess.run(command, cwd=copy, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "rm -rf .venv, then the same again" in done.stderr
    assert subprocess.run(["make", "-s", "help"], cwd=copy, capture_output=True, check=True).stdout


# A Python that makes an environment of stubs, and writes down what pip and uv are asked to install.
PYTHON = """#!/bin/sh
case "$*" in
"-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
"-m pip config list") echo "$SETTINGS";;
*uv==*)
    [ "$PIP_STATUS" = 0 ] || exit 1
    printf '#!/bin/sh\\necho uv "$@" >> asked; exit %s\\n' "$UV_STATUS" > .venv/bin/uv
    chmod +x .venv/bin/uv;;
-c*) ;;
*) echo pip "$@" >> asked;;
esac
"""


@pytest.mark.parametrize(
    ("settings", "uv_status", "pip_status", "tools"),
    [
        ("global.extra-index-url='file:///x'", 0, 0, ["uv", "uv"]),
        (":env:.index-url='https://mirror.example/simple'", 0, 0, ["pip", "pip"]),
        ("global.no-index='1'", 0, 0, ["pip", "pip"]),
        ("", 2, 0, ["uv", "pip", "uv", "pip"]),  # uv does not reach its index, for one
        ("", 0, 1, ["pip", "pip"]),  # uv cannot be had
    ],
)
def test_uv_installs_where_it_can(place, tmp_path, settings, uv_status, pip_status, tools):
    shutil.rmtree(place / ".venv")
    python = tmp_path / "stub"
    python.write_text(PYTHON)
    python.chmod(0o755)
    nowhere = {
        "SETTINGS": settings,
        "UV_STATUS": str(uv_status),
        "PIP_STATUS": str(pip_status),
        "PATH": "/usr/bin:/bin",
    }
    subprocess.run(
        ["make", "-s", ".venv/.installed", f"PYTHON={python}"],
        cwd=place,
        env=clean_environment() | nowhere,
        capture_output=True,
        check=True,
    )
    asked = (place / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == tools
    assert sum("requirements.txt" in line for line in asked) == len(tools) / 2
    assert (place / ".venv/.installed").exists()
