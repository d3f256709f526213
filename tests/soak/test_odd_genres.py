"""A whole run with genre folders of any name: tables, predictions and pictures hold each of them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout, use_small_music, write_song

pytestmark = pytest.mark.soak

# Folders, and the genre of each.
GENRES = {
    name: name for name in ("R&B", "hip hop ∕ rap", "日本語", "con", "a,b", "a;b", '"quoted"', "=1+1", "nan", "NULL")
}
GENRES |= {
    name: name for name in ("1", "1.0", "true", "$x^2$ & $y", "-rf", "a\\b", "#c", "[q]", "{z}", "100%", "title")
}
GENRES |= {name: f"{name} (genre)" for name in ("track_id", "fold", "genre", "predicted", "artist", "probability")}
GENRES |= {"pop ": "pop", "a\nb": "a b", "x" * 240: "x" * 240}


def test_a_whole_run_with_odd_genres(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    use_small_music(checkout, tmp_path / "unused")
    music = tmp_path / "music"
    for number, name in enumerate([*GENRES, ".hidden"]):
        for song in range(3):
            write_song(music / name / f"{song}.wav", 80 + 40 * number, 1 + number % 4, 10 * number + song, 3.0)
    checkout.set_params(datasets__folder__dir=str(music), train__epochs=1)
    stages = ("ingest", "clips", "mels default", "inputs", "train baseline", "evaluate baseline", "compare")
    output = "".join(checkout.here("python", f"src/{name}.py", *more) for name, *more in map(str.split, stages))
    assert "Traceback" not in output and "cannot be drawn" not in output

    genres = sorted(GENRES.values())
    options = {"dtype": str, "keep_default_na": False}
    assert sorted(set(pd.read_csv(checkout.folder / "data/tracks.csv", **options)["genre"])) == genres
    predictions = pd.read_csv(checkout.folder / "predictions/baseline.csv", **options)
    assert list(predictions) == ["track_id", "fold", "genre", "predicted", *genres]
    assert set(predictions["genre"]) == set(genres)
    assert set(predictions["predicted"]) <= set(genres)
    assert predictions[genres].astype(float).sum(axis=1).tolist() == pytest.approx([1] * len(predictions))
    for table in ("baseline", "compare"):
        assert sorted(pd.read_csv(checkout.folder / f"plots/{table}/per_genre.csv", **options)["genre"]) == genres
    ingest = json.loads((checkout.folder / "metrics/ingest.json").read_text())
    assert {name: counts["got"] for name, counts in ingest["genres"].items()} == dict.fromkeys(genres, 3)
