"""Remix pairs of a data set: two versions of a song, none of which is in a fold."""

import pandas as pd

from genres.core.console import UserError, warn
from genres.core.names import artist_groups
from genres.core.paths import TRACKS


def versions_of(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of a data set.

    Parameters
    ----------
    raw : pd.DataFrame
        The raw tracks.csv, all columns str.

    Returns
    -------
    pd.DataFrame
        One row for each remix: song, original, remix (track ids), original_genre, remix_genre. A version whose
        counterpart is missing or unusable is left out with a warning.
    """
    rows = []
    for song, tracks in raw[raw["version"] != ""].groupby("song", sort=False):
        originals, remixes = (tracks[tracks["version"] == version] for version in ("original", "remix"))
        if len(originals) != 1 or remixes.empty:
            usable = ", ".join(tracks["version"] + " " + tracks["track_id"])
            warn(f"'{song}': left out, since only these of its versions can be used: {usable}; it needs both")
            continue
        original = originals.iloc[0]
        for remix in remixes.to_dict("records"):
            ids = {"original": original["track_id"], "remix": remix["track_id"]}
            rows.append({"song": song, **ids, "original_genre": original["genre"], "remix_genre": remix["genre"]})
    return pd.DataFrame(rows, columns=["song", "original", "remix", "original_genre", "remix_genre"])


def check_kept_out(versions: pd.DataFrame, folds: pd.DataFrame) -> None:
    """Check that no song of a pair, nor of its artist, is in a fold.

    Raises
    ------
    UserError
        If one is, because data/tracks.csv is of another state of the data set.
    """
    mine = folds["track_id"].isin({*versions["original"], *versions["remix"]})
    groups = pd.Series(artist_groups(folds["artist"]), folds.index)
    theirs = groups.isin(groups[mine])
    leaked = folds[(mine | theirs) & (folds["fold"] != "")]
    if len(leaked):
        row = leaked.iloc[0]
        raise UserError(
            f"{TRACKS}: {row['track_id']} is in {row['fold']}, though its artist '{row['artist']}' has a song in a "
            "remix pair; run: dvc repro clips"
        )
