"""Measure what a block of joint time-frequency scattering adds to the descriptors, by cross-validation.

    python -m benchmarks.scattering DIR [--splits N] [--deals N]

DIR as for benchmarks.classical. The block (Andén, Lostanlen and Mallat 2019): the spectrogram's modulation at six rates
in time and eleven in frequency, its magnitude averaged over time and over eight zones of bands.
"""

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.classical import deal_parts, discriminant, held_out, parse, read
from genres.audio import published
from genres.audio.format import to_decibels
from genres.core.console import command, print_table, progress
from genres.data.folds import group
from genres.data.shards import INDEX, Spectrograms
from genres.models.blocks import AtFrameRate
from genres.models.descriptors import FRAME_RATE, N_MELS, WINDOW
from genres.training.discriminant import Floats

SHAPE = (512, 256)
RATES_HZ, QUALITY = (0.2, 0.4, 0.8, 1.6, 3.2, 5.0), 1.2
SCALES = tuple(sign / 2**power for power in range(6, 1, -1) for sign in (1, -1))  # cycles a band
ZONE = 16  # bands


def filters() -> Floats:
    """Return the filters in the frequency domain: float64 [shape=(6 * 11, 512, 256)]."""
    hertz, cycles = np.fft.fftfreq(SHAPE[0], 1 / FRAME_RATE), np.fft.fftfreq(SHAPE[1])
    in_time = [np.exp(-0.5 * ((hertz - rate) / (rate / (2 * QUALITY))) ** 2) * (hertz > 0) for rate in RATES_HZ]
    in_bands = [np.exp(-0.5 * (cycles * 128) ** 2)]
    in_bands += [np.exp(-0.5 * ((cycles - scale) / (abs(scale) / 2.4)) ** 2) for scale in SCALES]
    return np.array([np.outer(time, bands) for time in in_time for bands in in_bands])


def scattering(levels: Floats, bank: Floats) -> Floats:
    """Return the 528 numbers of a spectrogram in dB [shape=(frames, 128)]."""
    levels = levels[: SHAPE[0]]
    frames, bands = levels.shape
    before = [
        ((size - length) // 2, size - length - (size - length) // 2)
        for size, length in zip(SHAPE, levels.shape, strict=True)
    ]
    spectrum = np.fft.fft2(np.pad(levels - levels.mean(), before, mode="reflect"))
    (top, _), (left, _) = before
    numbers = []
    for one in bank:
        magnitude = np.abs(np.fft.ifft2(spectrum * one))[top : top + frames, left : left + bands]
        numbers.append(np.log(magnitude.mean(axis=0).reshape(-1, ZONE).mean(axis=1) + 0.01))
    return np.concatenate(numbers)


@command
def main() -> None:
    """Run the benchmark."""
    arguments = parse("scattering", __doc__, "a folder with mels.npz and tracks.csv, or data", deals=3)
    tracks, columns, blocks = read(arguments.dir)
    bank = filters()
    spectrograms = levels_of(arguments.dir, list(tracks["track_id"]))
    block = np.array(
        [scattering(spectrograms[track_id], bank) for track_id in progress(tracks["track_id"], what="scattering")]
    )
    labels = np.unique(tracks["genre"], return_inverse=True)[1]
    artists = group(tracks, by_artist=True)
    parts = [deal_parts(tracks, artists, arguments.splits, number) for number in range(arguments.deals)]
    both = np.concatenate([columns, block], axis=1)
    halves = [block.shape[1] // 2] * 2  # blocks are scaled down by their size: as two it weighs more
    rows = []
    for what, chosen, sizes in (
        ("descriptors", columns, blocks),
        ("scattering", block, halves),
        ("both", both, [*blocks, *halves]),
    ):
        classify = partial(discriminant, sizes=sizes)
        right = [100 * (held_out(chosen, labels, artists, part, classify) == labels).mean() for part in parts]
        rows.append([what, chosen.shape[1], f"{np.mean(right):.1f} %", "  ".join(f"{value:.1f}" for value in right)])
    print_table(
        f"{len(tracks)} tracks, {arguments.splits}-fold cross-validation with artists held out",
        ["features", "number", "accuracy", "of each split"],
        rows,
    )


def levels_of(folder: Path, track_ids: list[str]) -> dict[str, Floats]:
    """Return the levels of tracks in dB at the descriptors' frame rate, [shape=(frames, 128)] each."""
    if (folder / "mels/default" / INDEX).exists():
        stored = Spectrograms(folder / "mels/default")
        resample = AtFrameRate(max(1.0, stored.format.frame_rate / FRAME_RATE), least=WINDOW)
        return {
            track: np.asarray(resample(to_decibels(stored.track(track), stored.format.top_db)[np.newaxis]))[0]
            for track in track_ids
        }
    names, spectrograms, ranges = published.read(folder / "mels.npz", N_MELS)
    position = {name: row for row, name in enumerate(names)}
    rows = [position[track] for track in track_ids]
    return {
        track: published.decibels(spectrograms[row], ranges[row]).T for track, row in zip(track_ids, rows, strict=True)
    }


if __name__ == "__main__":
    main()
