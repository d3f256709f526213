"""Turn a song towards another genre, in doses.

genres remix SONG --style brazilian_funk --amount 0.5 -o remix.wav
genres remix SONG --style house --only drums,tempo -o remix.flac
"""

import argparse
import math
from pathlib import Path

import numpy as np
import soundfile

from genres.audio.decode import AudioError, load_channels
from genres.core.console import UserError, command, progress
from genres.core.files import atomic
from genres.remixing.remix import FASTEST, INGREDIENTS, LEVELS_LU, LONGEST_S, SLOWEST, STYLES, Remixer

# Suffix: libsndfile's format and subtype. wav keeps the samples as they are.
FORMATS = {
    ".wav": ("WAV", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_BLOCK = 1 << 16  # samples; libsndfile's Vorbis encoder puts a whole write on the stack


def ingredients(text: str) -> tuple[str, ...]:
    """Return the ingredients that an option names, separated by commas."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in INGREDIENTS:
            raise UserError(f"--only: no ingredient '{name}'; choose among {', '.join(INGREDIENTS)}")
    return names


def output_format(output: Path, song: Path) -> tuple[str, str]:
    """Return format and subtype of a file to write; it must not be the song itself."""
    if output.suffix.lower() not in FORMATS:
        raise UserError(f"--output {output}: the name must end with {', '.join(FORMATS)}")
    if output.exists() and song.exists() and output.samefile(song):
        raise UserError(f"--output {output}: is the song itself; choose another name")
    return FORMATS[output.suffix.lower()]


def write(path: Path, samples: np.ndarray, rate: int, kind: tuple[str, str]) -> None:
    """Write samples [shape=(n, channels)] to a file of a format and a subtype."""
    with atomic(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", rate, samples.shape[1], kind[1], format=kind[0]) as file:
                for start in range(0, len(samples), _BLOCK):
                    file.write(samples[start : start + _BLOCK])
        except soundfile.LibsndfileError as error:
            what = f"{samples.shape[1]} channels at {rate} Hz"
            raise UserError(f"{path}: cannot hold {what} ({error.error_string}); write a .wav") from None


def summary(remixer: Remixer, doses: dict[str, float]) -> list[str]:
    """Return a line on each thing that was done to a song."""
    lines = [f"key     {remixer.key}", f"tempo   {remixer.tempo:.1f} BPM"]
    if doses.get("tempo"):
        lines[1] = f"tempo   {remixer.tempo:.1f} → {remixer.tempo * remixer.ratio ** doses['tempo']:.1f} BPM"
        if remixer.ratio in (SLOWEST, FASTEST):
            lines[1] += ", as far as it is stretched"
    for name in ("drums", "bass"):
        if doses.get(name):
            level = LEVELS_LU[name] + 20 * math.log10(doses[name])
            lines.append(f"{name:7} {level:+.1f} LU from the song")
    if doses.get("filter"):
        gains = ", ".join(f"{gain:+.0f}" for gain in remixer.filter_db * doses["filter"])
        lines.append(f"filter  {gains} dB in the octaves from 40 Hz")
    return lines


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="genres remix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("song", type=Path, help=f"audio file with a steady beat, up to {LONGEST_S / 60:.0f} minutes")
    parser.add_argument("--style", required=True, help=f"genre to turn it towards: {', '.join(STYLES)}")
    parser.add_argument("--amount", type=float, default=1.0, help="dose, from 0, the song itself, to 1 (default: 1)")
    parser.add_argument(
        "--only", default=",".join(INGREDIENTS), help="ingredients, separated by commas (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the groove, the drum kit and the bass (default: 0)")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help=f"file to write; the name ends with {', '.join(FORMATS)}"
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.amount <= 1:
        raise UserError(f"--amount {options.amount}: must be from 0 to 1")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: must be 0 or more")
    doses = dict.fromkeys(ingredients(options.only), options.amount)
    kind = output_format(options.output, options.song)
    if options.style not in STYLES:
        raise UserError(f"--style: no style '{options.style}'; choose among {', '.join(STYLES)}")
    steps = iter(progress(["decode", "find beats", "remix", "write"], what="remixing", unit="step"))
    try:
        next(steps)
        rows, rate = load_channels(options.song, LONGEST_S)
        next(steps)
        remixer = Remixer(rows.T, rate, options.style, options.seed)
    except (AudioError, UserError) as error:
        raise UserError(f"{options.song}: {error}") from None
    next(steps)
    remix = remixer.render(doses)
    next(steps)
    write(options.output, remix, rate, kind)
    list(steps)
    print(f"{options.output}: {options.style}, dose {options.amount:g}, of {options.song.name}")
    for line in summary(remixer, doses):
        print(f"  {line}")
