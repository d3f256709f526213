"""Stage `ingest`: songs from the source that params.yaml names → data/raw/<dataset>/tracks.csv, metrics/ingest.json.

    python src/ingest.py

Exit status 3: a web service asks for a long pause. Downloads are kept, and the same command resumes.
"""

import argparse
import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from genres.audio import fingerprint
from genres.core import params
from genres.core.console import UserError, command
from genres.core.files import write_json, write_table
from genres.core.params import MelsRecipe, Params, SpotifyRecipe
from genres.core.paths import raw_dir
from genres.sources import report
from genres.sources.inspect import Finding, inspect_files, inspect_spectrograms
from genres.sources.spotify import selection


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/ingest.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    recipe = settings.recipe
    folder = raw_dir(settings.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    candidates = collect(settings, folder)
    if isinstance(recipe, MelsRecipe):
        findings = inspect_spectrograms(candidates, recipe)
        # Tells the later stages the format of these spectrograms, for which there is no audio.
        write_json(
            folder / "spectrogram.json", recipe.model_dump(include={"sample_rate", "n_fft", "n_mels", "frame_rate"})
        )
    else:
        opened = candidates["rejected"] == ""
        paths = [folder / path for path in candidates["path"][opened]]
        inspected = iter(inspect_files(paths, settings.compute, settings.songs_dir))
        findings = [next(inspected) if reason == "" else Finding(rejected=reason) for reason in candidates["rejected"]]
    tracks = catalogue(candidates, findings)
    if isinstance(recipe, SpotifyRecipe):
        # Conflicts go first, so that balancing counts only songs that stay.
        left_out = selection.conflicts_by_sound(tracks, recipe.conflicts)
        if recipe.balance == "smallest":
            left_out |= selection.surplus(tracks[~tracks["track_id"].isin(left_out)])
        findings = [
            replace(finding, rejected=finding.rejected or left_out.get(name, ""))
            for name, finding in zip(candidates["track_id"], findings, strict=True)
        ]
        tracks = tracks[~tracks["track_id"].isin(left_out)].reset_index(drop=True)
    expected = recipe.playlist_genres if isinstance(recipe, SpotifyRecipe) else []
    summary = report.summarise(settings.dataset, candidates, findings, tracks, expected)
    report.show(summary)
    report.write(summary)
    if tracks.empty:
        raise UserError(f"{settings.dataset}: none of the {len(candidates)} songs can be used; see the reasons above")
    if isinstance(recipe, SpotifyRecipe):
        report.check_sizes(summary, expected, recipe.min_tracks)
    write_table(folder / "tracks.csv", tracks)


def collect(settings: Params, raw_dir: Path) -> pd.DataFrame:
    """Collect the candidates of the chosen recipe: `CANDIDATE_COLUMNS`."""
    recipe = settings.recipe
    source = importlib.import_module(f"genres.sources.{recipe.source}")
    if isinstance(recipe, SpotifyRecipe):
        return source.collect(recipe, raw_dir, settings.services, settings.compute)
    return source.collect(recipe, raw_dir)


def catalogue(candidates: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """Return the table of the usable songs.

    Parameters
    ----------
    candidates : pd.DataFrame
        `CANDIDATE_COLUMNS`.
    findings : list of Finding
        One for each candidate.

    Returns
    -------
    pd.DataFrame
        The candidates' columns without `rejected`, and duration_s, sha256, recording. Tracks with the same `recording`
        are the same music (same bytes, same ISRC or near-identical sound) and must be in the same fold.
    """
    usable = np.array([not finding.rejected for finding in findings], dtype=bool)
    kept = [finding for finding in findings if not finding.rejected]
    tracks = candidates[usable].drop(columns="rejected").reset_index(drop=True)
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


if __name__ == "__main__":
    main()
