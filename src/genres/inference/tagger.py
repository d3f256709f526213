"""The pretrained network's own 50 tags as a model like any other, without any training."""

from dataclasses import asdict
from pathlib import Path

from genres.core.files import atomic, sha256_of
from genres.core.paths import WEIGHTS, cache_dir
from genres.data.windows import Windowing
from genres.models import pretrained, weights
from genres.models.card import ModelCard, write_card
from genres.models.multiply_adds import multiply_adds

WINDOW_S = 3.0


def model_file() -> Path:
    """Return the tagger's model file, which is made on first use; its weights are fetched if they are not there.

    Raises
    ------
    UserError
        If the weights cannot be had.
    """
    if not WEIGHTS.exists():
        WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
        weights.fetch(WEIGHTS)
    # Of this code, too: a file that an older version made has layers that no longer exist.
    digests = (sha256_of(WEIGHTS)[:16], sha256_of(Path(pretrained.__file__))[:16])
    target = cache_dir("models") / f"msd_musicnn-{'-'.join(digests)}.keras"
    if not target.exists():
        windowing = Windowing(WINDOW_S, short="repeat", of="tracks")
        frames = windowing.frames(pretrained.FORMAT)
        arrays = weights.read(WEIGHTS)
        model = pretrained.classifier(arrays, frames=frames, n_classes=None, patches=1, top_db=pretrained.FORMAT.top_db)
        card: ModelCard = {
            "architecture": "msd_musicnn",
            "dataset": "Million Song Dataset",
            "protocol": "tags",
            "genres": pretrained.TAGS,
            "genre_tags": pretrained.GENRE_TAGS,
            "spectrogram": asdict(pretrained.FORMAT),
            "windowing": asdict(windowing),
            "pretrained_on": "MSD",
            "multiply_adds": multiply_adds(model),
        }
        with atomic(target) as temporary:
            model.save(temporary)
            write_card(temporary, card)
    return target
