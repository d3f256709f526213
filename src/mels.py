"""Stage `mels`: data/raw/<dataset>/ → data/mels/, one mel spectrogram a track.

    python src/mels.py

The spectrograms are memory-mapped arrays of bytes (src/genres/data/shards.py). index.csv gives the frames of each
track, format.json the meaning of a cell. Spectrograms of the same audio and parameters come from .cache/mels/, and
unchanged shards are not written, so that adding a song computes one song and writes one shard.
"""

import argparse

from genres.audio.format import Format, format_of
from genres.core import params
from genres.core.console import command
from genres.core.files import read_json, read_table
from genres.core.paths import MELS, raw_dir
from genres.data import shards
from genres.data.cache import VERSION, compute, published_reader


@command
def main() -> None:
    """Run the stage."""
    argparse.ArgumentParser(prog="python src/mels.py", description=__doc__.splitlines()[0]).parse_args()
    settings = params.load()
    mel_params = settings.mels_of_dataset()
    folder = raw_dir(settings.dataset)
    tracks = read_table(folder / "tracks.csv", dtype=str)
    description = folder / "spectrogram.json"
    if description.exists():
        form = Format(**read_json(description), top_db=mel_params.top_db)
        read, key = published_reader(tracks, form), "published"
    else:
        form = format_of(mel_params)
        computed = compute(tracks, folder, mel_params, settings.compute, settings.songs_dir)
        read, key = computed.__getitem__, f"{VERSION}"
    seconds = tracks["duration_s"].astype(float).sum()
    n_shards = shards.count(seconds * form.frame_rate, form.n_mels)
    shards.write(MELS, tracks, read, form, key=f"{key} {vars(form)}", n_shards=n_shards)


if __name__ == "__main__":
    main()
