"""Split tracks into training, validation and test folds.

Tracks that must stay together are grouped first: those of one recording always, those of one artist, or of one album
where the table names albums, under the protocols `artist` (artist filter) and `predefined`. Whole groups are then
assigned so that each fold gets its share of every genre.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genres.core.console import UserError, warn
from genres.core.groups import groups as joined_groups
from genres.core.names import artists_of
from genres.core.params import SplitParams

FOLDS = ("train", "val", "test")
LEFT_OUT = ""

# Largest number of random orders that are tried.
ATTEMPTS = 20


def assign(tracks: pd.DataFrame, split: SplitParams, seed: int) -> np.ndarray:
    """Return the fold of each track, under every protocol but `clip`.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns track_id, genre, artist, recording, split, version (all str).
    split : SplitParams
        Protocol and shares.
    seed : int
        Seed of the random order.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=object]
        train, val or test; empty for a track that is left out by :func:`excluded_for_pairs`, by `train_share` or,
        under `predefined`, by the data set's lists.

    Raises
    ------
    UserError
        If a genre does not reach all three folds.
    """
    groups = group(tracks, by_artist=split.protocol in ("artist", "predefined"))
    usable = ~excluded_for_pairs(tracks)
    folds = np.full(len(tracks), LEFT_OUT, dtype=object)
    if split.protocol == "predefined":
        folds[usable] = _predefined(tracks[usable], groups[usable], split, seed)
    else:
        genres = tracks["genre"].to_numpy()[usable]
        folds[usable] = _split(genres, groups[usable], split, seed)
    _check(tracks, groups, folds, split)
    for fold in ("train", "val"):
        members = np.flatnonzero(folds == fold)
        kept = _share(tracks["genre"].to_numpy()[members], groups[members], split, seed)
        folds[members[~kept]] = LEFT_OUT
    return folds


def _share(genres: np.ndarray, groups: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Return a mask of the tracks of the first `train_share` of each genre's groups in random order, at least one.

    The order is the same for all shares, so that a smaller share is a subset of a larger one. A group of several genres
    is kept for any of them.
    """
    names = np.unique(groups)
    order = np.random.default_rng([seed, 2, split.fold]).permutation(len(names))
    place = dict(zip(names[order], range(len(names)), strict=True))
    kept: set[Any] = set()
    for genre in np.unique(genres):
        own = sorted(set(groups[genres == genre]), key=place.__getitem__)
        kept.update(own[: max(1, round(split.train_share * len(own)))])
    return np.isin(groups, list(kept))


def group(tracks: pd.DataFrame, *, by_artist: bool) -> np.ndarray:
    """Return the group of each track; tracks of one group must share a fold.

    Tracks are of one artist if they share a name, as :func:`genres.core.names.artists_of` reads them; a track of an
    unknown artist is joined with no other's. With the artists, tracks of one album are joined, where `tracks` has a
    column `album` (str, empty: unknown).

    Returns
    -------
    np.ndarray [shape=(n,), dtype=int]
    """
    labels: list[Iterable[Any]] = [tracks["recording"]]
    if by_artist:
        labels.append(artists_of(tracks["artist"]))
        labels.append(tracks.get("album", []))
    return np.array(joined_groups(len(tracks), *labels), dtype=int)


def excluded_for_pairs(tracks: pd.DataFrame) -> np.ndarray:
    """Return a mask of the tracks that the remix pairs exclude from all folds, under every protocol.

    These are the tracks of the pairs, other copies of their recordings, and all other songs of their artists: a network
    that has learned an artist's sound would distinguish the artists of original and remix, not the genres.

    Parameters
    ----------
    tracks : pd.DataFrame
        Columns artist, recording, version (all str).

    Returns
    -------
    np.ndarray [shape=(n,), dtype=bool]
    """
    paired = (tracks["version"] != "").to_numpy()
    if not paired.any():
        return paired
    groups = group(tracks, by_artist=True)
    return np.isin(groups, groups[paired])


def assign_clips(genres: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Return the fold of each clip under protocol `clip`, the paper's leak: clips of one song are in several folds.

    Parameters
    ----------
    genres : np.ndarray [shape=(n,)]
        Genre of each clip.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=object]
    """
    return _split(genres, np.arange(len(genres)), split, seed)


def _split(genres: np.ndarray, groups: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Split groups into train, val and test; with `folds` set, test is one of that many equal parts."""
    rng = np.random.default_rng([seed, 1])
    folds = np.full(len(genres), "train", dtype=object)
    if split.folds is None:
        part = partition(genres, groups, [1 - split.val - split.test, split.val, split.test], rng)
        return np.array(FOLDS, dtype=object)[part]
    part = partition(genres, groups, [1 / split.folds] * split.folds, rng)
    test = part == split.fold
    folds[test] = "test"
    # `val` is a share of all tracks, as without cross-validation.
    share = min(split.val / (1 - 1 / split.folds), 0.5)
    inner = partition(genres[~test], groups[~test], [1 - share, share], rng)
    folds[~test] = np.array(["train", "val"], dtype=object)[inner]
    return folds


def _predefined(tracks: pd.DataFrame, groups: np.ndarray, split: SplitParams, seed: int) -> np.ndarray:
    """Return the folds of the data set's lists; without a val list, val is an artist-grouped share of train."""
    folds = tracks["split"].to_numpy(dtype=object).copy()
    unknown = sorted(set(folds) - {*FOLDS, LEFT_OUT})
    if unknown:
        raise UserError(f"tracks.csv: split '{unknown[0]}' is none of train, val, test or empty")
    if not (folds == "test").any():
        raise UserError("split.protocol: predefined, but tracks.csv has no track with split 'test'")
    _drop_copies(tracks, folds)
    if split.folds is not None:
        # Cross-validate within the training lists only, so that the published test list stays unseen by every choice.
        listed = np.isin(folds, ("train", "val"))
        folds[folds == "test"] = LEFT_OUT
        folds[listed] = _split(tracks["genre"].to_numpy()[listed], groups[listed], split, seed)
        return folds
    if not (folds == "val").any():
        train = np.flatnonzero(folds == "train")
        genres = tracks["genre"].to_numpy()[train]
        part = partition(genres, groups[train], [1 - split.val, split.val], np.random.default_rng([seed, 1]))
        folds[train[part == 1]] = "val"
    return folds


def _drop_copies(tracks: pd.DataFrame, folds: np.ndarray) -> None:
    """Leave out copies of a recording in several published lists: test keeps its copy before val, val before train."""
    rank = {"train": 0, "val": 1, "test": 2}
    highest: dict[str, int] = {}
    for recording, fold in zip(tracks["recording"], folds, strict=True):
        if fold:
            highest[recording] = max(highest.get(recording, 0), rank[fold])
    for row, (recording, track_id) in enumerate(zip(tracks["recording"], tracks["track_id"], strict=True)):
        if folds[row] and rank[folds[row]] < highest[recording]:
            warn(f"{track_id} is the same recording as a {FOLDS[highest[recording]]} track: left out of {folds[row]}")
            folds[row] = LEFT_OUT


def partition(genres: np.ndarray, groups: np.ndarray, shares: list[float], rng: np.random.Generator) -> np.ndarray:
    """Partition whole groups so that each part has about its share of the tracks of every genre.

    Large groups go first, each to the part that lacks most of the group's genres; groups of equal size in random order.
    While a part has no track of a genre and the genre's groups run short, they go there, so that a genre with as many
    groups as parts reaches all of them. (Drawing artists at random instead can put half of a genre into the test set,
    if one artist has many tracks.) If groups of several genres still leave a part without a genre, other random orders
    are tried.

    Parameters
    ----------
    genres : np.ndarray [shape=(n,)]
        Genre of each track.
    groups : np.ndarray [shape=(n,)]
        Group of each track.
    shares : list of float
        Share of each part; they sum to one.
    rng : np.random.Generator
        Generator of the order among groups of equal size.

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
    for _ in range(ATTEMPTS):
        part_of_group, held = _partition_once(sizes, shares, rng)
        missing = (held == 0).sum()
        if missing < fewest_missing:
            fewest_missing, best = missing, part_of_group
        if missing == 0:
            break
    return best[group_codes]


def _partition_once(sizes: np.ndarray, shares: list[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Partition groups of `sizes` [shape=(groups, genres)] once; return the part of each and each part's sizes."""
    lacking = np.outer(shares, sizes.sum(axis=0))
    held = np.zeros_like(lacking)
    groups_left = (sizes > 0).sum(axis=0)
    part_of_group = np.empty(len(sizes), dtype=int)
    # Groups of several genres are the hardest to place, so they go first. Among equals the order is random.
    order = np.lexsort((rng.random(len(sizes)), -sizes.sum(axis=1), -(sizes > 0).sum(axis=1)))
    for index in order:
        present = sizes[index] > 0
        empty = (held[:, present] == 0) & ((held[:, present] == 0).sum(axis=0) >= groups_left[present])
        need = (lacking[:, present] * sizes[index, present]).sum(axis=1) + 1e9 * empty.sum(axis=1)
        best = np.flatnonzero(need >= need.max() - 1e-9)
        part = int(best[0] if len(best) == 1 else rng.choice(best))
        part_of_group[index] = part
        lacking[part] -= sizes[index]
        held[part] += sizes[index]
        groups_left -= present
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
    names = tracks["artist"][(genres == first.genre) & (folds != LEFT_OUT) & (tracks["artist"] != "")].unique()
    some = f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if unit == "artists" and len(names) else ""
    needed = 3 if split.folds is None else max(split.folds, 4 if split.folds == 2 else 3)
    if first.units >= needed:
        raise UserError(
            f"genre '{first.genre}' has no {first.fold} track, since its {first.units} {unit} also belong to other "
            f"genres{some}: try another seed, add songs of other {unit}, or change split.protocol"
        )
    raise UserError(
        f"genre '{first.genre}' has {first.units} {unit}{some} that share no song and no {first.fold} track: at least "
        f"{needed} are needed; add songs of other {unit}, exclude the genre (exclude_genres), or change split.protocol"
    )
