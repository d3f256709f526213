"""Search space of the hyperparameters: from `tune` in params.yaml to values, and from values to parameters.

Values are keyed by their path below models.<architecture>: dropout, train.learning_rate, discriminant.shrinkage.
"""

import json
from typing import Any

import optuna

from genres.core.params import ModelParams, Params, Space

Spaces = dict[str, Space]
Values = dict[str, Any]


def spaces(architecture: str, settings: Params) -> Spaces:
    """Return the search spaces, by path below models.<architecture>: of a frozen network, those of its discriminant."""
    tune = settings.tune
    if settings.models[architecture].discriminant:
        return {f"discriminant.{name}": space for name, space in tune.discriminant.items()}
    return dict(tune.model) | {f"train.{name}": space for name, space in tune.train.items()}


def suggest(trial: optuna.Trial, name: str, space: Space) -> Any:
    """Draw a value; floats are rounded to three digits before use, so that params.yaml gets exactly what was tried."""
    if space.choices is not None:
        return json.loads(trial.suggest_categorical(name, list(map(json.dumps, space.choices))))
    if space.low is None or space.high is None:
        raise ValueError(f"{name}: has neither choices nor low and high; set one of them")
    if isinstance(space.low, int) and isinstance(space.high, int):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return float(f"{trial.suggest_float(name, space.low, space.high, log=space.log):.3g}")


def present(architecture: str, settings: Params) -> Values:
    """Return the values of params.yaml as the study encodes them, without those outside their space."""
    model = settings.models[architecture]
    groups = {"": model.arguments, "train": settings.training_of(architecture).model_dump()}
    groups["discriminant"] = model.discriminant.model_dump() if model.discriminant else {}
    fixed: Values = {}
    for name, space in spaces(architecture, settings).items():
        group, _, key = name.rpartition(".")
        value = groups[group].get(key)
        if space.choices is not None:
            fixed |= {name: json.dumps(value)} if value in space.choices else {}
        elif isinstance(value, int | float) and space.low is not None and space.high is not None:
            fixed |= {name: value} if space.low <= value <= space.high else {}
    return fixed


def with_values(settings: Params, architecture: str, values: Values) -> Params:
    """Return the parameters with values of an architecture changed."""
    model = settings.models[architecture].model_dump()
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        (model[group] if group else model)[key] = value
    changed = ModelParams(**model)
    return settings.model_copy(update={"models": settings.models | {architecture: changed}})


def lowest(architecture: str, settings: Params) -> Values:
    """Return the first value of each space: a study's key must not change when --write changes params.yaml."""
    searched = spaces(architecture, settings)
    return {name: space.choices[0] if space.choices else space.low for name, space in searched.items()}
