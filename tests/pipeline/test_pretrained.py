"""The architecture `transfer` in the stages, with weights drawn at random: trained, cached, marked, and left out."""

import numpy as np
import pandas as pd
import pytest
from checkout import Checkout, use_small_music
from networks import random_weights

from genres.core import params
from genres.core.console import UserError
from genres.core.files import read_json
from genres.core.inputs import available, missing
from genres.models.card import read_card

pytestmark = pytest.mark.xdist_group("pretrained")

WEIGHTS = "data/pretrained/msd_musicnn.npz"
AFTER_MELS = [["inputs"], *([stage, name] for stage in ("train", "evaluate") for name in ("baseline", "transfer"))]


def run(project: Checkout, *stages: list[str]) -> str:
    return "".join(project.here("python", f"src/{stage}.py", *arguments) for stage, *arguments in stages)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which both kinds of network were trained and compared."""
    folder = tmp_path_factory.mktemp("pretrained")
    checkout = Checkout(folder / "project")
    use_small_music(checkout, folder / "music", architectures=["baseline", "transfer"])
    (checkout.folder / WEIGHTS).parent.mkdir(parents=True)
    np.savez(checkout.folder / WEIGHTS, **random_weights())
    run(checkout, ["ingest"], ["clips"], ["mels", "default"], ["mels", "musicnn"], ["pretrained"], *AFTER_MELS)
    run(checkout, ["compare"])
    return checkout


def test_each_track_is_predicted_without_its_artist(project: Checkout) -> None:
    printed = project.here("genres", "held-out", "transfer", "-o", "held_out.csv", "--folds", "2")
    assert "12 tracks of folder, each predicted without its artist (pretrained)" in printed
    table = pd.read_csv(project.folder / "held_out.csv")
    tracks = pd.read_csv(project.folder / "data/tracks.csv")
    assert list(table["track_id"]) == list(tracks["track_id"])
    np.testing.assert_allclose(table[["genre0", "genre1", "genre2"]].sum(axis=1), 1)


def test_each_front_end_has_its_spectrograms_and_each_network_reads_its_own(project: Checkout) -> None:
    formats = {name: read_json(project.folder / f"data/mels/{name}/format.json") for name in ("default", "musicnn")}
    assert (formats["default"]["n_mels"], formats["default"]["sample_rate"]) == (32, 22050)
    assert (formats["musicnn"]["n_mels"], formats["musicnn"]["frame_rate"]) == (96, 62.5)
    for name, front_end in (("baseline", "default"), ("transfer", "musicnn")):
        card = read_card(project.folder / f"models/{name}.keras")
        assert (card["front_end"], card["spectrogram"]) == (front_end, formats[front_end])


def test_results_name_the_outside_data_and_the_ensemble_is_without_it(project: Checkout) -> None:
    rows = {row["arch"]: row for row in read_json(project.folder / "metrics/leaderboard.json")}
    assert {name: row["pretrained_on"] for name, row in rows.items()} == {"baseline": None, "transfer": "MSD"}
    assert read_json(project.folder / "metrics/summary.json")["best_from_scratch"] == "baseline"
    assert "transfer, pretrained (MSD)" in " ".join(run(project, ["compare"]).split())
    predictions = pd.read_csv(project.folder / "predictions/transfer.csv")
    genres = ["genre0", "genre1", "genre2"]
    np.testing.assert_allclose(predictions[genres].sum(axis=1), 1)
    right = (predictions["genre"] == predictions["predicted"])[predictions["fold"] == "test"]
    assert rows["transfer"]["track_accuracy"] == right.mean()


def test_an_embedding_is_computed_once_for_each_song(project: Checkout) -> None:
    cached = {path: path.stat().st_mtime_ns for path in (project.folder / ".cache/embeddings").rglob("*.npy")}
    assert len(cached) == pd.read_csv(project.folder / "data/tracks.csv")["fold"].isin(["train", "val", "test"]).sum()
    before = pd.read_csv(project.folder / "predictions/transfer.csv")
    damaged = next(iter(cached))
    damaged.write_bytes(damaged.read_bytes()[:50])
    run(project, ["train", "transfer"], ["evaluate", "transfer"])
    again = {path: path.stat().st_mtime_ns for path in cached}
    assert [path for path in cached if again[path] != cached[path]] == [damaged]
    pd.testing.assert_frame_equal(pd.read_csv(project.folder / "predictions/transfer.csv"), before)


def test_a_network_of_another_front_end_makes_no_other_one_train_again(project: Checkout) -> None:
    inputs = project.folder / "data/inputs"
    before = (inputs / "baseline.json").read_bytes()
    project.set_params(architectures=["baseline"])
    run(project, ["mels", "default"], ["mels", "musicnn"], ["inputs"])
    assert (inputs / "baseline.json").read_bytes() == before
    assert [path.name for path in inputs.iterdir()] == ["baseline.json"]
    assert list((project.folder / "data/mels/musicnn").iterdir()) == []
    project.set_params(architectures=["baseline", "transfer"])
    run(project, ["mels", "musicnn"], ["inputs"])
    assert (inputs / "baseline.json").read_bytes() == before


def test_without_weights_everything_else_goes_on(project: Checkout) -> None:
    weights = project.folder / WEIGHTS
    kept = weights.read_bytes()
    weights.unlink()
    try:
        printed = run(project, *AFTER_MELS)
        assert printed.count("transfer is left out: it has no pretrained weights") == 2
        run(project, ["compare"], ["confounding"], ["remix"])
        assert [row["arch"] for row in read_json(project.folder / "metrics/leaderboard.json")] == ["baseline"]
        assert pd.read_csv(project.folder / "predictions/transfer.csv").empty
        assert (project.folder / "plots/transfer/confusion.png").stat().st_size > 1000
    finally:
        weights.write_bytes(kept)


def test_published_spectrograms_cannot_feed_another_front_end(project: Checkout) -> None:
    settings = params.load(project.folder / "params.yaml")
    published = settings.model_copy(update={"dataset": "mels"})
    assert missing("baseline", published) is None
    assert "no audio to compute them from" in (missing("transfer", published) or "")
    assert available(published) == ["baseline"]
    assert published.front_ends_in_use == ["default"]
    with pytest.raises(UserError, match="architectures: none can be trained: transfer takes spectrograms of front end"):
        available(published.model_copy(update={"architectures": ["transfer"]}))
