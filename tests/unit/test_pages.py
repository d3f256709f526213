"""The pages: their links lead somewhere, their commands exist and take the options that are shown."""

import functools
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from click.testing import CliRunner
from ruamel.yaml import YAML

from genres.cli import COMMANDS, app

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/**/README.md")])
PAGES = [page for page in PAGES if "raw" not in page.parts]
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
TOOLS = ("make", "genres", "dvc", "python")


def commands(page: Path) -> Iterator[list[str]]:
    """The commands in a page's code blocks, continued lines joined, without comments and surrounding variables."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if not (fenced or line.startswith("    ")):
            continue
        for part in re.split(r"&&|\||;", re.sub(r"\s#.*$", "", line.strip().removeprefix("$ "))):
            try:
                words = shlex.split(part)
            except ValueError:
                continue
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words and words[0] in TOOLS:
                yield words


@functools.cache
def help_of(*command: str) -> str:
    if command[0] == "genres":
        result = CliRunner().invoke(app, [*command[1:], "--help"])
        assert result.exit_code == 0, f"{' '.join(command)}: {result.output}"
        return result.output
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def check_options(words: list[str], helped: str) -> None:
    for word in words:
        option = word.split("=")[0]
        if re.fullmatch(r"--[a-z][\w-]*", option):
            assert option in helped, f"{option} is no option of it"


def check_overrides(words: list[str]) -> None:
    for flag, value in itertools.pairwise(words):
        if flag == "-S" and not value.startswith(("+", "~")):
            node = PARAMS
            for key in value.split("=")[0].split("."):
                assert key in node, f"{value}: params.yaml has no {key}"
                node = node[key]


def check(words: list[str]) -> None:
    tool, *rest = words
    check_overrides(words)
    if tool == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
        named = [word for word in rest if "=" not in word and not word.startswith("-")]
        assert set(named) <= set(targets), f"{named}: no such target"
    elif tool == "genres":
        name = next((word for word in rest if not word.startswith("-")), None)
        if name is None or name == "COMMAND":
            return
        assert name in COMMANDS, f"{name}: no such command"
        steps = (name, rest[1]) if name == "spotify" and len(rest) > 1 and not rest[1].startswith("-") else (name,)
        check_options(rest, help_of("genres", *steps))
    elif tool == "dvc":
        steps = [word for word in rest[:2] if re.fullmatch(r"[a-z]+", word)]
        group = (
            steps[:2]
            if steps[:1] in (["exp"], ["queue"], ["remote"], ["metrics"], ["params"], ["plots"])
            else steps[:1]
        )
        check_options([word for word in rest if word != "--"], help_of(sys.executable, "-m", "dvc", *group))
    elif rest[:1] == ["-m"]:
        module = rest[1].split(".")
        if module[0] in ("benchmarks", "genres"):
            base = ROOT if module[0] == "benchmarks" else ROOT / "src"
            place = base.joinpath(*module)
            assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), f"{rest[1]}: no such module"
            assert module[0] == "benchmarks" or len(module) == 1, "a command for people is `genres`"
    elif rest and rest[0].endswith(".py"):
        assert (ROOT / rest[0]).exists(), f"{rest[0]}: no such script"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_exist(page: Path) -> None:
    wrong = []
    for words in commands(page):
        try:
            check(words)
        except AssertionError as error:
            wrong.append(f"{' '.join(words)}: {str(error).splitlines()[0]}")
    assert not wrong, "\n".join(wrong)


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{target}: no such file"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in map(slug, headings), f"{target}: no such heading"


def test_the_readme_is_short_and_its_tree_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    named = {path.name for path in (ROOT / "src/genres").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert all(re.search(rf"^    (\w+/ )*{name}/ ", text, flags=re.M) for name in named), (
        "a package is missing in the tree"
    )


def test_no_page_calls_a_module_that_is_gone() -> None:
    for page in PAGES:
        assert not re.findall(r"python -m src\b|\bsrc\.\w+", page.read_text(encoding="utf-8")), page
