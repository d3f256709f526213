"""Inspection of songs: decoding check, duration and audio fingerprint.

Results are cached: only new and changed files are opened.
"""

import base64
import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genres.audio import decode, fingerprint, published
from genres.compute.places import listing
from genres.compute.pool import LOCAL, run
from genres.core.console import progress
from genres.core.files import read_json, sha256_of, stamp, write_json
from genres.core.params import Compute
from genres.core.paths import cache_dir
from genres.core.recipes import MelsRecipe

# Part of the cache key: raise it when the checks or the fingerprint change.
VERSION = 4


@dataclass(frozen=True)
class Finding:
    """Result of the inspection of one file."""

    rejected: str = ""  # reason why it is not usable; empty if it is
    sha256: str = ""
    duration_s: float = 0.0
    fingerprint: str = ""  # base64 of the int8 vector

    def vector(self) -> np.ndarray:
        """Return the fingerprint, int8 [shape=(BANDS * SEGMENTS,)]."""
        return np.frombuffer(base64.b64decode(self.fingerprint), np.int8)


def inspect_files(paths: list[Path], options: Compute = LOCAL, songs: Path | None = None) -> list[Finding]:
    """Inspect audio files and return the results in the same order; unchanged files come from the cache.

    Parameters
    ----------
    paths : list of Path
        Audio files.
    options, songs
        Options of the workers: see :func:`genres.compute.pool.run`.
    """
    folder = cache_dir("inspected")
    records = [_record(path, stamp, folder) for path, stamp in zip(paths, _stamps(paths, options, songs), strict=True)]
    results, new = {}, {}
    for path, record in zip(paths, records, strict=True):
        if isinstance(record, Finding):
            continue
        finding = _recorded(record)
        if finding is None:
            new[record] = (path,)
        else:
            results[record] = finding
    results |= progress(run(inspect_file, new, _keep, options, songs), total=len(new), what="checking songs")
    return [record if isinstance(record, Finding) else results[record] for record in records]


def _stamps(paths: list[Path], options: Compute, songs: Path | None) -> list[str]:
    """Return a stamp of each file that changes with it; empty if the file is missing."""
    stamps, remote = [], None
    for path in paths:
        try:
            stamps.append(stamp(path))
        except OSError:
            # The file may exist on the workers only.
            remote = listing(options) if remote is None else remote
            inside = songs is not None and path.is_relative_to(songs)
            stamps.append(remote.get(path.relative_to(songs).as_posix(), "") if songs and inside else "")
    return stamps


def _record(path: Path, stamp: str, folder: Path) -> Path | Finding:
    """Return the path of a file's cached result, or the result itself if it must not be cached."""
    if not stamp:
        return Finding(rejected="missing file")
    if path.exists() and not os.access(path, os.R_OK):
        # Not cached, for correcting the permission may leave the stamp unchanged.
        return Finding(rejected="cannot be opened (Permission denied)")
    key = hashlib.sha256(f"{VERSION}\0{path}\0{stamp}".encode()).hexdigest()
    return Path(f"{folder}/{key[:2]}/{key}.json")


def _recorded(record: Path) -> Finding | None:
    with suppress(FileNotFoundError, TypeError, ValueError):  # no record or a damaged one: inspect again
        return Finding(**read_json(record))
    return None


def _keep(record: Path, finding: Finding) -> Finding:
    if not finding.rejected.startswith("cannot be opened"):  # an unmounted share returns with unchanged stamps
        write_json(record, asdict(finding))
    return finding


def inspect_file(path: Path) -> Finding:
    """Decode one file and return its hash, duration and fingerprint, or the reason for its rejection."""
    try:
        samples = decode.load(path, fingerprint.SAMPLE_RATE)
    except decode.AudioError as error:
        return Finding(rejected=str(error))
    vector = fingerprint.of_audio(samples)
    return Finding(
        sha256=sha256_of(path),
        duration_s=round(len(samples) / fingerprint.SAMPLE_RATE, 3),
        fingerprint=base64.b64encode(vector.tobytes()).decode(),
    )


def inspect_spectrograms(tracks: pd.DataFrame, recipe: MelsRecipe) -> list[Finding]:
    """Inspect the published spectrograms of `tracks` (columns track_id and path, all in one archive)."""
    if tracks.empty:
        return []
    ids, arrays, ranges_db = published.read(Path(tracks["path"].iloc[0]), recipe.n_mels)
    rows = {track_id: row for row, track_id in enumerate(ids)}
    findings = []
    for track_id in progress(list(tracks["track_id"]), what="checking spectrograms"):
        row = rows.get(track_id)
        if row is None:
            findings.append(Finding(rejected="not in mels.npz"))
        elif not np.isfinite(ranges_db[row]) or ranges_db[row] <= 0 or np.ptp(arrays[row]) == 0:
            findings.append(Finding(rejected="silent"))
        else:
            power = 10 ** (published.decibels(arrays[row], ranges_db[row]) / 10)
            vector = fingerprint.of_power(_whole_bands(power))
            findings.append(
                Finding(
                    sha256=published.digest(arrays[row], ranges_db[row]),
                    duration_s=round(arrays.shape[2] / recipe.frame_rate, 3),
                    fingerprint=base64.b64encode(vector.tobytes()).decode(),
                )
            )
    return findings


def _whole_bands(power: np.ndarray) -> np.ndarray:
    """Repeat or cut bands to a multiple of the fingerprint's number of bands."""
    bands = len(power)
    if bands < fingerprint.BANDS:
        power = np.repeat(power, -(-fingerprint.BANDS // bands), axis=0)
    return power[: len(power) // fingerprint.BANDS * fingerprint.BANDS]
