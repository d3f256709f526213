"""Which track is trained on, which one chosen on, which one tested on.

What must stay together is put into groups first: tracks of one recording always, tracks of one artist under protocol
`artist`. Whole groups are then dealt out so that each fold gets its share of every genre.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genres.core.console import UserError, warn
from genres.core.groups import Groups
from genres.core.params import SplitParams

FOLDS = ("train", "val", "test")
LEFT_OUT = ""

# Random orders that are tried at most.
DEALS = 20


def assign(tracks: pd.DataFrame, split: SplitParams, seed: int) -> np.ndarray:
    """The fold of each track, under every protocol but `clip`.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns track_id, genre, artist, recording, split, version (all str).
    split : SplitParams
        Protocol and shares.
    seed : int
        Of the draw.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=object]
        train, val or test, or empty for a track that is left out: see :func:`of_pairs`, and under `predefined` what
        the data set's lists leave out.

    Raises
    ------
    UserError
        If a genre does not reach all three folds.
    """
    groups = group(tracks, by_artist=split.protocol in ("artist", "predefined"))
    usable = ~of_pairs(tracks)
    folds = np.full(len(tracks), LEFT_OUT, dtype=object)
    if split.protocol == "predefined":
        folds[usable] = _predefined(tracks[usable], groups[usable], split, seed)
    else:
        genres = tracks["genre"].to_numpy()[usable]
        folds[usable] = _drawn(genres, groups[usable], split, seed)
    _check(tracks, groups, folds, split)
    return folds


def group(tracks: pd.DataFrame, *, by_artist: bool) -> np.ndarray:
    """The group of each track: tracks of one group must share a fold.

    Names of artists are compared without regard to case and outer blanks; an unknown artist is one of its own.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int]
    """
    groups = Groups(len(tracks))
    groups.join_equal(tracks["recording"])
    if by_artist:
        groups.join_equal(artist.strip().casefold() for artist in tracks["artist"])
    return np.array(groups.roots(), dtype=int)


def of_pairs(tracks: pd.DataFrame) -> np.ndarray:
    """Which tracks are kept out of all folds for the sake of the remix pairs, under every protocol.

    Those of the pairs, other copies of their recordings, and all other songs of their artists: a network that knows
    the sound of an artist would tell the artists of original and remix apart, not the genres.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns artist, recording, version (all str).

    Returns
    -------
    np.ndarray [shape=(n,), dtype=bool]
    """
    groups = group(tracks, by_artist=True)
    return np.isin(groups, groups[(tracks["version"] != "").to_numpy()])


def of_clips(genres: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Folds for single clips, protocol `clip`: the paper's leak, in which clips of one song are in several folds.

    Parameters
    ----------
    genres : np.ndarray [shape=(n,)]
        Of each clip.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=object]
    """
    return _drawn(genres, np.arange(len(genres)), split, seed)


def _drawn(genres: np.ndarray, groups: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Deal groups to train, val and test; with `folds` set, test is one of that many equal parts."""
    rng = np.random.default_rng([seed, 1])
    folds = np.full(len(genres), "train", dtype=object)
    if split.folds is None:
        part = deal(genres, groups, [1 - split.val - split.test, split.val, split.test], rng)
        return np.array(FOLDS, dtype=object)[part]
    part = deal(genres, groups, [1 / split.folds] * split.folds, rng)
    test = part == split.fold
    folds[test] = "test"
    # `val` is a share of all tracks, as without cross-validation.
    share = min(split.val / (1 - 1 / split.folds), 0.5)
    inner = deal(genres[~test], groups[~test], [1 - share, share], rng)
    folds[~test] = np.array(["train", "val"], dtype=object)[inner]
    return folds


def _predefined(tracks: pd.DataFrame, groups: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """The data set's own lists; without one for val, an artist-grouped share of train. With folds: see below."""
    folds = tracks["split"].to_numpy(dtype=object).copy()
    unknown = sorted(set(folds) - {*FOLDS, LEFT_OUT})
    if unknown:
        raise UserError(f"tracks.csv: split '{unknown[0]}' is none of train, val, test or empty")
    if not (folds == "test").any():
        raise UserError("split.protocol: predefined, but tracks.csv has no track with split 'test'")
    _drop_copies(tracks, folds)
    if split.folds is not None:
        # Cross-validation inside the training lists, where every choice is made: the published test list stays unseen.
        listed = np.isin(folds, ("train", "val"))
        folds[folds == "test"] = LEFT_OUT
        folds[listed] = _drawn(tracks["genre"].to_numpy()[listed], groups[listed], split, seed)
        return folds
    if not (folds == "val").any():
        train = np.flatnonzero(folds == "train")
        genres = tracks["genre"].to_numpy()[train]
        part = deal(genres, groups[train], [1 - split.val, split.val], np.random.default_rng([seed, 1]))
        folds[train[part == 1]] = "val"
    return folds


def _drop_copies(tracks: pd.DataFrame, folds: np.ndarray) -> None:
    """Where a published list has one recording in two folds, leave the copy out that is not tested (or chosen) on."""
    rank = {"train": 0, "val": 1, "test": 2}
    highest: dict[str, int] = {}
    for recording, fold in zip(tracks["recording"], folds, strict=True):
        if fold:
            highest[recording] = max(highest.get(recording, 0), rank[fold])
    for row, (recording, track_id) in enumerate(zip(tracks["recording"], tracks["track_id"], strict=True)):
        if folds[row] and rank[folds[row]] < highest[recording]:
            warn(f"{track_id} is the same recording as a {FOLDS[highest[recording]]} track: left out of {folds[row]}")
            folds[row] = LEFT_OUT


def deal(genres: np.ndarray, groups: np.ndarray, shares: list[float], rng: np.random.Generator) -> np.ndarray:
    """Deal whole groups to parts, so that each part has about its share of the tracks of every genre.

    Large groups go first, each to the part that lacks most of the group's genres; groups of equal size in random
    order. As long as a part has none of a genre and the genre's groups run short, they go there, so that a genre
    with as many groups as there are parts reaches all of them. (Drawing a share of the artists at random instead can
    put half of a genre into the test set, where one artist has many tracks.) Where groups of several genres leave a
    part without a genre all the same, other random orders are tried.

    Parameters
    ----------
    genres : np.ndarray [shape=(n,)]
        Of each track.
    groups : np.ndarray [shape=(n,)]
        Of each track.
    shares : list of float
        Of each part; they sum to one.
    rng : np.random.Generator
        Of the order among equals.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int]
        The part of each track.
    """
    genre_names, genre_codes = np.unique(genres, return_inverse=True)
    group_names, group_codes = np.unique(groups, return_inverse=True)
    sizes = np.zeros((len(group_names), len(genre_names)))
    np.add.at(sizes, (group_codes, genre_codes), 1)
    fewest_missing, best = np.inf, np.empty(0, dtype=int)
    for _ in range(DEALS):
        part_of_group, held = _deal_once(sizes, shares, rng)
        missing = (held == 0).sum()
        if missing < fewest_missing:
            fewest_missing, best = missing, part_of_group
        if missing == 0:
            break
    return best[group_codes]


def _deal_once(sizes: np.ndarray, shares: list[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Deal groups of `sizes` [shape=(groups, genres)]; return the part of each, and the tracks held by each part."""
    lacking = np.outer(shares, sizes.sum(axis=0))
    held = np.zeros_like(lacking)
    groups_left = (sizes > 0).sum(axis=0)
    part_of_group = np.empty(len(sizes), dtype=int)
    # Groups of several genres are hardest to place: first. Among equals the order is random.
    order = np.lexsort((rng.random(len(sizes)), -sizes.sum(axis=1), -(sizes > 0).sum(axis=1)))
    for index in order:
        mine = sizes[index] > 0
        empty = (held[:, mine] == 0) & ((held[:, mine] == 0).sum(axis=0) >= groups_left[mine])
        need = (lacking[:, mine] * sizes[index, mine]).sum(axis=1) + 1e9 * empty.sum(axis=1)
        best = np.flatnonzero(need >= need.max() - 1e-9)
        part = int(best[0] if len(best) == 1 else rng.choice(best))
        part_of_group[index] = part
        lacking[part] -= sizes[index]
        held[part] += sizes[index]
        groups_left -= mine
    return part_of_group, held


@dataclass(frozen=True)
class _Shortage:
    genre: str
    fold: str
    units: int


def _check(tracks: pd.DataFrame, groups: np.ndarray, folds: np.ndarray, split: SplitParams) -> None:
    genres = tracks["genre"].to_numpy()
    shortages = [
        _Shortage(genre, fold, len(set(groups[(genres == genre) & (folds != LEFT_OUT)])))
        for genre in sorted(set(genres[folds != LEFT_OUT]))
        for fold in FOLDS
        if not ((genres == genre) & (folds == fold)).any()
    ]
    if not shortages:
        return
    first = shortages[0]
    unit = {"artist": "artists", "predefined": "artists"}.get(split.protocol, "recordings")
    if split.protocol == "predefined" and first.fold != "val":
        raise UserError(f"genre '{first.genre}' has no {first.fold} track in the data set's own lists")
    needed = 3 if split.folds is None else max(split.folds, 4 if split.folds == 2 else 3)
    if first.units >= needed:
        raise UserError(
            f"genre '{first.genre}' does not reach {first.fold}, for its {first.units} {unit} are those of other "
            "genres, too: try another seed, add songs of others, or see split.protocol"
        )
    raise UserError(
        f"genre '{first.genre}' has {first.units} {unit} that share no song, too few to reach {first.fold}: at least "
        f"{needed} are needed; add songs of others, leave the genre out (exclude_genres), or see split.protocol"
    )
