"""Read the points of a learning curve from experiments."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.paths import SUMMARY, TRACKS, predictions_path
from genres.core.text import architecture_label
from genres.data import folds
from genres.experiments.aggregate import differing
from genres.experiments.revisions import Revision


class Point(NamedTuple):
    """One experiment: the repetition, the share of the artists, what was learned from, and the test tracks."""

    repetition: tuple[int, int | None]  # seed and fold
    share: float
    artists: int
    tracks: int
    tested: pd.DataFrame  # track_id, artist, and a column for each architecture: True where it is wrong


def read(revisions: Sequence[Revision]) -> tuple[dict[str, str], dict[str, str], list[Point]]:
    """Read the experiments.

    Returns
    -------
    about : dict
        dataset, protocol.
    labels : dict
        Label of each architecture that all experiments have, by name.
    points : list of Point

    Raises
    ------
    UserError
        If they are no learning curve: of several data sets or protocols, without whole artists, or with a gap.
    """
    summaries = [revision.json(SUMMARY) for revision in revisions]
    about = {key: summaries[0][key] for key in ("dataset", "protocol")}
    for revision, summary in zip(revisions, summaries, strict=True):
        if other := [summary[key] for key in about if summary[key] != about[key]]:
            raise UserError(f"{revision.name}: is of {other[0]}; name experiments of one data set and protocol")
    if about["protocol"] not in ("artist", "predefined"):
        raise UserError(f"split.protocol: {about['protocol']} shares artists with the test tracks; use artist")
    rows = [{row["arch"]: row for row in revision.leaderboard if row["n_parameters"]} for revision in revisions]
    labels = {name: architecture_label(row) for name, row in rows[0].items() if all(name in other for other in rows)}
    if not labels:
        raise UserError("the experiments have no architecture in common")
    for name in differing([revision.params for revision in revisions], about["dataset"], labels):
        if name != "split.train_share":
            warn(f"the experiments differ in {name}, too: their curve may be meaningless; choose those with one value")
    points = [_point(revision, list(labels)) for revision in revisions]
    _check(points)
    return about, labels, points


def _point(revision: Revision, architectures: Sequence[str]) -> Point:
    tracks = revision.table(TRACKS, dtype=str).assign(recording="")
    # An artist goes by the first of the tracks, which is the same in all experiments.
    tracks["artist"] = tracks["track_id"].to_numpy()[folds.group(tracks, by_artist=True)]
    learned = tracks[tracks["fold"].isin(("train", "val"))]
    tested = tracks.loc[tracks["fold"] == "test", ["track_id", "artist"]]
    for name in architectures:
        table = revision.table(predictions_path(name), dtype={"track_id": str, "genre": str, "predicted": str})
        wrong = dict(zip(table["track_id"], table["genre"] != table["predicted"], strict=True))
        tested[name] = tested["track_id"].map(wrong)
    seed, fold = revision.params["seed"], revision.params.get("split.fold")
    repetition = (seed, None if revision.params.get("split.folds") is None else fold)
    share = revision.params.get("split.train_share", 1.0)
    return Point(repetition, share, learned["artist"].nunique(), len(learned), tested)


def _check(points: Sequence[Point]) -> None:
    """Check that each repetition has each share once, on the same test tracks."""
    shares = {point.share for point in points}
    for repetition in dict.fromkeys(point.repetition for point in points):
        own = [point for point in points if point.repetition == repetition]
        fold = "" if repetition[1] is None else f", fold {repetition[1]}"
        found = [point.share for point in own]
        if len(found) > len(set(found)):
            raise UserError(f"seed {repetition[0]}{fold}: two experiments are of one share of the artists; name one")
        if missing := sorted(shares - set(found)):
            raise UserError(f"seed {repetition[0]}{fold}: has no experiment with split.train_share={missing[0]:g}")
        if any(set(point.tested["track_id"]) != set(own[0].tested["track_id"]) for point in own):
            raise UserError(f"seed {repetition[0]}{fold}: its experiments have different test tracks; use one data set")


def sizes_of(points: Sequence[Point]) -> pd.DataFrame:
    """Return share, artists and tracks (means over the repetitions) of each size, smallest first.

    Of shares with the same artists, as the smallest ones of a small data set have, the largest is kept.
    """
    table = pd.DataFrame([point[1:4] for point in points], columns=["share", "artists", "tracks"])
    means = table.groupby("share", as_index=False).mean()
    return means.drop_duplicates("artists", keep="last", ignore_index=True)
