"""Report of the stage `ingest`: songs requested, used and rejected, as metrics/ingest.json, a table and a figure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from genres.core.console import UserError, print_table, warn
from genres.core.files import write_json
from genres.core.names import known_artists, normalised_artist
from genres.core.paths import METRICS, PLOTS
from genres.figures import coverage
from genres.figures.style import save
from genres.sources.inspect import Finding

REPORT, PICTURE = METRICS / "ingest.json", PLOTS / "ingest" / "coverage.png"

# Maximum number of printed warnings of one kind; the report has all.
SHOWN = 20

# The paper's Spotify sets have 3,200 clips of 3 s per genre, cut from whole songs.
PAPER_CLIPS, CLIP_S = 3200, 3.0


def summarise(
    dataset: str, candidates: pd.DataFrame, findings: list[Finding], tracks: pd.DataFrame, expected: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the report: totals, counts by genre, and rejected files.

    Parameters
    ----------
    dataset : str
        Name of the recipe.
    candidates : pd.DataFrame
        Requested songs, `CANDIDATE_COLUMNS`.
    findings : list of Finding
        Inspection result of each candidate.
    tracks : pd.DataFrame
        Used tracks, as in tracks.csv.
    expected : iterable of str
        Genres that the report lists even without any song.
    """
    rejected = [
        {"track": track_id, "genre": genre, "title": title, "path": path, "reason": finding.rejected}
        for track_id, genre, title, path, finding in zip(
            *(candidates[column] for column in ("track_id", "genre", "title", "path")), findings, strict=True
        )
        if finding.rejected
    ]
    genres = {}
    for genre in sorted({*candidates["genre"], *expected}):
        used = tracks[tracks["genre"] == genre]
        genres[str(genre)] = {
            "asked": int((candidates["genre"] == genre).sum()),
            "got": len(used),
            "minutes": round(float(used["duration_s"].sum()) / 60, 1),
            "sources": dict(sorted(Counter(used["source"]).items())),
            "rejected": dict(Counter(_kind(row["reason"]) for row in rejected if row["genre"] == genre).most_common()),
        }
    groups = list(tracks[tracks["recording"].duplicated(keep=False)].groupby("recording"))
    return {
        "dataset": dataset,
        "asked": len(candidates),
        "got": len(tracks),
        "rejected": len(rejected),
        "hours": round(float(tracks["duration_s"].sum()) / 3600, 3),
        "artists": len({normalised_artist(name) for text in tracks["artist"] for name in known_artists(text)}),
        "artist_unknown": int((tracks["artist"] == "").sum()),
        "genres": genres,
        "rejected_tracks": rejected,
        "same_recording": [sorted(group["track_id"]) for _, group in groups],
        "same_recording_of_two_genres": [
            sorted(group["track_id"]) for _, group in groups if group["genre"].nunique() > 1
        ],
    }


def _kind(reason: str) -> str:
    """Return the reason without its figures: "truncated" for "truncated: 3.1 s of …"."""
    return reason.split(":")[0].split(" (")[0]


def show(summary: dict[str, Any]) -> None:
    """Print the report as warnings and a table."""
    _warn_all([f"rejected {row['track']}: {row['reason']}" for row in summary["rejected_tracks"] if _has_file(row)])
    mixed = summary["same_recording_of_two_genres"]
    _warn_all(
        [
            f"same recording{' under different genres' * (group in mixed)}: {', '.join(group)} (kept in one fold)"
            for group in summary["same_recording"]
        ]
    )
    sources = sorted({source for counts in summary["genres"].values() for source in counts["sources"]})
    several = sources if len(sources) > 1 else []
    rows = [
        [
            genre,
            counts["asked"],
            counts["got"],
            f"{counts['minutes']:.1f}",
            *(counts["sources"].get(source, "") for source in several),
            ", ".join(f"{n} {kind}" for kind, n in counts["rejected"].items()),
        ]
        for genre, counts in summary["genres"].items()
    ]
    by_source = [sum(counts["sources"].get(source, 0) for counts in summary["genres"].values()) for source in several]
    print_table(
        f"Songs of {summary['dataset']}: {summary['hours']:.2f} hours, {summary['artists']} known artists",
        ["genre", "asked", "got", "minutes", *several, "rejected"],
        rows,
        [
            "all",
            summary["asked"],
            summary["got"],
            f"{60 * summary['hours']:.1f}",
            *by_source,
            summary["rejected"] or "",
        ],
    )


def _has_file(row: dict[str, Any]) -> bool:
    """Return True for rejected files; playlist songs without audio are counted in the table only."""
    return bool(row["path"]) and not row["reason"].startswith("balance")


def _warn_all(lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        warn(line)
    if len(lines) > SHOWN:
        warn(f"... and {len(lines) - SHOWN} more of this kind: see {REPORT}")


def write(summary: dict[str, Any]) -> None:
    """Write the report and its figure."""
    write_json(REPORT, summary)
    music = " (synthetic music)" if summary["dataset"] == "demo" else ""
    note = f"data set {summary['dataset']}{music}: {summary['got']} of {summary['asked']} songs"
    save(coverage.coverage(summary["genres"], title="Songs by genre", note=note), PICTURE)


def check_sizes(summary: dict[str, Any], playlist_genres: Sequence[str], min_tracks: int) -> None:
    """Print the size of the smallest playlist genre, and raise an error if a genre has too few songs.

    Parameters
    ----------
    summary : dict
        Report of :func:`summarise`.
    playlist_genres : sequence of str
        Genres that have playlists, at least one.
    min_tracks : int
        Minimum number of tracks of each genre.

    Raises
    ------
    UserError
        If a genre has fewer than `min_tracks`; names the genres and the remedies.
    """
    genres = summary["genres"]
    smallest = min(playlist_genres, key=lambda genre: genres[genre]["minutes"])
    clips = int(60 * genres[smallest]["minutes"] / CLIP_S)
    print(
        f"The smallest playlist genre, {smallest}, has {clips:,} clips of {CLIP_S:g} s; the paper has {PAPER_CLIPS:,} "
        f"per genre, from whole songs: that needs {PAPER_CLIPS // 10} previews of 30 s per genre, or your own whole "
        f"songs in <songs_dir>/{smallest}/"
    )
    # Songs removed for balance count as usable: only genres that lack songs themselves are reported.
    usable = {genre: counts["got"] + counts["rejected"].get("balance", 0) for genre, counts in genres.items()}
    few = {genre: counts for genre, counts in genres.items() if usable[genre] < min_tracks}
    if not few:
        return
    for genre, counts in few.items():
        reasons = ", ".join(f"{n} {kind}" for kind, n in counts["rejected"].items()) or "no more were requested"
        warn(f"{genre}: {counts['got']} songs of {counts['asked']} ({reasons})")
    dataset = summary["dataset"]
    raise UserError(
        f"too few songs (min_tracks: {min_tracks}) of {', '.join(few)}. Remedies: add playlists "
        f"(datasets.{dataset}.playlists), add songs to <songs_dir>/<genre>/, try another store "
        f"(datasets.{dataset}.market), leave the genre out (datasets.{dataset}.exclude_genres), or lower "
        f"datasets.{dataset}.min_tracks; {REPORT} lists the rejected songs, docs/spotify.md explains the options"
    )
