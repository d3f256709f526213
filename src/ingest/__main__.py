"""Stage `ingest`: songs from the source that params.yaml names → data/raw/<dataset>/tracks.csv, metrics/ingest.json.

python -m src.ingest
"""

import argparse
import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src import fingerprint, params
from src.console import UserError, command, print_table, warn
from src.files import write_json, write_table
from src.ingest.inspect import Finding, inspect_files, inspect_spectrograms
from src.params import MelsRecipe

REPORT = Path("metrics/ingest.json")


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python -m src.ingest", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    recipe = settings.recipe
    raw_dir = Path("data/raw") / settings.dataset
    raw_dir.mkdir(parents=True, exist_ok=True)
    candidates = importlib.import_module(f"src.ingest.{recipe.source}").collect(recipe, raw_dir)
    if isinstance(recipe, MelsRecipe):
        findings = inspect_spectrograms(candidates, recipe)
        # The later stages know these spectrograms by this file: there is no audio to compute them from.
        write_json(
            raw_dir / "spectrogram.json", recipe.model_dump(include={"sample_rate", "n_fft", "n_mels", "frame_rate"})
        )
    else:
        findings = inspect_files([raw_dir / path for path in candidates["path"]])
    tracks = catalogue(candidates, findings)
    summary = report(settings.dataset, candidates, findings, tracks)
    show(summary)
    if tracks.empty:
        raise UserError(f"{settings.dataset}: none of the {len(candidates)} songs can be used, see the reasons above")
    write_table(raw_dir / "tracks.csv", tracks)
    write_json(REPORT, summary)


def catalogue(candidates: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """The table of the songs that can be used.

    Parameters
    ----------
    candidates : pd.DataFrame
        `CANDIDATE_COLUMNS`.
    findings : list of Finding
        One for each candidate.

    Returns
    -------
    pd.DataFrame
        The candidates' columns and duration_s, sha256 and recording: tracks with the same `recording` are the same
        music (same bytes, same ISRC or near-identical sound), and must never be in two folds.
    """
    usable = [not finding.rejected for finding in findings]
    kept = [finding for finding in findings if not finding.rejected]
    tracks = candidates[usable].reset_index(drop=True)
    tracks["duration_s"] = [finding.duration_s for finding in kept]
    tracks["sha256"] = [finding.sha256 for finding in kept]
    names = list(tracks["track_id"])
    vectors = np.array([finding.vector() for finding in kept]).reshape(
        len(kept), fingerprint.BANDS * fingerprint.SEGMENTS
    )
    durations = tracks["duration_s"].to_numpy()
    tracks["recording"] = fingerprint.recordings(
        list(tracks["sha256"]), list(tracks["isrc"]), durations, vectors, names
    )
    return tracks


def report(dataset: str, candidates: pd.DataFrame, findings: list[Finding], tracks: pd.DataFrame) -> dict[str, Any]:
    """What was asked for, what was got, and why the rest was rejected: in total, by genre and by file."""
    rejected = [
        {"track": track_id, "genre": genre, "path": path, "reason": finding.rejected}
        for track_id, genre, path, finding in zip(
            candidates["track_id"], candidates["genre"], candidates["path"], findings, strict=True
        )
        if finding.rejected
    ]
    genres = {
        str(genre): {
            "asked": int((candidates["genre"] == genre).sum()),
            "got": int((tracks["genre"] == genre).sum()),
            "rejected": dict(Counter(_kind(row["reason"]) for row in rejected if row["genre"] == genre)),
        }
        for genre in sorted(set(candidates["genre"]))
    }
    groups = list(tracks[tracks["recording"].duplicated(keep=False)].groupby("recording"))
    return {
        "dataset": dataset,
        "asked": len(candidates),
        "got": len(tracks),
        "rejected": len(rejected),
        "hours": round(float(tracks["duration_s"].sum()) / 3600, 3),
        "artists": int(tracks.loc[tracks["artist"] != "", "artist"].nunique()),
        "artist_unknown": int((tracks["artist"] == "").sum()),
        "genres": genres,
        "rejected_tracks": rejected,
        "same_recording": [sorted(group["track_id"]) for _, group in groups],
        "same_recording_of_two_genres": [
            sorted(group["track_id"]) for _, group in groups if group["genre"].nunique() > 1
        ],
    }


def _kind(reason: str) -> str:
    """The reason without its figures: "truncated: 3.1 s of …" is "truncated"."""
    return reason.split(":")[0].split(" (")[0]


def show(summary: dict[str, Any]) -> None:
    """Print the report for people."""
    for row in summary["rejected_tracks"]:
        warn(f"rejected {row['track']}: {row['reason']}")
    for group in summary["same_recording"]:
        labels = " under different genres" if group in summary["same_recording_of_two_genres"] else ""
        warn(f"the same recording{labels}: {', '.join(group)} (they will share a fold)")
    rows = [
        [genre, counts["asked"], counts["got"], ", ".join(f"{n} {kind}" for kind, n in counts["rejected"].items())]
        for genre, counts in summary["genres"].items()
    ]
    print_table(
        f"Songs of {summary['dataset']}: {summary['hours']:.2f} hours, {summary['artists']} known artists",
        ["genre", "asked", "got", "rejected"],
        rows,
        ["all", summary["asked"], summary["got"], summary["rejected"] or ""],
    )


if __name__ == "__main__":
    main()
