"""Search hyperparameters of an architecture for the highest accuracy on validation; never looks at the test set.

    genres tune [ARCHITECTURE] [--trials N] [--write]

What is searched stands under `tune` in params.yaml. Each trial trains on the data of the workspace for some epochs and
counts by its best epoch's accuracy over validation clips; one that falls below the median of the others is cut short.
The study lies in .cache/tune/ and a search that was killed goes on to the same result. Pictures and a table of the
trials come to plots/tune/<architecture>/, and with --write the best values to params.yaml. With compute.scheduler, as
many trials run at a time as a cluster has workers (docs/cluster.md).
"""

import argparse
import hashlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML
from tqdm import tqdm

from genres.compute.client import Cluster
from genres.core import params
from genres.core.console import UserError, command, print_table
from genres.core.files import atomic, write_table
from genres.core.params import Params
from genres.core.paths import cache_dir
from genres.core.text import whose
from genres.figures import search
from genres.figures.style import save
from genres.training.schedule import History
from genres.tuning import trial as elsewhere
from genres.tuning.space import Values, lowest, present, spaces, suggest, with_values

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres tune", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", nargs="?", help="one of `models` in params.yaml (default: tune.architecture)")
    parser.add_argument(
        "--trials", type=int, metavar="N", help="in all, with those of earlier calls (default: tune.trials)"
    )
    parser.add_argument("--write", action="store_true", help="write the best values to params.yaml")
    arguments = parser.parse_args(argv)
    settings = params.load()
    architecture = arguments.architecture or settings.tune.architecture
    if architecture not in settings.models:
        raise UserError(f"architecture '{architecture}' is none of {', '.join(settings.models)}")
    trials = settings.tune.trials if arguments.trials is None else arguments.trials
    if trials < 1:
        raise UserError(f"--trials: needs at least 1; received {trials}")

    study = find(architecture, settings, trials)
    best = study.best_trial
    draw(study, architecture, settings)
    show(study, architecture, settings)
    if arguments.write:
        write_best(Path("params.yaml"), architecture, best.user_attrs["values"])
        print(f"params.yaml: the best values are written to models.{architecture}")
    else:
        print("params.yaml is as it was; the same command with --write takes the best values into it")


def find(architecture: str, settings: Params, n_trials: int) -> optuna.Study:
    """Search, or go on searching, until `n_trials` trials are done."""
    for name in settings.tune.train:
        if name in settings.recipe.train:
            raise UserError(f"params.yaml: tune.train.{name}: datasets.{settings.dataset}.train sets it, and would win")
    from genres.tracking import runs  # loads MLflow, and below Keras: not for --help and a misspelt name
    from genres.training.loop import Training

    data = Training(architecture, with_values(settings, architecture, lowest(settings)))
    if data.devices.hosts > 1:
        raise UserError("tune: searches on one host; run it without KERAS_DISTRIBUTION_… in the environment")
    database = cache_dir("tune") / f"{architecture}-{_key(data, settings)}.sqlite3"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with FileLock(f"{database}.lock", timeout=0):
            study = optuna.create_study(
                storage=f"sqlite:///{database}",
                study_name=architecture,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(settings.tune.startup_trials, settings.tune.warmup_epochs),
            )
            run_name = f"tune {architecture}"
            with runs.run(settings.dataset, run_name, study.user_attrs.get("run_id")) as run:
                study.set_user_attr("run_id", run.run_id)
                _describe(run, architecture, settings)
                _forget_killed(study)
                _search(study, architecture, settings, n_trials)
                best = study.best_trial
                run.metrics({"best_val_accuracy": best.value, "trials": len(finished(study))})
                run.tags({f"best.{key}": value for key, value in best.user_attrs["values"].items()})
            for trial in finished(study):
                runs.tag(trial.user_attrs["run_id"], {"best": trial.number == best.number})
    except Timeout:
        raise UserError(f"{database}: another process is searching this; wait until it has ended") from None
    return study


def _search(study: optuna.Study, architecture: str, settings: Params, n_trials: int) -> None:
    done = len(finished(study))
    if 0 < done < n_trials:
        print(f"going on after {done} trials", flush=True)
    with tqdm(total=n_trials, initial=min(done, n_trials), unit="trial", disable=not sys.stderr.isatty()) as bar:
        for _ in _attempts(study, architecture, settings, range(done, n_trials)):
            complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
            if complete:
                bar.set_postfix(best=f"{study.best_value:.1%}")
            bar.update()
    if not any(trial.state == TrialState.COMPLETE for trial in finished(study)):
        raise UserError(f"{architecture}: no trial came to a number; lower the learning rates under tune.train")


def _attempts(study: optuna.Study, architecture: str, settings: Params, numbers: range) -> Iterator[None]:
    """Make trials, one after the other or as many at a time as there are workers; yields after each."""
    if settings.compute.scheduler is not None and numbers:
        yield from _on_cluster(study, architecture, settings, numbers)
        return
    for number in numbers:
        study.sampler = sampler(number, architecture, settings)
        attempt(study.ask(), study, architecture, settings)
        yield


def _on_cluster(study: optuna.Study, architecture: str, settings: Params, numbers: range) -> Iterator[None]:
    """Ask, prune and log here; train on the workers."""
    asked: dict[int, optuna.Trial] = {}
    reported: set[tuple[int, int]] = set()
    known = elsewhere.data()

    def tasks() -> Iterator[tuple[int, tuple[Any, ...]]]:
        for number in numbers:
            study.sampler = sampler(number, architecture, settings)
            trial = study.ask()
            asked[trial.number] = trial
            yield trial.number, (str(Path.cwd()), known, architecture, settings, draw_values(trial, settings))

    def answer(number: int, epoch: dict[str, float]) -> bool:
        trial, step = asked[number], int(epoch["epoch"])
        if (number, step) not in reported:  # else its worker has died, and another one has begun anew
            reported.add((number, step))
            trial.report(epoch["val_accuracy"], step)
        return step < settings.tune.epochs and trial.should_prune()

    from genres.tracking import runs

    assert settings.compute.scheduler is not None
    with Cluster(settings.compute.scheduler) as cluster:
        for number, (history, is_complete) in cluster.each(elsewhere.train, tasks(), answer):
            trial = asked.pop(number)
            with runs.run(settings.dataset, f"{architecture} trial {number}", nested=True) as run:
                trial.set_user_attr("run_id", run.run_id)
                run.params(trial.user_attrs["values"])
                for step, epoch in enumerate(history, start=1):
                    run.metrics({key: value for key, value in epoch.items() if key != "epoch"}, step=step)
                state = TrialState.COMPLETE if is_complete else TrialState.PRUNED
                _conclude(study, trial, run, history, state, settings, architecture)
            yield


def draw_values(trial: optuna.Trial, settings: Params) -> Values:
    """Let the study draw a trial's values, and note them with it as they are used."""
    values = {name: suggest(trial, name, space) for name, space in spaces(settings.tune).items()}
    trial.set_user_attr("values", values)
    return values


def sampler(number: int, architecture: str, settings: Params) -> optuna.samplers.BaseSampler:
    """What draws the values of the trial that follows `number` finished ones.

    Its random numbers follow from the seed and that number alone, so that a search that was killed goes on as if it had
    not been. The first trial has the values of params.yaml: what is found is never worse than them.
    """
    seed = int(np.random.default_rng([settings.seed, number]).integers(2**31))
    tree = optuna.samplers.TPESampler(seed=seed, n_startup_trials=settings.tune.startup_trials)
    if number > 0:
        return tree
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.PartialFixedSampler(present(architecture, settings), tree)


def attempt(trial: optuna.Trial, study: optuna.Study, architecture: str, settings: Params) -> None:
    """Train with the values of a trial, as an MLflow run of its own, and tell the study what came of it."""
    from genres.tracking import runs
    from genres.training.fitting import DivergedError
    from genres.training.loop import Training

    values = draw_values(trial, settings)
    tune = settings.tune
    history: History = []
    with runs.run(settings.dataset, f"{architecture} trial {trial.number}", nested=True) as run:
        trial.set_user_attr("run_id", run.run_id)
        run.params(values)
        training = Training(
            architecture,
            with_values(settings, architecture, values),
            epochs=tune.epochs,
            early_stopping_patience=None,
        )

        def after_epoch() -> None:
            epoch = len(history)
            run.metrics({key: value for key, value in history[-1].items() if key != "epoch"}, step=epoch)
            trial.report(history[-1]["val_accuracy"], epoch)
            if epoch < tune.epochs and trial.should_prune():
                raise optuna.TrialPruned

        state = TrialState.COMPLETE
        try:
            training.fit(training.new_model(), history, after_epoch, verbose=0)
        except (optuna.TrialPruned, DivergedError):
            state = TrialState.PRUNED
        _conclude(study, trial, run, history, state, settings, architecture)


def _conclude(
    study: optuna.Study,
    trial: optuna.Trial,
    run: Any,
    history: History,
    state: TrialState,
    settings: Params,
    architecture: str,
) -> None:
    """Tell the study and MLflow what came of a trial."""
    run.tags({"architecture": architecture, "state": state.name.lower(), "protocol": settings.split.protocol})
    if state == TrialState.COMPLETE:
        best = max(epoch["val_accuracy"] for epoch in history)
        run.metrics({"best_val_accuracy": best})
        study.tell(trial, best)
    else:
        study.tell(trial, state=state)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that came to an end; a killed one is done again, under a new number."""
    return study.get_trials(states=FINISHED)


def _key(training: Any, settings: Params) -> str:
    """Identifies a study: data, code, and all settings but those that are searched and the number of trials."""
    tune = settings.tune.model_dump_json(exclude={"trials", "architecture"})
    return hashlib.sha256(f"{training.key} {settings.split.protocol} {tune}".encode()).hexdigest()[:12]


def _forget_killed(study: optuna.Study) -> None:
    from genres.tracking import runs

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if "run_id" in trial.user_attrs:
            runs.mark_killed(trial.user_attrs["run_id"])
        study.tell(trial.number, state=TrialState.FAIL)


def _describe(run: Any, architecture: str, settings: Params) -> None:
    protocol = settings.split.protocol
    run.params({"tune": settings.tune.model_dump(exclude={"trials", "architecture"}), "seed": settings.seed})
    run.tags({"architecture": architecture, "dataset": settings.dataset, "protocol": protocol, "sweep": "tune"})
    run.tags({"leaky": protocol == "clip"})


def rows(study: optuna.Study) -> list[dict[str, Any]]:
    """The finished trials: number (from 1), value (the best accuracy of its epochs), pruned, epochs, and the values."""
    found = []
    for number, trial in enumerate(finished(study), start=1):
        epochs = list(trial.intermediate_values.values())
        if epochs:
            row = {"trial": number, "val_accuracy": max(epochs), "epochs": len(epochs)}
            found.append(row | {"pruned": trial.state == TrialState.PRUNED} | trial.user_attrs["values"])
    return found


def importance(study: optuna.Study, seed: int) -> dict[str, float]:
    """Share of the variance of the results that each parameter explains (fANOVA, Hutter et al. 2014).

    Empty where the complete trials are too few, or all alike.
    """
    complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def draw(study: optuna.Study, architecture: str, settings: Params) -> None:
    """Write plots/tune/<architecture>/."""
    folder, table = Path("plots/tune") / architecture, rows(study)
    protocol = settings.split.protocol
    note = f"{whose(settings.dataset, protocol)}; {settings.tune.epochs} epochs a trial, accuracy over validation clips"
    title = f"{architecture}: {len(table)} trials"
    save(search.history(table, title=title, note=note), folder / "history.png")
    searched = spaces(settings.tune)
    logarithmic = {name for name, space in searched.items() if space.log}
    shares = importance(study, settings.seed)
    save(search.slices(table, list(searched), logarithmic, shares, title=title, note=note), folder / "slices.png")
    write_table(folder / "trials.csv", pd.DataFrame(table))


def show(study: optuna.Study, architecture: str, settings: Params) -> None:
    """Print the five best trials."""
    names = list(spaces(settings.tune))
    best = sorted(rows(study), key=lambda row: (row["pruned"], -row["val_accuracy"], row["trial"]))[:5]
    print_table(
        f"{architecture}: the best of {len(finished(study))} trials by validation, "
        f"{whose(settings.dataset, settings.split.protocol)}",
        ["trial", "val accuracy", "epochs", *names],
        [[row["trial"], f"{row['val_accuracy']:.1%}", row["epochs"], *(row[name] for name in names)] for row in best],
    )


def write_best(path: Path, architecture: str, values: Values) -> None:
    """Change values of an architecture in a parameters file; its comments stay."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(type(None), _null)
    content = yaml.load(path.read_text(encoding="utf-8"))
    model = content["models"][architecture]
    for name, value in values.items():
        if "." in name:
            model.setdefault("train", {})[name.removeprefix("train.")] = value
        else:
            model[name] = value
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
