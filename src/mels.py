"""Stage `mels@<front end>`: data/raw/<dataset>/ → data/mels/<front end>/, one mel spectrogram a track.

    python src/mels.py default

The spectrograms are memory-mapped arrays of bytes (src/genres/data/shards.py). index.csv gives the frames of each
track, format.json the meaning of a cell. Spectrograms of the same audio and parameters come from .cache/mels/, and
unchanged shards are not written, so that adding a song computes one song and writes one shard.
"""

import argparse

from genres.audio.format import Format, format_of
from genres.core import params
from genres.core.console import UserError, command
from genres.core.files import read_json, read_table
from genres.core.paths import DEFAULT_FRONT_END, PUBLISHED_FORMAT, mels_dir, raw_dir
from genres.data import shards
from genres.data.cache import VERSION, compute, published_reader


@command
def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(prog="python src/mels.py", description=__doc__.splitlines()[0])
    parser.add_argument("front_end", nargs="?", default=DEFAULT_FRONT_END, help="one of `front_ends` in params.yaml")
    front_end = parser.parse_args().front_end
    settings = params.load()
    if front_end not in settings.front_ends:
        raise UserError(f"front end '{front_end}' is none of {', '.join(settings.front_ends)}")
    target = mels_dir(front_end)
    if front_end not in settings.front_ends_in_use:
        target.mkdir(parents=True, exist_ok=True)
        for path in target.iterdir():  # of other songs, so that nothing reads them
            path.unlink()
        print(f"{front_end}: no architecture reads these spectrograms")
        return
    mel_params = settings.mels_of_dataset(front_end)
    folder = raw_dir(settings.dataset)
    tracks = read_table(folder / "tracks.csv", dtype=str)
    if not settings.recipe.has_audio:
        form = Format(**read_json(folder / PUBLISHED_FORMAT), top_db=mel_params.top_db)
        read, key = published_reader(tracks, form), "published"
    else:
        form = format_of(mel_params)
        computed = compute(tracks, folder, mel_params, settings.compute, settings.songs_dir)
        read, key = computed.__getitem__, f"{VERSION}"
    seconds = tracks["duration_s"].astype(float).sum()
    n_shards = shards.count(seconds * form.frame_rate, form.n_mels)
    shards.write(target, tracks, read, form, key=f"{key} {vars(form)}", n_shards=n_shards)


if __name__ == "__main__":
    main()
