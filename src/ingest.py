"""Stage `ingest`: songs from the source that params.yaml names → data/raw/<dataset>/tracks.csv, metrics/ingest.json.

    python src/ingest.py

Exit status 3: a web service asks for a long pause. Downloads are kept, and the same command resumes.
"""

import argparse
import importlib
from dataclasses import replace

import numpy as np
import pandas as pd

from genres.audio import fingerprint
from genres.core import params
from genres.core.console import UserError, command, warn
from genres.core.files import write_table
from genres.core.names import clean_isrc, known_artists, proven_codes
from genres.core.paths import raw_dir
from genres.sources import report
from genres.sources.inspect import Finding
from genres.sources.spotify.matching import normalised_title


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/ingest.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    recipe = settings.recipe
    folder = raw_dir(settings.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    source = importlib.import_module(f"genres.sources.{recipe.source}").Source(recipe, folder, settings)
    candidates = normalised(source.collect())
    findings = source.inspect(candidates)
    tracks = catalogue(candidates, findings)
    left_out = source.left_out(tracks)
    findings = [
        replace(finding, rejected=finding.rejected or left_out.get(name, ""))
        for name, finding in zip(candidates["track_id"], findings, strict=True)
    ]
    tracks = tracks[~tracks["track_id"].isin(left_out)].reset_index(drop=True)
    summary = report.summarise(settings.dataset, candidates, findings, tracks, source.expected)
    report.show(summary)
    report.write(summary)
    if tracks.empty:
        raise UserError(f"{settings.dataset}: none of the {len(candidates)} songs can be used; see the reasons above")
    source.check(summary)
    write_table(folder / "tracks.csv", tracks)


def normalised(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with several artists joined by "; ", without placeholders and without invalid ISRCs."""
    artists = ["; ".join(known_artists(text)) for text in candidates["artist"]]
    nobody = [text for text, artist in zip(candidates["artist"], artists, strict=True) if text.strip() and not artist]
    if nobody:
        warn(f"{len(nobody)} songs have a placeholder as artist, such as '{nobody[0]}': it counts as unknown")
    return candidates.assign(artist=artists, isrc=list(map(clean_isrc, candidates["isrc"])))


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
        are the same music (same bytes, same ISRC and title or length, or near-identical sound) and must be in the same
        fold.
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
    # A title counts only beside a code.
    titles = [code and normalised_title(title) for code, title in zip(tracks["isrc"], tracks["title"], strict=True)]
    codes = proven_codes(list(tracks["isrc"]), titles, durations)
    tracks["recording"] = fingerprint.recordings(list(tracks["sha256"]), codes, durations, vectors, names)
    return tracks


if __name__ == "__main__":
    main()
