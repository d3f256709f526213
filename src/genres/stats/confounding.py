"""Measure how far the source of the songs explains the accuracy; the stage `confounding` describes the controls."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from genres.stats import scores

# Least number of tracks (of at least two artists) with which a source, or a genre of a source, takes part.
MIN_TRACKS = 5
SPLITS = 5  # most parts of the cross-validation

# The logistic regression has a few hundred standardised columns and often fewer tracks, so it needs a strong prior.
INVERSE_REGULARISATION = 0.1


def audible(columns: np.ndarray | None, tracks: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Compute how well the source is recognised: balanced accuracy with its 95 % interval, and chance level.

    `source_…` is over all tracks by family, `exact_source_…` over all tracks by exact source. `source_within_genre_…`
    is by family within one genre, averaged over the genres that several families have. Values are None where fewer
    than two sources take part.
    """
    result: dict[str, Any] = {}
    groups = tracks["group"].to_numpy()
    for name, column in (("source", "family"), ("exact_source", "source")):
        labels = tracks[column].to_numpy(dtype=str)
        everything = np.ones(len(tracks), dtype=bool)
        answers = [] if columns is None else _recognise(columns, labels, groups, everything, seed)
        result |= _summary(name, answers, resamples, seed)
    families, genres = tracks["family"].to_numpy(dtype=str), tracks["genre"].to_numpy(dtype=str)
    within: list[tuple[Any, ...]] = []
    shared = 0
    for genre in np.unique(genres):
        if columns is not None and (one := _recognise(columns, families, groups, genres == genre, seed)):
            within += [(genre, *answer) for answer in one]
            shared += 1
    return result | {"genres_of_several_sources": shared} | _summary("source_within_genre", within, resamples, seed)


def _recognise(
    columns: np.ndarray, labels: np.ndarray, groups: np.ndarray, among: np.ndarray, seed: int
) -> list[tuple[Any, ...]]:
    """Return (label, right) of each cross-validated prediction; empty if under two labels have enough tracks."""
    chosen = np.flatnonzero(among)
    chosen = chosen[testable(labels[chosen], groups[chosen])]
    answers = []
    for train, test in divided(labels[chosen], groups[chosen], seed):
        predicted = classify(columns[chosen[train]], labels[chosen[train]], columns[chosen[test]])
        truth = labels[chosen[test]]
        answers += list(zip(truth.tolist(), (predicted == truth).tolist(), strict=True))
    return answers


def testable(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Mark the tracks whose label has at least `MIN_TRACKS` tracks of at least two groups."""
    table = pd.DataFrame({"label": labels, "group": groups}).groupby("label")["group"]
    return ((table.transform("size") >= MIN_TRACKS) & (table.transform("nunique") >= 2)).to_numpy(dtype=bool)


def divided(labels: np.ndarray, groups: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield train and test indices of a cross-validation with whole groups, stratified by label; none for one label."""
    fewest = pd.Series(groups).groupby(labels).nunique().min() if len(labels) else 0
    if len(set(labels)) < 2 or fewest < 2:
        return
    cut = StratifiedGroupKFold(min(SPLITS, int(fewest)), shuffle=True, random_state=seed)
    for train, test in cut.split(labels, labels, groups):
        if len(train) and len(test):
            yield train, test


def classify(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predict the labels of the rows of `test` by logistic regression with balanced classes."""
    if len(set(labels)) == 1:
        return np.full(len(test), labels[0])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=INVERSE_REGULARISATION, class_weight="balanced", max_iter=2000)
    )
    # One thread: on matrices this small, several wait for each other and take five times as long on a busy CPU.
    with threadpool_limits(1):
        return model.fit(train, labels).predict(test)


def _summary(name: str, answers: list[tuple[Any, ...]], resamples: int, seed: int) -> dict[str, Any]:
    """Return the four entries of the metrics file for answers (…, label, right)."""
    keys = ("balanced_accuracy", "ci95_low", "ci95_high", "chance")
    values = balanced(answers, resamples, seed) if answers else (None,) * len(keys)
    return {f"{name}_{key}": value for key, value in zip(keys, values, strict=True)}


def balanced(answers: list[tuple[Any, ...]], resamples: int, seed: int) -> tuple[float, float, float, float]:
    """Compute the balanced accuracy, its 95 % interval, and the chance level.

    Parameters
    ----------
    answers : list of (label, right) or (part, label, right)
        One entry per track. The accuracy is the share that is right, averaged over the labels of a part, then over the
        parts.
    resamples, seed : int
        Resamples and seed of the percentile bootstrap over the tracks of each label. If all tracks are right, or none,
        the interval is Wilson's: see :func:`genres.stats.scores.accuracy_interval`.

    Returns
    -------
    accuracy, low, high, chance : float
    """
    table = pd.DataFrame([answer if len(answer) == 3 else ("", *answer) for answer in answers])
    cells = table.groupby([0, 1])[2].agg(["mean", "size"]).reset_index()
    labels = cells.groupby(0)[0].transform("size").to_numpy()
    weights = 1 / (labels * cells[0].nunique())
    share, size = cells["mean"].to_numpy(dtype=float), cells["size"].to_numpy()
    accuracy, chance = float(weights @ share), float(weights @ (1 / labels))
    right = table[2].to_numpy(dtype=bool)
    if right.all() or not right.any():
        return accuracy, *scores.accuracy_interval(right, resamples, seed), chance
    drawn = np.random.default_rng(seed).binomial(size, share, (resamples, len(cells))) / size
    low, high = np.quantile(drawn @ weights, scores.CI95)
    return accuracy, float(low), float(high), chance


def explained(tracks: pd.DataFrame, predictions: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Compute the accuracy of predicting genres from the source alone, and the networks' accuracy within a source.

    Parameters
    ----------
    tracks : pd.DataFrame
        track_id, genre, family, fold.
    predictions : dict of pd.DataFrame
        Test tracks of each architecture: track_id, genre, predicted and a probability column for each genre.

    Returns
    -------
    dict
        majority_accuracy: accuracy of always predicting the most common training genre. source_alone_accuracy: accuracy
        of predicting the most common training genre of the track's family. source_determines_genre: share of the test
        tracks whose family has one genre only. <architecture>_accuracy. <architecture>_accuracy_within_source: only the
        genres compete that the track's family has outside of the test set.
    """
    train = tracks[tracks["fold"] == "train"]
    others = tracks[tracks["fold"] != "test"]
    majority = _most_common(train["genre"])
    of_family = {family: _most_common(genres) for family, genres in train.groupby("family")["genre"]}
    competing = {family: sorted(set(genres)) for family, genres in others.groupby("family")["genre"]}
    result: dict[str, Any] = {}
    for name, table in predictions.items():
        test = table.merge(tracks[["track_id", "family"]], on="track_id", validate="one_to_one")
        truth = test["genre"].to_numpy(dtype=str)
        if not result:
            alone = np.array([of_family.get(family, majority) for family in test["family"]], dtype=str)
            result = {
                "majority_accuracy": float((truth == majority).mean()),
                "source_alone_accuracy": float((truth == alone).mean()),
                "source_determines_genre": float(
                    np.mean([len(competing.get(family, [])) == 1 for family in test["family"]])
                ),
            }
        genres = [column for column in table.columns if column in set(tracks["genre"])]
        allowed = [[genre in competing.get(family, genres) for genre in genres] for family in test["family"]]
        within = np.array(genres)[np.where(allowed, test[genres].to_numpy(dtype=float), -1).argmax(axis=1)]
        result[f"{name}_accuracy"] = float((test["predicted"].to_numpy(dtype=str) == truth).mean())
        result[f"{name}_accuracy_within_source"] = float((within == truth).mean())
    return result


def _most_common(genres: pd.Series) -> str:
    """Return the most common genre, the first by name of several that tie."""
    return str(genres.mode().iloc[0])


def transfer(columns: np.ndarray | None, tracks: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Compute the logistic regression's accuracy on another source than the one it learned the genres from.

    Each ordered pair of families with at least two common genres is used. The classifier learns these genres from the
    first family, and is tested on other songs of the first (`genre_same_source_…`) and of the second
    (`genre_other_source_…`). Songs of an artist are never in both training and test, and both tests use the same
    trained classifiers. Values are None if there is no pair.
    """
    same: list[tuple[Any, ...]] = []
    other: list[tuple[Any, ...]] = []
    pairs = permutations(sorted(set(tracks["family"])), 2) if columns is not None else ()
    for pair in pairs:
        mine = tracks[tracks["family"].isin(pair)]
        labels = (mine["genre"] + "\n" + mine["family"]).to_numpy(dtype=str)
        mine = mine[testable(labels, mine["group"].to_numpy())]
        mine = mine[mine.groupby("genre")["family"].transform("nunique") == 2]
        if mine["genre"].nunique() < 2:
            continue
        genres, families = mine["genre"].to_numpy(dtype=str), mine["family"].to_numpy(dtype=str)
        rows = columns[mine.index.to_numpy()]  # type: ignore[index]
        labels = np.char.add(np.char.add(genres, "\n"), families)
        for train, test in divided(labels, mine["group"].to_numpy(), seed):
            train = train[families[train] == pair[0]]
            if not len(train):
                continue
            right = classify(rows[train], genres[train], rows[test]) == genres[test]
            for index, answer in zip(test, right, strict=True):
                (same if families[index] == pair[0] else other).append((" ".join(pair), genres[index], bool(answer)))
    return _summary("genre_same_source", same, resamples, seed) | _summary("genre_other_source", other, resamples, seed)
