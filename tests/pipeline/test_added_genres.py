"""What adding genres does: against counts by hand, and the command on two real experiments."""

import numpy as np
import pandas as pd
import pytest
from checkout import Checkout, use_small_music

from genres.core import params
from genres.core.console import UserError
from genres.experiments import added_genres

EVALUATE = params.load().evaluate


def predictions(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["track_id", "genre", "predicted"])
    table.insert(1, "fold", "test")
    return table


BEFORE = predictions([("a", "blues", "blues"), ("b", "blues", "blues"), ("c", "pop", "blues"), ("d", "pop", "pop")])
AFTER = predictions(
    [
        ("a", "blues", "rap"),
        ("b", "blues", "blues"),
        ("c", "pop", "pop"),
        ("d", "pop", "pop"),
        ("e", "rap", "rap"),
        ("f", "rap", "pop"),
    ]
)


def test_changes_by_hand():
    everything, blues, pop = added_genres.changes(BEFORE, AFTER, ["blues", "pop"], ["rap"], EVALUATE, 1)
    assert (blues["genre"], blues["tracks"], blues["before"], blues["after"]) == ("blues", 2, 1.0, 0.5)
    assert (blues["change"], blues["to_new"]) == (-0.5, 0.5)
    assert (pop["before"], pop["after"], pop["change"], pop["to_new"]) == (0.5, 1.0, 0.5, 0.0)
    assert everything["genre"] == added_genres.ALL
    assert (everything["before"], everything["after"], everything["change"], everything["to_new"]) == (
        0.75,
        0.75,
        0,
        0.25,
    )
    assert everything["change_ci95_low"] < 0 < everything["change_ci95_high"]


def test_the_order_of_tracks_does_not_matter_and_validation_does_not_count():
    val = AFTER.assign(fold="val", predicted="rap", track_id=AFTER["track_id"] + "v")
    shuffled = pd.concat([val, AFTER.sample(frac=1, random_state=3)])
    arguments = (["blues", "pop"], ["rap"], EVALUATE, 1)
    assert added_genres.changes(BEFORE, shuffled, *arguments) == added_genres.changes(BEFORE, AFTER, *arguments)


def test_other_test_tracks_are_compared_unpaired():
    """40 tracks, all right but the same ten: paired there is no change at all, unpaired there is chance."""
    right = np.arange(40) % 4 > 0
    rows = [(f"t{n}", "blues", "blues" if ok else "pop") for n, ok in enumerate(right)]
    same = added_genres.changes(predictions(rows), predictions(rows), ["blues"], [], EVALUATE, 1)[0]
    assert (same["change"], same["change_ci95_low"], same["change_ci95_high"]) == (0, 0, 0)
    others = predictions([(f"u{name}", genre, predicted) for name, genre, predicted in rows])
    other = added_genres.changes(predictions(rows), others, ["blues"], [], EVALUATE, 1)[0]
    assert other["change"] == 0
    deviation = np.sqrt(2 * 0.75 * 0.25 / 40)
    assert other["change_ci95_high"] == pytest.approx(1.96 * deviation, abs=0.03)


def test_shares_are_of_each_new_genres_tracks():
    tracks = predictions([("a", "rap", "pop"), ("b", "rap", "pop"), ("c", "rap", "blues"), ("d", "funk", "pop")])
    found = added_genres.shares(tracks, ["blues", "metal", "pop"])
    assert found.loc["rap"].tolist() == pytest.approx([1 / 3, 0, 2 / 3])
    assert found.loc["funk"].tolist() == [0, 0, 1]


def test_genres_must_have_been_added():
    assert added_genres.split_genres(["pop", "blues"], ["rap", "pop", "blues"], "a", "b") == (["blues", "pop"], ["rap"])
    with pytest.raises(UserError, match="a and b have the same genres"):
        added_genres.split_genres(["pop"], ["pop"], "a", "b")
    with pytest.raises(UserError, match="b lacks genres of a: rap; name the one with fewer genres first"):
        added_genres.split_genres(["pop", "rap"], ["pop", "funk"], "a", "b")


@pytest.mark.xdist_group("added-genres")
@pytest.mark.soak
def test_the_command_on_two_experiments(tmp_path):
    checkout = Checkout(tmp_path / "a checkout")
    use_small_music(checkout, tmp_path / "music")
    checkout.commit()
    for name, genres in (("without", "[genre0,genre1]"), ("with", "null")):
        checkout.run("dvc", "exp", "run", "--temp", "--name", name, "-S", f"datasets.folder.genres={genres}")
    output = checkout.run("genres", "added-genres", "without", "with", "--plot", "plots/added.png")
    assert "genre2" in output
    assert "taken before for" in output
    assert (checkout.folder / "plots/added.png").stat().st_size > 5000
    # All four songs of the new genre went somewhere.
    (line,) = [line for line in output.splitlines() if "genre2" in line]
    assert (
        sum(int(word.strip(" %,│")) for word in line.split() if word.strip(",│").endswith("%") and "." not in word)
        == 100
    )
    output = checkout.run("genres", "added-genres", "with", "without", fails=True)
    assert output == "error: without lacks genres of with: genre2; name the one with fewer genres first\n"
    output = checkout.run("genres", "added-genres", "without", "with", "--model", "crnn", fails=True)
    assert output == "error: without has no crnn, only baseline; choose one by --model\n"
    # Two repetitions of one kind become one row.
    checkout.run("dvc", "exp", "run", "--temp", "--name", "again", "-S", "seed=1")
    output = checkout.run("genres", "aggregate", "with", "again", "--plot", "plots/repetitions.png")
    assert "| `artist` | baseline | 2 | " in output
    assert "warning" not in output
    assert (checkout.folder / "plots/repetitions.png").stat().st_size > 5000
