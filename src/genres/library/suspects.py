"""Suspects of an audit: duplicates with two labels, labels that confident learning doubts, and outliers."""

import numpy as np
import pandas as pd

from genres.library.audited import Audited
from genres.stats import label_errors
from genres.stats.outliers import FAR, nearest_others, robust_scores

DUPLICATE, LABEL, OUTLIER = "duplicate", "label", "outlier"


def find(music: Audited) -> pd.DataFrame:
    """List the suspects: duplicates with two labels first, then doubted labels by score, then outliers by distance.

    Returns
    -------
    pd.DataFrame
        rank; kind, several with commas; track_id; file; label; likelier, a genre, or empty if there is none; score, of
        kind label see :func:`genres.stats.label_errors.score`, of outliers robust standard deviations;
        probability_of_label; probability_of_likelier; note.
    """
    rows = pd.concat([duplicates(music), doubted(music), outliers(music)], ignore_index=True)
    together = rows.groupby("track_id", sort=False)
    found = rows.drop_duplicates("track_id").set_index("track_id")
    found["kind"] = together["kind"].agg(", ".join)
    found["note"] = together["note"].agg(lambda notes: "; ".join(filter(None, notes)))
    found["score"] = together["score"].agg(lambda scores: scores.dropna().iloc[0] if scores.notna().any() else np.nan)
    found = found.reset_index()
    songs = music.catalogue.drop_duplicates("track_id").set_index("track_id")
    places = {track_id: row for row, track_id in enumerate(music.tracks["track_id"])}
    numbers = {genre: column for column, genre in enumerate(music.genres)}

    def probability(track_id: str, genre: str) -> float:
        known = track_id in places and genre in numbers
        return float(music.probabilities[places[track_id], numbers[genre]]) if known else np.nan

    for name in ("label", "likelier"):
        pairs = zip(found["track_id"], found[name], strict=True)
        found[f"probability_of_{name}"] = [probability(*pair) for pair in pairs]
    found["file"] = found["track_id"].map(songs["file"]).fillna("")
    found["rank"] = np.arange(1, len(found) + 1)
    first = ["rank", "kind", "track_id", "file", "label", "likelier", "score"]
    return found[[*first, "probability_of_label", "probability_of_likelier", "note"]]


def doubted(music: Audited) -> pd.DataFrame:
    """List the songs whose labels confident learning doubts, the likeliest to be wrong first."""
    chosen = label_errors.suspects(music.probabilities, music.labels)
    scores = label_errors.score(music.probabilities, music.labels)
    others = music.probabilities.copy()
    others[np.arange(len(others)), music.labels] = -1
    likelier = np.array(music.genres, dtype=object)[others.argmax(axis=1)]
    tracks = music.tracks.iloc[chosen]
    return _table(LABEL, tracks["track_id"], tracks["genre"], likelier[chosen], scores[chosen])


def duplicates(music: Audited) -> pd.DataFrame:
    """List the copies of a recording whose label is not the likeliest of its labels; all if there is no prediction."""
    songs = music.catalogue[music.catalogue["recording"] != ""].drop_duplicates("track_id")
    predicted = pd.DataFrame(music.probabilities, columns=music.genres, index=music.tracks["track_id"])
    rows: list[tuple[str, str, str, str]] = []
    several = songs.groupby("recording")["genre"].transform("nunique") > 1
    for _, copies in songs[several].groupby("recording", sort=False):
        labels = sorted(set(copies["genre"]))
        known = predicted.reindex(index=predicted.index.intersection(list(copies["track_id"])), columns=labels).mean()
        best = str(known.idxmax()) if known.notna().any() else None
        for track_id, label in zip(copies["track_id"], copies["genre"], strict=True):
            others = copies[copies["genre"] != label]
            if label != best:
                likelier = best or " / ".join(sorted(set(others["genre"])))
                note = ", ".join(others["track_id"] + " (" + others["genre"] + ")")
                rows.append((track_id, label, likelier, f"same recording as {note}"))
    table = pd.DataFrame(rows, columns=["track_id", "label", "likelier", "note"], dtype=str)
    return table.assign(kind=DUPLICATE, score=np.nan)


def outliers(music: Audited) -> pd.DataFrame:
    """List the songs that are far from all songs of other artists, the farthest first."""
    if music.columns is None:
        return _table(OUTLIER, [], [], [], [])
    scores = robust_scores(nearest_others(music.columns, music.tracks["artist"]))
    chosen = np.argsort(-scores, kind="stable")[: (scores > FAR).sum()]
    tracks = music.tracks.iloc[chosen]
    likeliest = np.array(music.genres, dtype=object)[music.probabilities[chosen].argmax(axis=1)]
    likelier = np.where(likeliest == tracks["genre"].to_numpy(), "", likeliest)
    return _table(OUTLIER, tracks["track_id"], tracks["genre"], likelier, scores[chosen])


def _table(kind: str, track_ids: object, labels: object, likelier: object, scores: object) -> pd.DataFrame:
    columns = {"track_id": track_ids, "label": labels, "likelier": likelier, "score": scores}
    table = pd.DataFrame({name: np.array(values, dtype=object) for name, values in columns.items()})
    return table.astype({"score": float}).assign(kind=kind, note="")
