"""Stage `mels`: data/raw/<dataset>/ → data/mels/, one mel spectrogram a track.

    python src/mels.py

The spectrograms lie in memory-mapped arrays of bytes (src/genres/data/shards.py), index.csv says which frames are
whose, and format.json what a cell means. What was computed once, for the same audio and the same parameters, is taken from
.cache/mels/, and shards that hold the same as before are left alone, so that adding a song computes one song and writes
one shard.
"""

import argparse
from pathlib import Path

from genres.audio.format import Format, format_of
from genres.core import params
from genres.core.console import command
from genres.core.files import read_json, read_table
from genres.core.paths import MELS
from genres.data import shards
from genres.data.cache import VERSION, compute, published_ones


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/mels.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    mel_params = settings.mels_of_dataset()
    raw_dir = Path("data/raw") / settings.dataset
    tracks = read_table(raw_dir / "tracks.csv", dtype=str)
    description = raw_dir / "spectrogram.json"
    if description.exists():
        form = Format(**read_json(description), top_db=mel_params.top_db)
        read, key = published_ones(tracks, form), "published"
    else:
        form = format_of(mel_params)
        made = compute(tracks, raw_dir, mel_params, settings.compute, settings.songs_dir)
        read, key = made.__getitem__, f"{VERSION}"
    seconds = tracks["duration_s"].astype(float).sum()
    n_shards = shards.count(seconds * form.frame_rate, form.n_mels)
    shards.write(MELS, tracks, read, form, key=f"{key} {vars(form)}", n_shards=n_shards)


if __name__ == "__main__":
    main()
