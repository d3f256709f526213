"""What a hyperparameter search may try: from `tune` in params.yaml to values, and from values to parameters.

Values go by their path below models.<architecture>: dropout, train.learning_rate.
"""

import json
from typing import Any

import optuna

from genres.core.params import ModelParams, Params, Space, TuneParams

Spaces = dict[str, Space]
Values = dict[str, Any]


def spaces(tune: TuneParams) -> Spaces:
    """What is searched, by its path below models.<architecture>."""
    return dict(tune.model) | {f"train.{name}": space for name, space in tune.train.items()}


def suggest(trial: optuna.Trial, name: str, space: Space) -> Any:
    """A value of the space; numbers with a fraction have three digits, so that what is written is what was tried."""
    if space.choices is not None:
        return json.loads(trial.suggest_categorical(name, list(map(json.dumps, space.choices))))
    if space.low is None or space.high is None:
        raise ValueError(f"{name}: no space")
    if isinstance(space.low, int) and isinstance(space.high, int):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return float(f"{trial.suggest_float(name, space.low, space.high, log=space.log):.3g}")


def present(architecture: str, settings: Params) -> Values:
    """The values that params.yaml has now, as the study writes them; those outside of their space are left out."""
    training, model = settings.training_of(architecture).model_dump(), settings.models[architecture].arguments
    found = {
        name: training[name.removeprefix("train.")] if "." in name else model.get(name)
        for name in spaces(settings.tune)
    }
    fixed: Values = {}
    for name, space in spaces(settings.tune).items():
        value = found[name]
        if space.choices is not None:
            fixed |= {name: json.dumps(value)} if value in space.choices else {}
        elif isinstance(value, int | float) and space.low is not None and space.high is not None:
            fixed |= {name: value} if space.low <= value <= space.high else {}
    return fixed


def with_values(settings: Params, architecture: str, values: Values) -> Params:
    """The parameters with some values of an architecture changed."""
    model = settings.models[architecture].model_dump()
    for name, value in values.items():
        (model["train"] if "." in name else model)[name.removeprefix("train.")] = value
    changed = ModelParams(**model)
    return settings.model_copy(update={"models": settings.models | {architecture: changed}})


def lowest(settings: Params) -> Values:
    """Some values that are not those of params.yaml: the study stays the same one when the best are written there."""
    return {name: space.choices[0] if space.choices else space.low for name, space in spaces(settings.tune).items()}
