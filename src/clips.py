"""Stage `clips`: data/raw/<dataset>/tracks.csv → data/tracks.csv (fold of each track), data/clips.csv (clip windows).

    python src/clips.py

A clip is a window into its track's spectrogram; no audio is cut. Training tracks get their reviewed genres, of
data/reviews.jsonl; data/reviewed.csv says what became of each review.
"""

import argparse

import pandas as pd

from genres.core import params
from genres.core.console import UserError, command, print_table, warn
from genres.core.files import read_table, write_table
from genres.core.params import ClipParams, Params
from genres.core.paths import CLIPS, TRACKS, raw_dir
from genres.data import folds
from genres.data.windows import Windowing
from genres.library import reviews


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/clips.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    raw = read_table(raw_dir(settings.dataset) / "tracks.csv", dtype=str)
    tracks, clips = split_tracks(raw, settings)
    # After the folds, which must not change with a review: they depend on the genres.
    standing = reviews.standing(reviews.songs_of(raw, settings.dataset), reviews.read())
    tracks, clips, reviewed = reviews.applied(tracks, clips, standing)
    write_table(TRACKS, tracks)
    write_table(CLIPS, clips)
    write_table(reviews.REVIEWED, reviewed)
    show(tracks, clips, settings)
    if not reviewed.empty:
        counts = reviewed["effect"].value_counts()
        print("Reviewed labels: " + ", ".join(f"{number} {effect}" for effect, number in counts.items()))


def split_tracks(raw: pd.DataFrame, settings: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Assign the folds and cut the tracks into clips.

    Parameters
    ----------
    raw : pd.DataFrame
        The raw tracks.csv, all columns str.

    Returns
    -------
    tracks : pd.DataFrame
        track_id, genre, artist, fold (empty: left out; under protocol `clip`, the fold of most of its clips).
    clips : pd.DataFrame
        clip_id, track_id, start_s, fold; clips without a fold are left out.
    """
    durations = raw["duration_s"].astype(float)
    short = durations < settings.clips.length_s
    if short.any():
        outcome = "padded with silence" if settings.clips.short_tracks == "pad" else "left out"
        example = f"{raw['track_id'][short].iloc[0]} of {durations[short].iloc[0]:.1f} s"
        warn(
            f"{short.sum()} of {len(raw)} tracks are shorter than a clip of {settings.clips.length_s} s, such as "
            f"{example}: {outcome} (clips.short_tracks: {settings.clips.short_tracks})"
        )
    long_enough = ~short | (settings.clips.short_tracks == "pad")
    if not long_enough.any():
        raise UserError(f"clips.length_s: no track is as long as {settings.clips.length_s} s")
    tracks = raw[long_enough].reset_index(drop=True)
    if tracks["genre"].nunique() < 2:
        raise UserError(
            f"{settings.dataset}: all songs are of genre '{tracks['genre'].iloc[0]}'; add songs of a second genre"
        )
    unknown = (tracks["artist"] == "").sum()
    if unknown and settings.split.protocol == "artist":
        warn(
            f"{unknown} of {len(tracks)} tracks have no artist: each counts as an artist of its own, so the artist "
            "split leaks if they share one; fill in the artists"
        )
    clips = _windows_of(tracks, settings.clips)
    if by_clip(settings):
        pairs = set(tracks["track_id"][folds.excluded_for_pairs(tracks)])
        clips = clips[~clips["track_id"].isin(pairs)].reset_index(drop=True)
        genre = dict(zip(tracks["track_id"], tracks["genre"], strict=True))
        clips["fold"] = folds.assign_clips(clips["track_id"].map(genre).to_numpy(), settings.split, settings.seed)
        most = clips.groupby("track_id")["fold"].agg(lambda fold: fold.mode().iloc[0])
        tracks["fold"] = tracks["track_id"].map(most).fillna(folds.LEFT_OUT)
    else:
        tracks["fold"] = folds.assign(tracks, settings.split, settings.seed)
        clips["fold"] = clips["track_id"].map(dict(zip(tracks["track_id"], tracks["fold"], strict=True)))
        clips = clips[clips["fold"] != folds.LEFT_OUT].reset_index(drop=True)
    return tracks[["track_id", "genre", "artist", "fold"]], clips


def _windows_of(tracks: pd.DataFrame, settings: ClipParams) -> pd.DataFrame:
    windowing = Windowing(settings.length_s, settings.overlap_s)
    rows = [
        {"clip_id": f"{track_id}#{number:03d}", "track_id": track_id, "start_s": start}
        for track_id, seconds in zip(tracks["track_id"], tracks["duration_s"].astype(float), strict=True)
        for number, start in enumerate(windowing.starts_s(seconds))
    ]
    return pd.DataFrame(rows, columns=["clip_id", "track_id", "start_s"])


def by_clip(settings: Params) -> bool:
    """Return True if folds are drawn for single clips, which leaks."""
    return settings.split.protocol == "clip"


def show(tracks: pd.DataFrame, clips: pd.DataFrame, settings: Params) -> None:
    """Print the number of tracks and clips of each genre in each fold."""
    # Under protocol clip a track has no fold of its own.
    unit, table = ("Clips", clips.merge(tracks[["track_id", "genre"]])) if by_clip(settings) else ("Tracks", tracks)
    counts = table.groupby(["genre", "fold"]).size().unstack(fill_value=0)
    columns = [fold for fold in (*folds.FOLDS, folds.LEFT_OUT) if fold in counts]
    rows = [[genre, *counts.loc[genre, columns]] for genre in counts.index]
    number = clips["fold"].value_counts()
    print_table(
        f"{unit} by fold, protocol {settings.split.protocol}; clips: "
        + ", ".join(f"{number.get(fold, 0)} {fold}" for fold in folds.FOLDS),
        ["genre", *(fold or "left out" for fold in columns)],
        rows,
        ["all", *(int(counts[fold].sum()) for fold in columns)],
    )
    if by_clip(settings):
        warn("protocol clip puts clips of one song into train and test: its results are inflated; use protocol artist")


if __name__ == "__main__":
    main()
