"""Name what an architecture lacks, so that the other ones of a run go on without it."""

from genres.core.console import UserError
from genres.core.params import Params
from genres.core.paths import WEIGHTS


def missing(architecture: str, settings: Params) -> str | None:
    """Return why an architecture cannot be trained on the selected data set, and the cure; None if it can."""
    model = settings.models[architecture]
    if not settings.can_have(model.front_end):
        return f"takes spectrograms of front end {model.front_end}, and the data set has no audio to compute them from"
    if model.pretrained_on and not WEIGHTS.exists():
        return "has no pretrained weights; get them with: dvc repro --force pretrained && dvc repro"
    return None


def available(settings: Params) -> list[str]:
    """Return the chosen architectures that can be trained.

    Raises
    ------
    UserError
        If none can.
    """
    reasons = {name: missing(name, settings) for name in settings.architectures}
    chosen = [name for name, reason in reasons.items() if reason is None]
    if not chosen:
        name, reason = next(iter(reasons.items()))
        raise UserError(f"architectures: none can be trained: {name} {reason}")
    return chosen
