"""The pretrained network's tags as a model."""

from pathlib import Path

import numpy as np
import pytest
from networks import random_weights

from genres.inference import tagger


def test_a_model_that_another_version_cached_is_not_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its layers may no longer exist."""
    np.savez(project / "weights.npz", **random_weights())
    (project / "data/pretrained").mkdir(parents=True)
    (project / "weights.npz").rename(project / "data/pretrained/msd_musicnn.npz")
    first = tagger.model_file()
    assert tagger.model_file() == first
    changed = project / "pretrained.py"
    changed.write_bytes(Path(tagger.pretrained.__file__).read_bytes() + b"\n")
    monkeypatch.setattr(tagger.pretrained, "__file__", str(changed))
    second = tagger.model_file()
    assert second != first and second.is_file()
