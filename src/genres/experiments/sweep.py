"""Plan and run a sweep over protocols, seeds, folds and shares, each experiment with `dvc exp run --temp`.

Shared by `genres leak --run`, `genres aggregate --run` and `genres learning-curve --run`. An experiment's name contains
data set, protocol, seed, fold and share of the artists, and ends with a digest of everything else it depends on: the
parameters in use, the code and the songs. So no experiment is run twice, a stopped call resumes, and a change gives new
experiments instead of a mixture of old and new.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from ruamel.yaml import YAML

from genres.core import params
from genres.core.code import declared
from genres.core.console import UserError
from genres.core.params import Params, SplitParams
from genres.experiments import runner
from genres.experiments.revisions import REPETITION, Revision, flat, in_use

PROTOCOLS = get_args(SplitParams.model_fields["protocol"].annotation)
# Parameters in the name of an experiment, hence not in its digest.
NAMED = (*REPETITION, "split.folds", "split.protocol", "split.train_share")
_PATH = re.compile(r"(?P<key>datasets\.[^.=]+\.(dir|songs_dir|metadata|tree))=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Experiment:
    """Experiment of a sweep: name and `-S` overrides, and data set and digest, which all of the sweep share."""

    name: str
    overrides: tuple[str, ...]
    dataset: str
    digest: str


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """Return the argument parser that the commands with `--run` share."""
    result = argparse.ArgumentParser(prog=f"genres {program}", description=description)
    result.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="names as `dvc exp list` shows them")
    result.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture, too")
    group = result.add_argument_group("to run experiments instead of naming them (existing ones are not rerun)")
    group.add_argument("--run", action="store_true", help="run them now, each in a temporary copy of the project")
    group.add_argument("--protocols", type=_words, metavar="A,B", help=f"of {', '.join(PROTOCOLS)}")
    group.add_argument("--seeds", type=_numbers, metavar="1,2", help="default: the seed of params.yaml")
    group.add_argument("--folds", type=int, metavar="K", help="all K folds of a cross-validation")
    group.add_argument("-S", dest="overrides", action="append", metavar="KEY=VALUE", help="as for `dvc exp run`")
    group.add_argument("--jobs", type=int, default=1, metavar="N", help="experiments at a time (default: 1)")
    return result


def _words(text: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(",")))
    unknown = [word for word in words if word not in PROTOCOLS]
    if unknown:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(PROTOCOLS)}")
    return words


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"needs whole numbers such as 1,2,3; received '{text}'")
    return list(dict.fromkeys(map(int, text.split(","))))


def chosen(
    arguments: argparse.Namespace, protocols: Sequence[str] | None = None, shares: Sequence[float] | None = None
) -> list[str]:
    """Return the names of the experiments; with `--run`, run those that are missing first.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments parsed by :func:`parser`.
    protocols : list of str, optional
        Protocols that are run if `--protocols` is not given; default: the one of params.yaml.
    shares : list of float, optional
        Shares of the artists; default: the one of params.yaml.

    Raises
    ------
    UserError
        If the arguments contradict each other, or an experiment fails.
    """
    for_run = {name: getattr(arguments, name) for name in ("protocols", "seeds", "folds", "overrides")}
    if not arguments.run:
        if not arguments.experiments:
            raise UserError("nothing to show: name experiments (see: dvc exp list), or run them with --run")
        for name, value in for_run.items():
            if value is not None:
                raise UserError(f"{'-S' if name == 'overrides' else f'--{name}'}: goes with --run only")
        return list(dict.fromkeys(arguments.experiments))
    if arguments.experiments:
        raise UserError(f"{arguments.experiments[0]}: name experiments, or run them with --run; not both")
    if arguments.jobs < 1:
        raise UserError(f"--jobs: needs at least 1; received {arguments.jobs}")
    for_run["protocols"] = for_run["protocols"] or protocols
    experiments = plan(**for_run, shares=shares)
    names = [experiment.name for experiment in experiments]
    failed = runner.run({experiment.name: experiment.overrides for experiment in experiments}, arguments.jobs)
    done = runner.existing().intersection(names)
    record([experiment for experiment in experiments if experiment.name in done])
    if failed:
        name, reason = next(iter(failed.items()))
        others = f" and {len(failed) - 1} more" * (len(failed) > 1)
        raise UserError(
            f"experiment {name}{others} failed: {reason}; see {os.path.relpath(runner.log_of(name))}; "
            f"{len(done)} of {len(names)} experiments are done; fix the cause and run the same command again"
        )
    return names


def plan(
    overrides: Sequence[str] | None = None,
    protocols: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    folds: int | None = None,
    shares: Sequence[float] | None = None,
) -> list[Experiment]:
    """List the experiments of a sweep: each protocol with each seed, fold and share; None: params.yaml's value.

    Raises
    ------
    UserError
        If the parameters with the overrides are not valid.
    """
    given = [quoted(override) for override in overrides or []]
    numbers: list[Any] = [None] if folds is None else list(range(max(folds, 1)))
    planned = []
    # Seeds and folds are outermost, so that a sweep stopped half-way has complete repetitions.
    any_of: list[Sequence[Any]] = [seeds or [None], numbers, shares or [None], protocols or [None]]
    for seed, fold, share, protocol in itertools.product(*any_of):
        own = {"split.protocol": protocol, "seed": seed, "split.folds": folds, "split.fold": fold}
        own["split.train_share"] = share
        lines = given + [f"{key}={value}" for key, value in own.items() if value is not None]
        lines += absolute_folders(changed(lines)[1])
        planned.append(_named(tuple(lines), *changed(lines)))
    return planned


def _named(overrides: tuple[str, ...], values: dict[str, Any], settings: Params) -> Experiment:
    dataset, split = settings.dataset, settings.split
    digest = _digest(values, settings)
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', dataset)}-{split.protocol}-seed{settings.seed}"
    if split.folds is not None:
        name += f"-fold{split.fold}of{split.folds}"
    if split.train_share < 1:
        name += f"-share{split.train_share:g}"
    return Experiment(f"{name}-{digest}", overrides, dataset, digest)


def quoted(override: str) -> str:
    """Quote the path of a data set for Hydra, which else rejects `=`, `,`, `(` or `&`; other values stay."""
    match = _PATH.fullmatch(override)
    if match is None or re.fullmatch(r"'.*'|\".*\"", match["value"], re.DOTALL):
        return override
    # Hydra needs a backslash before each quote and before each backslash that precedes a quote or the end.
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", match["value"])
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f"{match['key']}='{escaped}'"


def changed(overrides: Sequence[str], path: Path = Path("params.yaml")) -> tuple[dict[str, Any], Params]:
    """Apply overrides as `dvc exp run -S` does; return the parameters as written in YAML, and validated."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        try:
            apply_overrides(str(copy), list(overrides))
        except DvcException as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise UserError(f"-S: invalid override ({reason}); received {' '.join(overrides)}") from None
        try:
            settings = params.load(copy)
        except UserError as error:
            raise UserError(str(error).replace(str(copy), f"{path} with -S")) from None
        return YAML(typ="safe").load(copy.read_text(encoding="utf-8")), settings


def absolute_folders(settings: Params) -> list[str]:
    """Return overrides that make the data set's folders absolute, since experiments run in a copy elsewhere.

    Raises
    ------
    UserError
        If one is missing.
    """
    lines = []
    for field in ("dir", "songs_dir"):
        folder = getattr(settings.recipe, field, None)
        if folder is None:
            continue
        key, place = f"datasets.{settings.dataset}.{field}", folder.expanduser().resolve()
        if not place.exists():
            raise UserError(f"{key}: {place}: no such folder; write the absolute path of one")
        if not folder.is_absolute():
            lines.append(quoted(f"{key}={place}"))
    return lines


def _digest(values: dict[str, Any], settings: Params) -> str:
    """Return six characters that identify everything a result depends on beside seed, fold and protocol."""
    used = {
        name: value
        for name, value in flat(values)
        if name not in NAMED and in_use(name, settings.dataset, settings.architectures)
    }
    listed = hashlib.sha256(json.dumps(used, sort_keys=True, default=str).encode())
    for path in declared(Path()):
        listed.update(path.as_posix().encode() + path.read_bytes())
    for field in ("dir", "songs_dir"):
        folder = getattr(settings.recipe, field, None)
        for path in sorted(folder.rglob("*")) if folder is not None else []:
            size = path.stat().st_size if path.is_file() else ""
            listed.update(os.fsencode(f"{path.relative_to(folder)} {size}"))  # a name may not be UTF-8
    if (tree := getattr(settings.recipe, "tree", None)) is not None and tree.expanduser().is_file():
        listed.update(tree.expanduser().read_bytes())
    return listed.hexdigest()[:6]


def record(experiments: Sequence[Experiment]) -> None:
    """Gather the MLflow runs of experiments under one parent run with their mean scores."""
    if not experiments:
        return
    from genres.tracking import runs  # imported here, since loading MLflow takes seconds

    run_ids: list[str] = []
    protocols: dict[str, None] = {}
    scores: dict[str, list[float]] = defaultdict(list)
    for experiment in experiments:
        revision = Revision(experiment.name)
        protocol = revision.params["split.protocol"]
        protocols[protocol] = None
        kept = revision.params["split.train_share"]
        share = f"/share{kept:g}" if kept < 1 else ""
        for row in revision.leaderboard:
            for key in ("val_track_accuracy", "track_accuracy"):
                name = key if key.startswith("val") else f"test_{key}"
                scores[f"{protocol}{share}/{row['arch']}/{name}"].append(row[key])
            if row["n_parameters"] is not None:
                run_ids.append(revision.card(row["arch"])["run_id"])
    first = experiments[0]
    runs.group_runs(
        first.dataset,
        first.digest,
        run_ids,
        tags={"dataset": first.dataset, "protocols": ", ".join(protocols), "experiments": len(experiments)},
        metrics={name: float(np.mean(values)) for name, values in scores.items()},
    )
