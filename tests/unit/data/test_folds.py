"""Folds: what must stay together does, whatever the catalogue; shares, lists and errors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genres.core.console import UserError
from genres.core.params import SplitParams
from genres.data import folds

SPLIT = {"protocol": "artist", "val": 0.15, "test": 0.15, "folds": None, "fold": 0, "train_share": 1.0}


def make_split(**changes: object) -> SplitParams:
    return SplitParams(**SPLIT | changes)


def make_tracks(rows: list[dict[str, str]]) -> pd.DataFrame:
    """A table of tracks; what a row does not say is empty, and each track is its own recording."""
    blank = {"genre": "rock", "artist": "", "split": "", "version": ""}
    return pd.DataFrame(
        [blank | {"track_id": f"t{n}", "recording": f"t{n}"} | row for n, row in enumerate(rows)],
        columns=["track_id", "genre", "artist", "recording", "split", "version"],
    )


def components(tracks: pd.DataFrame, *, by_artist: bool) -> np.ndarray:
    """Return what must share a fold: the connected components of the graph of equal recordings and shared artists."""
    recording = tracks["recording"].to_numpy()
    links = recording[:, None] == recording[None, :]
    if by_artist:
        names = [PEOPLE.get(artist) or persons(artist) for artist in tracks["artist"]]
        links |= np.array([[bool(mine & theirs) for theirs in names] for mine in names])
    return connected_components(coo_array(links.astype(int)), directed=False)[1]


# Who is meant by what stands in tags.
PEOPLE = {
    "Zo\u00eb": {"zoe"},
    "ZOE\u0308": {"zoe"},
    "Ann feat. Zo\u00eb": {"ann", "zoe"},
    "Hal & Ivy": {"hal", "ivy"},
    "Ivy/Joe": {"ivy", "joe"},
    "Joe; Kim": {"joe", "kim"},
    "ß": {"ss"},
}
NOBODY = ("Various Artists", "<unknown>", "Unbekannter Künstler")


def persons(artist: str) -> set[str]:
    """The one person of a plain name; artists of one genre are called "Ann pop"."""
    return set() if artist in NOBODY else {artist.strip().casefold()} - {""}


def test_songs_of_one_album_are_a_group_where_albums_are_known() -> None:
    tracks = make_tracks([{"artist": name} for name in ("Ann", "Bob", "Cy", "Ann", "", "")])
    without = folds.group(tracks, by_artist=True)
    assert without.tolist() == [0, 1, 2, 0, 4, 5]
    tracks["album"] = ["", "Hits", "Hits", "", "", ""]
    assert folds.group(tracks, by_artist=True).tolist() == [0, 1, 1, 0, 4, 5]
    assert folds.group(tracks, by_artist=False).tolist() == [0, 1, 2, 3, 4, 5]
    tracks["album"] = ""
    assert folds.group(tracks, by_artist=True).tolist() == without.tolist()


def fold_sets(tracks: pd.DataFrame, assigned: np.ndarray, labels: np.ndarray) -> list[set[str]]:
    return [set(assigned[labels == label]) for label in np.unique(labels)]


@st.composite
def catalogues(draw: st.DrawFn, *, one_genre_artists: bool = False) -> pd.DataFrame:
    n = draw(st.integers(1, 45))
    artists = ["", "", "", "Ann", " ann", "ANN ", "Bob", "bob", "Cy", "Dee", "Eve", "Fay", "Gus", "ß", "SS", "NA"]
    if not one_genre_artists:
        artists += [*PEOPLE, *NOBODY]
    rows = []
    for number in range(n):
        genre = draw(st.sampled_from(["blues", "pop", "rock"]))
        artist = draw(st.sampled_from(artists))
        if one_genre_artists and artist:
            artist = f"{artist.strip()} {genre}"
        row = {"genre": genre, "artist": artist}
        if number and draw(st.integers(0, 5)) == 0:
            earlier = rows[draw(st.integers(0, number - 1))]
            if not one_genre_artists or earlier["genre"] == genre:
                row["recording"] = earlier.get("recording", f"t{rows.index(earlier)}")
        row["version"] = draw(st.sampled_from([""] * 12 + ["original", "remix"]))
        rows.append(row | {"track_id": f"t{number}", "recording": row.get("recording", f"t{number}")})
    return make_tracks(rows)


@given(catalogues(), st.sampled_from(["artist", "track"]), st.integers(0, 5), st.sampled_from([None, 3]))
def test_what_belongs_together_is_never_in_two_folds(
    tracks: pd.DataFrame, protocol: str, seed: int, number: int | None
) -> None:
    try:
        assigned = folds.assign(tracks, make_split(protocol=protocol, folds=number), seed)
    except UserError as error:
        assert any(f"genre '{genre}'" in str(error) for genre in set(tracks["genre"]))
        return
    labels = components(tracks, by_artist=protocol == "artist")
    assert all(len(found) == 1 for found in fold_sets(tracks, assigned, labels))
    with_artists = components(tracks, by_artist=True)  # artists of pairs are out under every protocol
    in_pair = np.isin(with_artists, with_artists[tracks["version"] != ""])
    np.testing.assert_array_equal(assigned == "", in_pair)
    for genre in set(tracks["genre"][~in_pair]):
        assert set(assigned[(tracks["genre"] == genre) & ~in_pair]) == {"train", "val", "test"}


@given(catalogues(one_genre_artists=True), st.sampled_from(["artist", "track"]))
def test_three_groups_of_a_genre_are_enough_and_two_are_not(tracks: pd.DataFrame, protocol: str) -> None:
    labels, with_artists = (components(tracks, by_artist=by) for by in (protocol == "artist", True))
    usable = ~np.isin(with_artists, with_artists[tracks["version"] != ""])
    groups = {
        genre: len(set(labels[usable & (tracks["genre"] == genre)])) for genre in sorted(set(tracks["genre"][usable]))
    }
    short = [genre for genre, number in groups.items() if number < 3]
    if short:
        with pytest.raises(UserError, match=f"genre '{short[0]}' has {groups[short[0]]} "):
            folds.assign(tracks, make_split(protocol=protocol), 0)
    else:
        assigned = folds.assign(tracks, make_split(protocol=protocol), 0)
        for genre in groups:
            assert set(assigned[(tracks["genre"] == genre) & usable]) == {"train", "val", "test"}


def test_groups_are_the_connected_components() -> None:
    tracks = make_tracks(
        [
            {"artist": "Ann"},
            {"artist": " aNN "},
            {"artist": "Bob"},
            {"artist": "", "recording": "t2"},  # Bob's recording under no name
            {"artist": "Ann", "recording": "t4"},
            {"artist": "Cy", "recording": "t4"},  # joins Cy to Ann
            {"artist": ""},
            {"artist": "  "},
        ]
    )
    assert folds.group(tracks, by_artist=True).tolist() == [0, 0, 2, 2, 0, 0, 6, 7]
    assert folds.group(tracks, by_artist=False).tolist() == [0, 1, 2, 2, 4, 4, 6, 7]


def lumpy_tracks(seed: int, n_artists: int = 60) -> pd.DataFrame:
    """Four genres; few artists have most of the tracks."""
    rng = np.random.default_rng(seed)
    rows = []
    for genre in ("blues", "metal", "pop", "rock"):
        sizes = np.minimum(rng.zipf(1.7, n_artists), 25)
        rows += [{"genre": genre, "artist": f"{genre} {n}"} for n, size in enumerate(sizes) for _ in range(size)]
    return make_tracks([rows[row] for row in rng.permutation(len(rows))])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("protocol", ["artist", "track"])
def test_shares_hold_in_every_genre_though_artists_are_lumpy(seed: int, protocol: str) -> None:
    tracks = lumpy_tracks(seed)
    assigned = folds.assign(tracks, make_split(protocol=protocol), seed)
    for _, rows in tracks.groupby("genre"):
        for fold in ("val", "test"):
            assert np.mean(assigned[rows.index] == fold) == pytest.approx(0.15, abs=0.06)


def test_shares_are_those_asked_for() -> None:
    tracks = make_tracks([{"artist": f"a{n}"} for n in range(100)])
    assigned = folds.assign(tracks, make_split(val=0.1, test=0.3), 0)
    assert [int((assigned == fold).sum()) for fold in ("train", "val", "test")] == [60, 10, 30]


@pytest.mark.parametrize("protocol", ["artist", "track"])
def test_the_seed_decides(protocol: str) -> None:
    tracks = lumpy_tracks(0)
    split = make_split(protocol=protocol)
    first, again, other = (folds.assign(tracks, split, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.1


@pytest.mark.parametrize("number", [2, 3, 5])
def test_cross_validation_tests_every_track_once(number: int) -> None:
    tracks = lumpy_tracks(3)
    pair = tracks.index[tracks["artist"] == "pop 0"][0]
    tracks.loc[pair, "version"] = "original"
    runs = [folds.assign(tracks, make_split(folds=number, fold=fold), 7) for fold in range(number)]
    tested = np.sum([run == "test" for run in runs], axis=0)
    np.testing.assert_array_equal(tested, tracks["artist"] != "pop 0")
    labels = components(tracks, by_artist=True)
    for run in runs:
        usable = run != ""
        assert np.mean(run[usable] == "val") == pytest.approx(0.15, abs=0.06)
        assert np.mean(run[usable] == "test") == pytest.approx(1 / number, abs=0.06)
        assert all(len(found) == 1 for found in fold_sets(tracks, run, labels))


@pytest.mark.parametrize(("number", "artists", "needed"), [(None, 2, 3), (2, 2, 4), (5, 4, 5)])
def test_error_says_how_many_artists_are_needed(number: int | None, artists: int, needed: int) -> None:
    rows = [{"genre": "rock", "artist": f"r{n}"} for n in range(20)]
    rows += [{"genre": "fado", "artist": f"f{n % artists}"} for n in range(20)]
    with pytest.raises(UserError, match=f"genre 'fado' has {artists} artists .* at least {needed} are needed"):
        # With cross-validation some fold number must fail.
        for fold in range(number or 1):
            folds.assign(make_tracks(rows), make_split(folds=number, fold=fold), 0)


def test_artists_of_several_genres_may_leave_no_way_out() -> None:
    """Of these four artists, three by three in a genre, two must share a fold."""
    genres = {"blues": "123", "pop": "124", "rock": "134"}
    rows = [{"genre": genre, "artist": artist} for genre, artists in genres.items() for artist in artists]
    with pytest.raises(
        UserError, match=r"genre '\w+' has no \w+ track, since its 3 artists also belong to other genres"
    ):
        folds.assign(make_tracks(rows), make_split(), 0)


def test_remix_pairs_and_whatever_shares_their_group_are_left_out() -> None:
    rows = [{"artist": f"a{n}"} for n in range(12)]
    rows += [
        {"artist": "Ann", "version": "original"},
        {"artist": "DJ", "version": "remix"},
        {"artist": "ann "},
        {"artist": "Bob", "recording": "t13"},  # the remix again, under another name
        {"artist": "bob"},
    ]
    tracks = make_tracks(rows)
    assigned = folds.assign(tracks, make_split(), 0)
    assert (assigned[:12] != "").all()
    assert (assigned[12:] == "").all()
    by_track = folds.assign(tracks, make_split(protocol="track"), 0)
    assert [fold == "" for fold in by_track] == [False] * 12 + [True] * 5


def predefined_rows() -> list[dict[str, str]]:
    return [{"artist": f"a{n // 2}", "split": split} for n, split in enumerate(["train"] * 20 + ["test"] * 6)]


def test_predefined_lists_are_kept() -> None:
    rows = [*predefined_rows(), {"artist": "a0", "split": "val"}, {"artist": "v", "split": "val"}, {"split": ""}]
    tracks = make_tracks(rows)
    assigned = folds.assign(tracks, make_split(protocol="predefined"), 0)
    np.testing.assert_array_equal(assigned, tracks["split"])


def test_predefined_without_val_takes_artists_from_train() -> None:
    tracks = make_tracks([*predefined_rows(), {"artist": "a0", "split": ""}])
    assigned = folds.assign(tracks, make_split(protocol="predefined", val=0.2), 0)
    np.testing.assert_array_equal(assigned == "test", tracks["split"] == "test")
    assert assigned[-1] == ""
    train = tracks["split"] == "train"
    assert int((assigned[train] == "val").sum()) == 4
    assert all(len(found) == 1 for found in fold_sets(tracks[train], assigned[train], tracks["artist"][train]))


def test_a_recording_in_train_and_test_is_tested_on(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        *predefined_rows(),
        {"artist": "x", "split": "train", "recording": "twin"},
        {"artist": "y", "split": "test", "recording": "twin"},
        {"artist": "v", "split": "val"},
    ]
    assigned = folds.assign(make_tracks(rows), make_split(protocol="predefined"), 0)
    assert assigned[26:].tolist() == ["", "test", "val"]
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == 1
    assert warned[0].startswith("warning: t26 is the same recording as a test track")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"test": "train"}, "no track with split 'test'"),
        ({"test": "eval"}, "split 'eval' is none of train, val, test or empty"),
        ({"test": "Test"}, "split 'Test' is none of"),
    ],
)
def test_predefined_lists_that_are_none(change: dict[str, str], says: str) -> None:
    rows = [row | {"split": change.get(row["split"], row["split"])} for row in predefined_rows()]
    with pytest.raises(UserError, match=says):
        folds.assign(make_tracks(rows), make_split(protocol="predefined"), 0)


def test_a_genre_without_a_predefined_test_track_is_named() -> None:
    rows = predefined_rows() + [{"genre": "fado", "artist": f"f{n}", "split": "train"} for n in range(9)]
    with pytest.raises(UserError, match="genre 'fado' has no test track in the data set's own lists"):
        folds.assign(make_tracks(rows), make_split(protocol="predefined"), 0)


@pytest.mark.parametrize("number", [None, 4])
def test_clips_are_drawn_by_genre(number: int | None) -> None:
    genres = np.array(["blues"] * 200 + ["rock"] * 40 + ["pop"] * 77)
    assigned = folds.assign_clips(genres, make_split(protocol="clip", folds=number), 5)
    for genre in set(genres):
        of_genre = assigned[genres == genre]
        for fold, share in (("val", 0.15), ("test", 0.15 if number is None else 0.25)):
            assert (of_genre == fold).sum() == pytest.approx(share * len(of_genre), abs=1.01)
    np.testing.assert_array_equal(assigned, folds.assign_clips(genres, make_split(protocol="clip", folds=number), 5))


def test_deal_gives_each_part_its_share() -> None:
    genres, groups = np.array(["a"] * 30 + ["b"] * 60), np.arange(90)
    part = folds.partition(genres, groups, [0.5, 0.3, 0.2], np.random.default_rng(0))
    assert np.bincount(part[:30]).tolist() == [15, 9, 6]
    assert np.bincount(part[30:]).tolist() == [30, 18, 12]


def test_other_orders_are_tried_where_groups_of_several_genres_leave_a_part_without_a_genre() -> None:
    rng = np.random.default_rng(0)
    failures = {1: 0, folds.ATTEMPTS: 0}
    for _ in range(150):
        groups = np.arange(9).repeat(3)
        genres = rng.choice(["a", "b", "c"], len(groups))
        for tries in failures:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(folds, "ATTEMPTS", tries)
                parts = folds.partition(genres, groups, [0.7, 0.15, 0.15], np.random.default_rng(1))
            failures[tries] += any(set(parts[genres == genre]) != {0, 1, 2} for genre in np.unique(genres))
    assert failures[folds.ATTEMPTS] < failures[1]


def test_cross_validation_of_predefined_lists_leaves_the_test_list_out() -> None:
    rows = [
        {"genre": genre, "artist": f"{genre}{artist}", "split": split}
        for genre in ("rock", "fado")
        for artist, split in [*((n, "train") for n in range(9)), (9, "val"), (10, "test"), (11, "")]
        for _ in range(3)
    ]
    tracks = make_tracks(rows)
    listed = tracks["split"].isin(["train", "val"]).to_numpy()
    tested = np.zeros(len(tracks), dtype=int)
    for fold in range(5):
        assigned = folds.assign(tracks, make_split(protocol="predefined", folds=5, fold=fold), 0)
        assert (assigned[~listed] == folds.LEFT_OUT).all()
        assert set(assigned[listed]) == set(folds.FOLDS)
        assert tracks.assign(fold=assigned)[listed].groupby("artist")["fold"].nunique().max() == 1
        tested += assigned == "test"
    assert (tested == listed).all()


def test_an_error_names_the_artists() -> None:
    rows = [{"genre": "rock", "artist": f"r{n}"} for n in range(9)] + [{"genre": "fado", "artist": "Ann Example"}] * 5
    with pytest.raises(UserError, match=r"genre 'fado' has 1 artists \(Ann Example\) that share no song"):
        folds.assign(make_tracks(rows), make_split(), 0)


@given(catalogues(), st.integers(0, 3), st.sampled_from([None, 3]))
def test_smaller_shares_of_the_artists_are_part_of_larger_ones_and_the_test_set_stays(
    tracks: pd.DataFrame, seed: int, number: int | None
) -> None:
    try:
        whole = folds.assign(tracks, make_split(folds=number), seed)
    except UserError:
        return
    labels = components(tracks, by_artist=True)
    larger = whole
    for share in (0.7, 0.4, 0.1, 0.001):
        assigned = folds.assign(tracks, make_split(folds=number, train_share=share), seed)
        kept = assigned != ""
        assert np.array_equal(assigned[kept], larger[kept])
        assert np.array_equal(assigned == "test", whole == "test")
        assert set(labels[kept]).isdisjoint(labels[~kept & (whole != "")])
        for genre in set(tracks["genre"][whole != ""]):
            assert {"train", "val"} <= set(assigned[kept & (tracks["genre"] == genre)])
        larger = assigned


def test_a_share_of_the_artists_of_each_genre_is_kept() -> None:
    rows = [{"genre": genre, "artist": f"{genre} {n}"} for genre in ("pop", "rock") for n in range(100)]
    tracks = make_tracks(rows)
    for seed in (0, 1):
        assigned = folds.assign(tracks, make_split(train_share=0.3), seed)
        for genre in ("pop", "rock"):
            own = assigned[tracks["genre"] == genre]
            numbers = [int((own == fold).sum()) for fold in ("train", "val", "test")]
            assert numbers == [21, 4, 15]  # 0.3 of 70, and of 15 (4.5)
    others = folds.assign(tracks, make_split(train_share=0.3, folds=5, fold=1), 0)
    assert (others != assigned).any()
