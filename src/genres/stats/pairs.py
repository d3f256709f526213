"""Compare a network's predictions for two versions of a song: shifts, distances and their null distances.

Input: genre probabilities of songs, one row a window. Output: tables of plain numbers, one row a pair. Predictions
differ a little between any two pieces of music, so the distance of a pair is reported beside two null distances: that
of the two halves of one song, and that of two different songs of one genre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from genres.stats.scores import holm
from genres.stats.sign_flip import SignFlip, least_p, sign_flip


@dataclass(frozen=True)
class Song:
    """A network's predictions for a song."""

    track_id: str
    genre: str
    windows: np.ndarray  # [shape=(n_windows, n_genres)], rows sum to 1
    start_s: np.ndarray  # [shape=(n_windows,)]
    end_s: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """Probabilities of the song: the mean over its windows."""
        return self.windows.mean(axis=0)

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Probabilities of each half, without the middle window of an odd number; None for a single window."""
        half = len(self.windows) // 2
        return (self.windows[:half].mean(axis=0), self.windows[-half:].mean(axis=0)) if half else None


@dataclass(frozen=True)
class Pair:
    """Two versions of a song."""

    name: str
    original: Song
    remix: Song


SHIFT_COLUMNS = ["genre", "original", "remix", "shift", "ci95_low", "ci95_high", "p", "p_holm"]

# The null comparisons of a pair's distance.
NULLS = {"halves": "two halves of one song", "same_genre": "two songs of one genre"}


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the Jensen–Shannon distance of distributions: 0 (equal) to 1 (no genre in common).

    It is the square root of the divergence in bits, which is a metric (Endres and Schindelin 2003).

    Parameters
    ----------
    one, other : np.ndarray [shape=(..., n_genres)]
        Rows sum to 1.

    Returns
    -------
    np.ndarray [shape=(...)]
    """
    # Rounding can leave a divergence just below zero for equal distributions, whose root is NaN.
    return np.nan_to_num(jensenshannon(one, other, base=2, axis=-1))


def table(pairs: Sequence[Pair], others: Sequence[Song], genres: Sequence[str]) -> pd.DataFrame:
    """Tabulate the distance, the null distances and the shift towards each genre of every pair.

    Parameters
    ----------
    pairs : sequence of Pair
    others : sequence of Song
        Songs that the network was not trained on, for the null of two songs of one genre.
    genres : sequence of str
        Genre of each column of the songs' probabilities.

    Returns
    -------
    pd.DataFrame
        song, original, remix (track ids), original_genre, remix_genre, original_first, remix_first (the likeliest
        genres), changes (whether these differ); distance; distance_halves (mean over the two versions) and
        distance_same_genre (mean over `others` of the original's genre, each against the original), both NaN without
        any comparison; changes_halves, changes_same_genre (shares of the same comparisons); and original_<genre>,
        remix_<genre>, shift_<genre> (remix less original).
    """
    columns = ["song", "original", "remix", "original_genre", "remix_genre", "original_first", "remix_first"]
    columns += ["changes", "distance", *(f"{what}_{null}" for null in NULLS for what in ("distance", "changes"))]
    columns += [f"{what}_{genre}" for what in ("original", "remix", "shift") for genre in genres]
    return pd.DataFrame([_row(pair, others, genres) for pair in pairs], columns=columns)


def windows_of(pairs: Sequence[Pair], genres: Sequence[str]) -> pd.DataFrame:
    """Return a row for each window: song, version, track_id, start_s, end_s and a probability column for each genre."""
    parts = [pd.DataFrame(columns=["song", "version", "track_id", "start_s", "end_s", *genres])]
    for pair in pairs:
        for version, song in (("original", pair.original), ("remix", pair.remix)):
            table = pd.DataFrame(song.windows, columns=list(genres))
            table[["start_s", "end_s"]] = list(zip(song.start_s, song.end_s, strict=True))
            parts.append(table.assign(song=pair.name, version=version, track_id=song.track_id)[parts[0].columns])
    return parts[0] if len(parts) == 1 else pd.concat(parts[1:], ignore_index=True)


def _row(pair: Pair, others: Sequence[Song], genres: Sequence[str]) -> dict[str, Any]:
    original, remix = pair.original.whole, pair.remix.whole
    halves = [song.halves for song in (pair.original, pair.remix)]
    same_genre = [(original, song.whole) for song in others if song.genre == pair.original.genre]
    row: dict[str, Any] = {
        "song": pair.name,
        "original": pair.original.track_id,
        "remix": pair.remix.track_id,
        "original_genre": pair.original.genre,
        "remix_genre": pair.remix.genre,
        "original_first": genres[int(original.argmax())],
        "remix_first": genres[int(remix.argmax())],
        "changes": bool(original.argmax() != remix.argmax()),
        "distance": float(distance(original, remix)),
    }
    for null, compared in (("halves", [both for both in halves if both is not None]), ("same_genre", same_genre)):
        row[f"distance_{null}"], row[f"changes_{null}"] = compare(compared)
    row |= {f"original_{genre}": p for genre, p in zip(genres, original, strict=True)}
    row |= {f"remix_{genre}": p for genre, p in zip(genres, remix, strict=True)}
    return row | {f"shift_{genre}": p for genre, p in zip(genres, remix - original, strict=True)}


def compare(compared: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return the mean distance of the comparisons and the share whose likeliest genre differs; NaN for none."""
    if not compared:
        return float("nan"), float("nan")
    one, other = (np.stack(side) for side in zip(*compared, strict=True))
    return float(distance(one, other).mean()), float((one.argmax(axis=1) != other.argmax(axis=1)).mean())


def shifts(rows: pd.DataFrame, genres: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Test the mean shift towards each genre over all pairs with a paired sign-flip test.

    The null hypothesis is that original and remix are exchangeable.

    Returns
    -------
    pd.DataFrame
        genre, original, remix (mean probabilities), shift, ci95_low, ci95_high (-1 and 1 where the test gives no
        bound), p, p_holm (corrected for the number of genres); the largest shift first.
    """
    tests = []
    for genre in genres:
        test = sign_flip(rows[f"shift_{genre}"], seed)
        means = {side: rows[f"{side}_{genre}"].mean() for side in ("original", "remix")}
        tests.append({"genre": genre, **means, "shift": test.mean, **_interval(test), "p": test.p})
    tested = pd.DataFrame(tests)
    tested["p_holm"] = holm(tested["p"])
    return tested.sort_values("shift", ascending=False, ignore_index=True)[SHIFT_COLUMNS]


def _interval(test: SignFlip) -> dict[str, float]:
    return {"ci95_low": -1.0 if test.low is None else test.low, "ci95_high": 1.0 if test.high is None else test.high}


def summary(rows: pd.DataFrame, genres: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Summarise all pairs as flat numbers.

    Returns
    -------
    dict
        n_pairs, least_p (the smallest possible with n_pairs); first_genre_changes (share of the pairs); distance
        (mean). For each null with data (`halves`, `same_genre`): distance_<null>, first_genre_changes_<null>,
        further_than_<null> (mean of the differences within pairs) with _ci95_low, _ci95_high, _p and _p_holm (over
        both nulls). to_remix_genre and from_original_genre: the mean shift of the probability of the remix's and the
        original's genre, over the pairs whose genre the network was trained on, with _ci95_low, _ci95_high and _p.
        towards (the genre with the largest mean shift), towards_shift, towards_p_holm (over all genres). No value is
        None or NaN.
    """
    result: dict[str, Any] = {"n_pairs": len(rows), "least_p": least_p(len(rows))}
    result |= {"first_genre_changes": float(rows["changes"].mean()), "distance": float(rows["distance"].mean())}
    tests = {}
    for null in NULLS:
        has = rows[rows[f"distance_{null}"].notna()]
        if len(has):
            result[f"distance_{null}"] = float(has[f"distance_{null}"].mean())
            result[f"first_genre_changes_{null}"] = float(has[f"changes_{null}"].mean())
            tests[f"further_than_{null}"] = sign_flip(has["distance"] - has[f"distance_{null}"], seed)
    corrected = holm([test.p for test in tests.values()])
    for (name, test), p in zip(tests.items(), corrected, strict=True):
        result |= _flat(name, test) | {f"{name}_p_holm": float(p)}
    for name, side in (("to_remix_genre", "remix"), ("from_original_genre", "original")):
        # A network was not trained on a genre that occurs only in the pairs.
        learned = rows[rows[f"{side}_genre"].isin(genres)].to_dict("records")
        if learned:
            result |= _flat(name, sign_flip([row[f"shift_{row[f'{side}_genre']}"] for row in learned], seed))
    first = shifts(rows, genres, seed).iloc[0]
    return result | {
        "towards": str(first["genre"]),
        "towards_shift": float(first["shift"]),
        "towards_p_holm": float(first["p_holm"]),
    }


def _flat(name: str, test: SignFlip) -> dict[str, float]:
    interval = {f"{name}_{end}": value for end, value in _interval(test).items()}
    return {name: test.mean, **interval, f"{name}_p": test.p}
