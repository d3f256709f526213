"""Search hyperparameters of an architecture for the highest accuracy on validation; never looks at the test set.

    genres tune [ARCHITECTURE] [--trials N] [--write]

`tune` in params.yaml defines the search space. Each trial trains on the current data for some epochs; its value is the
highest accuracy over validation clips of its epochs. Trials below the median of the others are pruned. The study lies
in .cache/tune/, and a killed search resumes to the same result. Figures and a table of the trials are written to
plots/tune/<architecture>/; --write writes the best values to params.yaml. With compute.scheduler, one trial runs on
each worker of a cluster (docs/cluster.md).
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
from genres.core.paths import PLOTS, TRACKS, cache_dir
from genres.core.text import dataset_note
from genres.figures import search
from genres.figures.style import save
from genres.training.schedule import History
from genres.tuning import trial as remote_trial
from genres.tuning.space import Values, lowest, present, spaces, suggest, with_values

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@command
def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres tune", description=__doc__.splitlines()[0])
    parser.add_argument("architecture", nargs="?", help="one of `models` in params.yaml (default: tune.architecture)")
    parser.add_argument(
        "--trials", type=int, metavar="N", help="number of trials, earlier calls included (default: tune.trials)"
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

    study = run_study(architecture, settings, trials)
    best = study.best_trial
    draw(study, architecture, settings)
    show(study, architecture, settings)
    if arguments.write:
        write_best(Path("params.yaml"), architecture, best.user_attrs["values"])
        print(f"params.yaml: best values written to models.{architecture}")
    else:
        print("params.yaml is unchanged; add --write to write the best values to it")


def run_study(architecture: str, settings: Params, n_trials: int) -> optuna.Study:
    """Start or resume the study, and run it until `n_trials` trials are finished."""
    for name in settings.tune.train:
        if name in settings.recipe.train:
            raise UserError(
                f"params.yaml: tune.train.{name}: datasets.{settings.dataset}.train overrides it; remove one"
            )
    from genres.tracking import runs  # MLflow here and Keras below load slowly: not for --help or a misspelt name
    from genres.training.frozen import training_of

    data = training_of(architecture, with_values(settings, architecture, lowest(architecture, settings)))
    if data.devices.hosts > 1:
        raise UserError("tune: needs a single host; unset the environment variables KERAS_DISTRIBUTION_…")
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
                _fail_killed(study)
                _search(study, architecture, settings, n_trials)
                best = study.best_trial
                run.metrics({"best_val_accuracy": best.value, "trials": len(finished(study))})
                run.tags({f"best.{key}": value for key, value in best.user_attrs["values"].items()})
            for trial in finished(study):
                runs.tag(trial.user_attrs["run_id"], {"best": trial.number == best.number})
    except Timeout:
        raise UserError(f"{database}: another process runs this search; wait until it has ended") from None
    return study


def _search(study: optuna.Study, architecture: str, settings: Params, n_trials: int) -> None:
    done = len(finished(study))
    if 0 < done < n_trials:
        print(f"resuming after {done} trials", flush=True)
    with tqdm(total=n_trials, initial=min(done, n_trials), unit="trial", disable=not sys.stderr.isatty()) as bar:
        for _ in _run_trials(study, architecture, settings, range(done, n_trials)):
            complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
            if complete:
                bar.set_postfix(best=f"{study.best_value:.1%}")
            bar.update()
    if not any(trial.state == TrialState.COMPLETE for trial in finished(study)):
        raise UserError(f"{architecture}: every trial diverged; lower the learning rates under tune.train")


def _run_trials(study: optuna.Study, architecture: str, settings: Params, numbers: range) -> Iterator[None]:
    """Run trials, one at a time or one per worker of the cluster; yields after each."""
    if settings.compute.scheduler is not None and numbers:
        yield from _on_cluster(study, architecture, settings, numbers)
        return
    for number in numbers:
        study.sampler = sampler(number, architecture, settings)
        run_trial(study.ask(), study, architecture, settings)
        yield


def _on_cluster(study: optuna.Study, architecture: str, settings: Params, numbers: range) -> Iterator[None]:
    """Draw values, prune and log in this process; train on the workers."""
    asked: dict[int, optuna.Trial] = {}
    reported: set[tuple[int, int]] = set()
    digests = remote_trial.data_digests(settings.models[architecture].front_end)

    def tasks() -> Iterator[tuple[int, tuple[Any, ...]]]:
        for number in numbers:
            study.sampler = sampler(number, architecture, settings)
            trial = study.ask()
            asked[trial.number] = trial
            yield (
                trial.number,
                (str(Path.cwd()), digests, architecture, settings, draw_values(trial, architecture, settings)),
            )

    def answer(number: int, epoch: dict[str, float]) -> bool:
        trial, step = asked[number], int(epoch["epoch"])
        if (number, step) not in reported:  # else its worker died and another one restarted it
            reported.add((number, step))
            trial.report(epoch["val_accuracy"], step)
        return step < settings.tune.epochs and trial.should_prune()

    from genres.tracking import runs

    assert settings.compute.scheduler is not None
    with Cluster(settings.compute.scheduler) as cluster:
        for number, (history, is_complete) in cluster.each(remote_trial.train, tasks(), answer):
            trial = asked.pop(number)
            with runs.run(settings.dataset, f"{architecture} trial {number}", nested=True) as run:
                trial.set_user_attr("run_id", run.run_id)
                run.params(trial.user_attrs["values"])
                run.dataset(settings.dataset, TRACKS)
                for step, epoch in enumerate(history, start=1):
                    run.metrics({key: value for key, value in epoch.items() if key != "epoch"}, step=step)
                state = TrialState.COMPLETE if is_complete else TrialState.PRUNED
                _conclude(study, trial, run, history, state, settings, architecture)
            yield


def draw_values(trial: optuna.Trial, architecture: str, settings: Params) -> Values:
    """Draw the values of a trial, and store them with it as they are used."""
    values = {name: suggest(trial, name, space) for name, space in spaces(architecture, settings).items()}
    trial.set_user_attr("values", values)
    return values


def sampler(number: int, architecture: str, settings: Params) -> optuna.samplers.BaseSampler:
    """Return the sampler of the trial after `number` finished ones.

    Its random state depends on the seed and that number alone, so a killed search resumes to the same result. The first
    trial has the values of params.yaml, so the best one is never worse than those.
    """
    seed = int(np.random.default_rng([settings.seed, number]).integers(2**31))
    tree = optuna.samplers.TPESampler(seed=seed, n_startup_trials=settings.tune.startup_trials)
    if number > 0:
        return tree
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.PartialFixedSampler(present(architecture, settings), tree)


def run_trial(trial: optuna.Trial, study: optuna.Study, architecture: str, settings: Params) -> None:
    """Train with the values of a trial, as a nested MLflow run, and report the result to the study."""
    from genres.tracking import runs
    from genres.training.fitting import DivergedError
    from genres.training.frozen import training_of

    values = draw_values(trial, architecture, settings)
    tune = settings.tune
    history: History = []
    with runs.run(settings.dataset, f"{architecture} trial {trial.number}", nested=True) as run:
        trial.set_user_attr("run_id", run.run_id)
        run.params(values)
        run.dataset(settings.dataset, TRACKS)
        training = training_of(
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
    """Report the result of a trial to the study and to MLflow."""
    run.tags({"architecture": architecture, "state": state.name.lower(), "protocol": settings.split.protocol})
    if state == TrialState.COMPLETE:
        best = max(epoch["val_accuracy"] for epoch in history)
        run.metrics({"best_val_accuracy": best})
        study.tell(trial, best)
    else:
        study.tell(trial, state=state)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the completed and pruned trials; a killed one is run again under a new number."""
    return study.get_trials(states=FINISHED)


def _key(training: Any, settings: Params) -> str:
    """Return a digest of data, code and settings, without the searched ones and the number of trials."""
    tune = settings.tune.model_dump_json(exclude={"trials", "architecture"})
    return hashlib.sha256(f"{training.key} {settings.split.protocol} {tune}".encode()).hexdigest()[:12]


def _fail_killed(study: optuna.Study) -> None:
    """Mark trials of a killed search as failed."""
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
    run.dataset(settings.dataset, TRACKS)


def rows(study: optuna.Study) -> list[dict[str, Any]]:
    """Return a row per finished trial: trial (from 1), val_accuracy (of its best epoch), epochs, pruned, values."""
    table = []
    for number, trial in enumerate(finished(study), start=1):
        epochs = list(trial.intermediate_values.values())
        if epochs:
            row = {"trial": number, "val_accuracy": max(epochs), "epochs": len(epochs)}
            table.append(row | {"pruned": trial.state == TrialState.PRUNED} | trial.user_attrs["values"])
    return table


def importance(study: optuna.Study, seed: int) -> dict[str, float]:
    """Return the share of the results' variance that each parameter explains (fANOVA, Hutter et al. 2014).

    Empty with fewer than 4 completed trials, or if all have the same value.
    """
    complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def draw(study: optuna.Study, architecture: str, settings: Params) -> None:
    """Write figures and table of the trials to plots/tune/<architecture>/."""
    folder, table = PLOTS / "tune" / architecture, rows(study)
    protocol = settings.split.protocol
    data = dataset_note(settings.dataset, protocol)
    note = f"{data}; {settings.tune.epochs} epochs a trial, accuracy over validation clips"
    title = f"{architecture}: {len(table)} trials"
    save(search.history(table, title=title, note=note), folder / "history.png")
    searched = spaces(architecture, settings)
    logarithmic = {name for name, space in searched.items() if space.log}
    shares = importance(study, settings.seed)
    save(search.slices(table, list(searched), logarithmic, shares, title=title, note=note), folder / "slices.png")
    write_table(folder / "trials.csv", pd.DataFrame(table))


def show(study: optuna.Study, architecture: str, settings: Params) -> None:
    """Print the five best trials."""
    names = list(spaces(architecture, settings))
    best = sorted(rows(study), key=lambda row: (row["pruned"], -row["val_accuracy"], row["trial"]))[:5]
    print_table(
        f"{architecture}: the best of {len(finished(study))} trials by validation, "
        f"{dataset_note(settings.dataset, settings.split.protocol)}",
        ["trial", "val accuracy", "epochs", *names],
        [[row["trial"], f"{row['val_accuracy']:.1%}", row["epochs"], *(row[name] for name in names)] for row in best],
    )


def write_best(path: Path, architecture: str, values: Values) -> None:
    """Write values of an architecture to a parameters file; comments are kept."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(type(None), _null)
    content = yaml.load(path.read_text(encoding="utf-8"))
    model = content["models"][architecture]
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        (model.setdefault(group, {}) if group else model)[key] = value
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
