"""The search: its spaces, what it writes to params.yaml, and that a kill does not change what it finds."""

import json
import os
import re
import signal
import sqlite3

import numpy as np
import optuna
import pandas as pd
import pytest
from checkout import ROOT, Checkout, use_small_music
from faults import wait_for
from ruamel.yaml import YAML

from genres.core import params
from genres.core.console import UserError
from genres.tuning import search

SETTINGS = params.load(ROOT / "params.yaml")


def test_numbers_that_are_tried_are_the_numbers_that_are_written():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    rate = params.Space(low=1e-4, high=1e-2, log=True)
    drawn = [search.suggest(study.ask(), "rate", rate) for _ in range(300)]
    assert all(value == float(f"{value:.3g}") and 1e-4 <= value <= 1e-2 for value in drawn)
    assert 0.4 < np.mean(np.array(drawn) < 1e-3) < 0.6  # as often below as above the middle of the orders
    whole = {search.suggest(study.ask(), "units", params.Space(low=3, high=5)) for _ in range(40)}
    assert whole == {3, 4, 5}
    lists = params.Space(choices=[[8, 16], [4], None])
    assert [8, 16] in [search.suggest(study.ask(), "filters", lists) for _ in range(40)]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("tune.model", {"dropout": {"low": 0.5, "high": 0.5}}, "tune.model.dropout: needs low < high"),
        ("tune.model", {"dropout": {"low": 0, "high": 1, "log": True}}, "tune.model.dropout: log needs low > 0"),
        ("tune.model", {"dropout": {"choices": [1]}}, "tune.model.dropout: needs at least two choices"),
        ("tune.train", {"dropout": {"low": 0.1, "high": 0.5}}, "tune: train.dropout: no key of train"),
        ("tune.train", {"epochs": {"low": 1, "high": 5}}, "tune: train.epochs: no key of train"),
        ("tune.discriminant", {"dropout": {"low": 0.1, "high": 0.5}}, "tune: discriminant.dropout: no key of a discr"),
        ("tune.architecture", "vgg", "tune.architecture: 'vgg' is none of baseline, .*"),
    ],
)
def test_impossible_spaces_are_named(configure, key, value, says):
    with pytest.raises(UserError, match=f"params.yaml: {says}"):
        configure({key: value})


def test_the_first_trial_has_the_values_of_params_yaml(configure):
    settings = configure({"models.bn_5x5.dropout": 0.25, "models.bn_5x5.train": {"batch_size": 64}})
    assert search.present("bn_5x5", settings) == {
        "dropout": 0.25,
        "train.learning_rate": settings.train.learning_rate,
        "train.batch_size": "64",
    }
    study = optuna.create_study(sampler=search.sampler(0, "bn_5x5", settings))
    trial = study.ask()
    drawn = {name: search.suggest(trial, name, space) for name, space in search.spaces("bn_5x5", settings).items()}
    assert drawn == {"dropout": 0.25, "train.learning_rate": settings.train.learning_rate, "train.batch_size": 64}
    # What is outside of its space cannot be tried.
    assert "dropout" not in search.present("bn_5x5", configure({"models.bn_5x5.dropout": 0.9}))


def test_values_reach_the_architecture_and_no_other():
    changed = search.with_values(SETTINGS, "bn_5x5", {"dropout": 0.11, "train.learning_rate": 0.0022})
    assert changed.models["bn_5x5"].arguments["dropout"] == 0.11
    assert changed.training_of("bn_5x5").learning_rate == 0.0022
    assert changed.models["baseline"] == SETTINGS.models["baseline"]
    assert SETTINGS.models["bn_5x5"].arguments["dropout"] == 0.3


def test_of_a_frozen_network_the_discriminant_is_searched():
    first = search.present("transfer", SETTINGS)
    options = SETTINGS.models["transfer"].discriminant
    assert first == {
        "discriminant.shrinkage": options.shrinkage,
        "discriminant.artist_power": options.artist_power,
    }
    changed = search.with_values(SETTINGS, "transfer", {"discriminant.shrinkage": 0.31})
    assert changed.models["transfer"].discriminant == options.model_copy(update={"shrinkage": 0.31})
    assert changed.models["transfer"].arguments == SETTINGS.models["transfer"].arguments


def test_a_recipe_that_would_win_is_refused(configure):
    settings = configure({"datasets.demo.train": {"learning_rate": 0.1}})
    with pytest.raises(UserError, match=r"tune.train.learning_rate: datasets.demo.train overrides it; remove one"):
        search.run_study("bn_5x5", settings, 3)


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


def test_the_best_of_a_discriminant_is_written(project):
    search.write_best(project / "params.yaml", "transfer", {"discriminant.shrinkage": 0.45})
    assert params.load(project / "params.yaml").models["transfer"].discriminant.shrinkage == 0.45


def test_the_best_is_written_and_every_comment_stays(project):
    path = project / "params.yaml"
    before = path.read_text()
    search.write_best(path, "bn_5x5", {"dropout": 0.123, "train.learning_rate": 0.00456, "train.batch_size": 16})
    after = path.read_text()
    assert comments(after) == comments(before)
    changed = params.load(path)
    assert changed.models["bn_5x5"].arguments["dropout"] == 0.123
    assert changed.models["bn_5x5"].train == {"learning_rate": 0.00456, "batch_size": 16}
    one, other = (YAML(typ="safe").load(text) for text in (before, after))
    one["models"]["bn_5x5"] |= {"dropout": 0.123, "train": {"learning_rate": 0.00456, "batch_size": 16}}
    assert one == other
    # And again, over what was written: the same.
    search.write_best(path, "bn_5x5", {"dropout": 0.123, "train.learning_rate": 0.00456})
    assert path.read_text() == after


@pytest.mark.xdist_group("tune")
@pytest.mark.soak
class TestRealSearch:
    """The command, on a small data set."""

    @pytest.fixture(scope="class")
    def project(self, tmp_path_factory) -> Checkout:
        folder = tmp_path_factory.mktemp("tune")
        checkout = Checkout(folder / "a project")
        use_small_music(checkout, folder / "music")
        checkout.set_params(
            tune__epochs=2, tune__startup_trials=2, tune__warmup_epochs=0, tune__architecture="baseline"
        )
        for stage in ("ingest", "clips", "mels"):
            checkout.here("python", f"src/{stage}.py")
        return checkout

    def test_a_killed_search_goes_on_to_the_same_result(self, project):
        command = ["genres", "tune", "--trials", "5"]
        before = (project.folder / "params.yaml").read_text()
        output = project.here(*command)
        table = project.folder / "plots/tune/baseline/trials.csv"
        undisturbed = table.read_text()
        assert len(pd.read_csv(table)) == 5
        assert "add --write" in output
        assert (project.folder / "params.yaml").read_text() == before
        assert (project.folder / "plots/tune/baseline/history.png").stat().st_size > 5000
        assert (project.folder / "plots/tune/baseline/slices.png").stat().st_size > 5000
        (database,) = project.folder.glob(".cache/tune/baseline-*.sqlite3")
        database.unlink()
        table.unlink()

        process = project.start(*command)
        wait_for(process, "two trials", lambda: states(database).count("COMPLETE") >= 2)
        wait_for(process, "third trial", lambda: "RUNNING" in states(database))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not table.exists()

        output = project.here(*command)
        assert re.search(r"resuming after [2-4] trials", output)
        assert table.read_text() == undisturbed

        # MLflow: two parents, of which the second was gone on with; every finished trial is a child of one of them.
        with sqlite3.connect(project.folder / "mlflow.db") as runs:
            parents = [
                run for (run,) in runs.execute("select run_uuid from tags where key = 'sweep' and value = 'tune'")
            ]
            children = runs.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'").fetchall()
            best = runs.execute("select count(*) from tags where key = 'best' and value = 'True'").fetchone()
            killed = runs.execute("select count(*) from runs where status = 'KILLED'").fetchone()
            left = runs.execute("select count(*) from runs where status = 'RUNNING'").fetchone()
        assert len(parents) == 2
        assert {parent for _, parent in children} == set(parents)
        assert len(children) in (10, 11)
        assert best == (2,)
        assert killed[0] == len(children) - 10
        assert left == (0,)

    def test_more_trials_and_the_best_is_written(self, project):
        output = project.here("genres", "tune", "baseline", "--trials", "6", "--write")
        assert "resuming after 5 trials" in output
        table = pd.read_csv(project.folder / "plots/tune/baseline/trials.csv")
        complete = table[~table["pruned"]]
        best = complete.loc[complete["val_accuracy"].idxmax()]
        written = params.load(project.folder / "params.yaml").models["baseline"]
        assert written.arguments["dropout"] == best["dropout"]
        assert written.train["learning_rate"] == best["train.learning_rate"]
        assert written.train["batch_size"] == best["train.batch_size"]
        # The study is the same one although params.yaml is not.
        output = project.here("genres", "tune", "baseline", "--trials", "6")
        assert "resuming" not in output
        assert len(list(project.folder.glob(".cache/tune/*.sqlite3"))) == 1

    def test_mistakes_are_one_line(self, project):
        output = project.here("genres", "tune", "basline", fails=True)
        assert re.fullmatch("error: architecture 'basline' is none of baseline, .*\n", output)
        output = project.here("genres", "tune", "--trials", "0", fails=True)
        assert output == "error: --trials: needs at least 1; received 0\n"
        project.set_params(tune__model=json.loads('{"colour": {"low": 1, "high": 3}}'))
        output = project.here("genres", "tune", "baseline", fails=True)
        assert "error: params.yaml: models.baseline: colour: unknown key" in output
        assert "Traceback" not in output


def states(database) -> list[str]:
    """The states of a study's trials; none while there is no study yet."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as study:
            return [state for (state,) in study.execute("select state from trials")]
    except sqlite3.Error:
        return []
