"""Name what an architecture lacks, so that the other ones of a run go on without it."""

from genres.core.params import MelsRecipe, Params
from genres.core.paths import DEFAULT_FRONT_END, WEIGHTS


def missing(architecture: str, settings: Params) -> str | None:
    """Return why an architecture cannot be trained on the selected data set, and the cure; None if it can."""
    model = settings.models[architecture]
    if isinstance(settings.recipe, MelsRecipe) and model.front_end != DEFAULT_FRONT_END:
        return f"takes spectrograms of front end {model.front_end}, and the data set has no audio to compute them from"
    if model.pretrained_on and not WEIGHTS.exists():
        return "has no pretrained weights; get them with: dvc repro --force pretrained && dvc repro"
    return None


def available(settings: Params) -> list[str]:
    """Return the chosen architectures that can be trained."""
    return [name for name in settings.architectures if missing(name, settings) is None]
