"""Export a copy of GTZAN as a folder of spectrograms for the `mels` recipe.

    genres export-mels AUDIO_DIR OUT_DIR

Writes OUT_DIR/mels.npz (track_id, mel, range_db; see src/genres/sources/mels.py) and OUT_DIR/tracks.csv (track_id,
genre, artist, split); AUDIO_DIR is not changed. The spectrograms are librosa's (hop length 512, Slaney mel bands, power
in dB below the track's maximum, at most 80). Evenly spaced frames are kept without averaging: by default 387 of about
1293. The choice of frames was derived from published GTZAN spectrograms of this form, which these match to one step of
the 8 bits (correlation above .9999).
"""

import argparse
from pathlib import Path

import numpy as np

from genres.audio.decode import AudioError, load
from genres.core.console import UserError, command, progress, warn
from genres.core.files import atomic, write_table
from genres.core.params import MelParams
from genres.sources import gtzan

HOP_LENGTH = 512
TOP_DB = 80.0
COLUMNS_PER_SECOND = 12.9

# GTZAN's tracks are 29.9 to 30.7 s long. Within this relative tolerance the columns span the whole track. A longer
# track is cut and a shorter one skipped, to keep the columns equally spaced in time.
LENGTH_TOLERANCE = 0.03


def quantised_mel(samples: np.ndarray, columns: int, seconds: float, params: MelParams) -> tuple[np.ndarray, float]:
    """Compute the mel spectrogram of a track and keep evenly spaced columns.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono samples at ``params.sample_rate``.
    columns : int
        Number of columns to keep.
    seconds : float
        Nominal length of a track.
    params : MelParams
        Settings of the spectrogram.

    Returns
    -------
    mel : np.ndarray [shape=(n_mels, columns), dtype=uint8]
    range_db : float
        ``-range_db * (1 - mel / 255)`` is the level in dB below the maximum of the whole track.

    Raises
    ------
    AudioError
        If the track is too short.
    """
    from genres.audio.format import to_bytes  # loads librosa, which --help does not need
    from genres.audio.mel import mel_power  # loads librosa, which --help does not need

    duration_s = len(samples) / params.sample_rate
    if duration_s < seconds * (1 - LENGTH_TOLERANCE):
        raise AudioError(f"only {duration_s:.1f} s long; use --seconds {int(duration_s)} to include it")
    if duration_s > seconds * (1 + LENGTH_TOLERANCE):
        samples = samples[: round(seconds * params.sample_rate)]
    power = mel_power(samples, params)
    decibels = 10 * np.log10(np.maximum(power, 1e-10))  # the floor is that of librosa.power_to_db
    decibels -= decibels.max()
    range_db = min(params.top_db, float(-decibels.min()))
    kept = decibels[column_frames(len(decibels), columns)]
    return to_bytes(kept.T, range_db), range_db


def column_frames(frames: int, columns: int) -> np.ndarray:
    """Return the frame of each column, int [shape=(columns,)], from half a step after the start to one before the end.

    A track of 1293 frames gives 1, 5, 8, 11, ..., 1286, 1289 for 387 columns, as in the published spectrograms.
    """
    step = frames / columns
    return np.floor(np.linspace(step / 2, frames - step, columns)).astype(int)


def export(
    audio_dir: Path,
    out_dir: Path,
    *,
    metadata: str,
    genres: list[str] | None,
    columns: int,
    seconds: float,
    mel: MelParams,
) -> tuple[int, int]:
    """Write the folder and return the numbers of exported and of skipped tracks.

    Raises
    ------
    UserError
        If the folder, a genre or every usable track is missing, or the metadata is not available.
    """
    if not audio_dir.is_dir():
        raise UserError(f"AUDIO_DIR: {audio_dir}: no such folder")
    files = gtzan.find_tracks(audio_dir)
    if files.empty:
        raise UserError(f"AUDIO_DIR: {audio_dir}: holds no audio; name the folder of your GTZAN copy")
    for genre in genres or []:
        if genre not in set(files["genre"]):
            available = ", ".join(files["genre"].unique())
            raise UserError(f"--genres: no '{genre}' in {audio_dir}; available: {available}")
    if genres is not None:
        files = files[files["genre"].isin(genres)].reset_index(drop=True)
    tracks = gtzan.describe(files, metadata, "--metadata")
    mels, ranges, rows = [], [], []
    for row, path in progress(list(enumerate(tracks["path"])), what="mel spectrograms"):
        try:
            quantised, range_db = quantised_mel(load(Path(path), mel.sample_rate), columns, seconds, mel)
        except AudioError as error:
            warn(f"skipped {path}: {error}")
            continue
        mels.append(quantised)
        ranges.append(range_db)
        rows.append(row)
    if not rows:
        raise UserError(f"{audio_dir}: none of the {len(tracks)} tracks is usable; see the warnings above")
    kept = tracks.iloc[rows]
    with atomic(out_dir / "mels.npz") as temporary:
        np.savez_compressed(
            temporary,
            track_id=np.array(list(kept["track_id"])),
            mel=np.stack(mels),
            range_db=np.array(ranges, np.float32),
        )
    write_table(out_dir / "tracks.csv", kept[["track_id", "genre", "artist", "split"]])
    return len(rows), len(tracks) - len(rows)


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    given = _parser().parse_args(arguments)
    if given.seconds <= 0 or given.sample_rate < 1 or given.n_fft < 1 or given.n_mels < 1:
        raise UserError("--seconds, --sample-rate, --n-fft and --n-mels must be above 0")
    columns = round(COLUMNS_PER_SECOND * given.seconds) if given.columns is None else given.columns
    most = int(given.seconds * given.sample_rate / HOP_LENGTH)
    if not 1 <= columns <= most:
        raise UserError(f"--columns: must be 1 to {most}, one per hop of {HOP_LENGTH} samples; received {columns}")
    mel = MelParams(
        sample_rate=given.sample_rate,
        n_fft=given.n_fft,
        hop_length=HOP_LENGTH,
        n_mels=given.n_mels,
        fmin=0.0,
        fmax=None,
        top_db=TOP_DB,
    )
    audio_dir, out_dir = given.audio_dir.expanduser().absolute(), given.out_dir.expanduser().absolute()
    written, skipped = export(
        audio_dir,
        out_dir,
        metadata=given.metadata,
        genres=given.genres,
        columns=columns,
        seconds=given.seconds,
        mel=mel,
    )
    print(f"{out_dir}: {written} spectrograms of {mel.n_mels} x {columns}, {skipped} files skipped")
    settings = {
        "dir": out_dir,
        "sample_rate": mel.sample_rate,
        "n_fft": mel.n_fft,
        "n_mels": mel.n_mels,
        "frame_rate": f"{columns / given.seconds:.6g}",
    }
    print(
        "train on it: dvc exp run -S dataset=mels " + " ".join(f"-S datasets.mels.{k}={v}" for k, v in settings.items())
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genres export-mels",
        description="Export a copy of GTZAN as a folder of mel spectrograms for the `mels` recipe. "
        "AUDIO_DIR is not changed; unusable files are skipped with a warning each.",
    )
    parser.add_argument(
        "audio_dir",
        metavar="AUDIO_DIR",
        type=Path,
        help="folder with GTZAN's genre folders, directly or in genres/, genres_original/ or Data/genres_original/",
    )
    parser.add_argument("out_dir", metavar="OUT_DIR", type=Path, help="folder for mels.npz and tracks.csv")
    parser.add_argument(
        "--metadata",
        default="download",
        metavar="download|none|DIR",
        help="source of the split lists and the artist index: downloaded, none, or a folder "
        f"with {', '.join(gtzan.METADATA_FILES)} (default: download)",
    )
    parser.add_argument(
        "--genres",
        nargs="+",
        metavar="GENRE",
        help="genres to export (default: all)",
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="length of each track; longer ones are cut (default: 30)"
    )
    parser.add_argument(
        "--columns",
        type=int,
        metavar="N",
        help=f"columns per track (default: {COLUMNS_PER_SECOND} per second, 387 for 30 s)",
    )
    parser.add_argument(
        "--sample-rate", type=int, default=22050, metavar="HZ", help="sample rate to resample to (default: 22050)"
    )
    parser.add_argument("--n-fft", type=int, default=2048, metavar="SAMPLES", help="frame length (default: 2048)")
    parser.add_argument("--n-mels", type=int, default=128, metavar="BANDS", help="mel bands (default: 128)")
    return parser
