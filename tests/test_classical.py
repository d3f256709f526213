"""Fixed descriptors and linear classifiers: against closed forms, librosa, scikit-learn and known answers."""

import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from benchmarks import classical, descriptors
from src.console import UserError
from src.folds import group

FRAMES, MELS = 160, 128
GENRES = ("hum", "pulse", "hiss")


def noise(seed: int = 0) -> np.ndarray:
    """Levels from -60 to 0 dB in steps of 1/4 dB, so that sums of them are exact."""
    return (np.random.default_rng(seed).integers(-240, 1, (FRAMES, MELS)) / 4).astype(np.float32)


# ── Descriptors ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_as_many_numbers_as_it_says() -> None:
    assert sum(len(block) for block in descriptors.describe(noise()).values()) == 1477
    assert "1,477 numbers in 15 blocks" in (descriptors.__doc__ or "")
    assert len(descriptors.BLOCKS) == 15


def test_a_constant_in_level_is_seen_where_it_says_and_nowhere_else() -> None:
    before, after = descriptors.describe(noise()), descriptors.describe(noise() - 8)
    expected = {name: block.copy() for name, block in before.items()}
    expected["mfcc"][0] -= 8 * np.sqrt(MELS)  # the mean of coefficient 0
    expected["band_level"][:32] -= 8
    expected["contrast"][16:24] -= 8
    for name, block in after.items():
        np.testing.assert_allclose(block, expected[name], rtol=1e-3, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("level", [np.zeros((FRAMES, MELS)), np.full((FRAMES, MELS), -80.0), np.zeros((128, MELS))])
def test_silence_gives_finite_numbers(level: np.ndarray) -> None:
    assert all(np.isfinite(block).all() for block in descriptors.describe(level).values())


@pytest.mark.parametrize("shape", [(127, MELS), (FRAMES, 64), (2, FRAMES, MELS)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 128 frames of 128 mels"):
        descriptors.describe(np.zeros(shape, np.float32))


def test_mfcc_are_those_of_librosa() -> None:
    found = librosa.feature.mfcc(S=noise().T, n_mfcc=20)
    change = np.diff(found, axis=1)
    expected = [found.mean(axis=1), found.std(axis=1), change.mean(axis=1), change.std(axis=1)]
    np.testing.assert_allclose(descriptors.mfcc(noise()), np.concatenate(expected), rtol=1e-4, atol=1e-3)


def test_mfcc_correlations_are_those_of_numpy() -> None:
    correlations = np.corrcoef(librosa.feature.mfcc(S=noise().T, n_mfcc=20))
    expected = [correlations[i, j] for i in range(20) for j in range(i + 1, 20)]
    np.testing.assert_allclose(descriptors.mfcc_correlation(noise()), expected, atol=1e-3)


@pytest.mark.parametrize(("coefficient", "number"), [(20, 0), (22, 0), (23, 1), (40, 6), (79, 19)])
def test_fine_cepstrum_sees_the_spacing_of_partials(coefficient: int, number: int) -> None:
    comb = 10 * np.cos(np.pi * coefficient * (np.arange(MELS) + 0.5) / MELS)
    found = descriptors.fine_cepstrum(np.tile(comb, (FRAMES, 1)))
    # Three coefficients a number; a cosine of amplitude 10 has the energy 10² / 2 a mel.
    np.testing.assert_allclose(
        found, np.log(np.where(np.arange(20) == number, 100 / 2 * MELS / 3, 0) + 1e-3), atol=0.01
    )


def test_quantiles_are_levels_that_occur() -> None:
    bands = noise().reshape(FRAMES, 32, 4).mean(axis=2)
    expected = np.quantile(bands - bands.mean(), (0.05, 0.25, 0.5, 0.75, 0.95), axis=0, method="nearest").ravel()
    np.testing.assert_allclose(descriptors.band_quantiles(noise()), expected, atol=1e-4)


def test_contrast_is_peak_over_valley() -> None:
    band = np.r_[-60, -62, -64, -66, np.full(9, -40), -6, -3, 0]  # four valleys and three peaks in each of 8 bands
    level = np.tile(np.random.default_rng(0).permutation(band), (FRAMES, 8))
    np.testing.assert_allclose(descriptors.contrast(level), np.repeat([60, 0, -63, 0], 8), atol=1e-4)


def test_flux_is_what_rises_and_falls() -> None:
    level = np.tile(np.where(np.arange(FRAMES) % 2, -6.0, 0.0)[:, np.newaxis], (1, MELS))  # 80 falls and 79 rises
    expected = [79 * 6 / 159, 80 * 6 / 159, np.std([-6] * 80 + [6] * 79)]
    np.testing.assert_allclose(descriptors.flux(level), np.repeat(expected, 32), rtol=1e-5)


def test_moments_are_skewness_and_kurtosis() -> None:
    level = 100 * np.random.default_rng(0).exponential(size=(FRAMES, MELS))
    bands = level.reshape(FRAMES, 32, 4).mean(axis=2)
    curves = (bands, np.diff(bands, axis=0))
    expected = [f for c in curves for f in (stats.skew(c, axis=0), stats.kurtosis(c, axis=0, fisher=False))]
    np.testing.assert_allclose(descriptors.moments(level), np.concatenate(expected), rtol=0.02, atol=0.02)


def test_tones_are_harmonic_and_clicks_percussive() -> None:
    tone, clicks = np.full((2, FRAMES, MELS), -60.0)
    tone[:, 20] = 0  # band 2 of 16
    clicks[::20] = 0
    harmonic, percussive = (descriptors.harmonic_percussive(level)[:16] for level in (tone, clicks))
    np.testing.assert_allclose(harmonic, np.where(np.arange(16) == 2, 60 / 8, 0), atol=1e-5)
    np.testing.assert_allclose(percussive, -60 / 20, atol=1e-5)


def test_partials_that_stand_are_told_from_those_that_move() -> None:
    standing, moving = np.full((2, FRAMES, MELS), -60.0)
    standing[:, 4::8] = 0
    moving[np.arange(FRAMES), np.random.default_rng(0).integers(0, MELS, FRAMES)] = 0
    after_32 = slice(-16, None)
    assert descriptors.sustain(standing)[after_32].min() > 0.9
    assert np.abs(descriptors.sustain(moving)[after_32]).max() < 0.1


@pytest.mark.parametrize(("cycles", "band"), [(1, 0), (5, 3), (20, 7), (50, 10)])
def test_modulation_is_found_at_its_frequency(cycles: int, band: int) -> None:
    tremolo = 10 * np.sin(2 * np.pi * cycles * np.arange(FRAMES) / 128)
    level = np.tile(tremolo[:, np.newaxis], (1, MELS))
    assert (descriptors.modulation(level).reshape(16, 11).argmax(axis=1) == band).all()
    tilt = np.cos(np.pi * (np.arange(MELS) + 0.5) / MELS)  # coefficient 1 of the cepstrum
    cepstral = descriptors.cepstral_modulation(tremolo[:, np.newaxis] * tilt).reshape(12, 11)
    assert np.unravel_index(cepstral.argmax(), cepstral.shape) == (1, band)


def test_autocorrelation_is_the_sum_of_products() -> None:
    curves = np.random.default_rng(0).normal(size=(3, FRAMES))
    for curve, found in zip(curves, descriptors.autocorrelation(curves), strict=True):
        full = np.correlate(curve - curve.mean(), curve - curve.mean(), "full")[FRAMES - 1 :]
        np.testing.assert_allclose(found, full[: descriptors.LAGS] / full[0], atol=1e-6)


def rhythm(beat: float, strokes: tuple[float, ...]) -> np.ndarray:
    """Noise bursts of 30 s at parts of a bar of four beats; `beat` in frames."""
    bar, time = 4 * beat, np.arange(387)
    distance = [np.abs((time / bar - stroke + 0.5) % 1 - 0.5) * bar for stroke in strokes]
    bursts = np.exp(-((np.min(distance, axis=0) / (beat / 6)) ** 2))
    return np.tile(-60 + 50 * bursts[:, np.newaxis], (1, MELS))


def test_the_scale_transform_keeps_the_rhythm_and_not_the_tempo() -> None:
    straight, dotted = (0, 0.25, 0.5, 0.75), (0, 0.375, 0.5, 0.625)
    levels = [rhythm(10, straight), rhythm(12, straight), rhythm(10, dotted)]
    one, slower, other = (descriptors.scale_transform(level) for level in levels)
    assert np.linalg.norm(one - slower) < 0.4 * np.linalg.norm(one - other)
    # Without it, another tempo is further away than another rhythm.
    one, slower, other = (descriptors.autocorrelation(np.diff(level[:, :1], axis=0).T) for level in levels)
    assert np.linalg.norm(one - slower) > np.linalg.norm(one - other)


def test_the_scale_transform_is_the_integral_over_lags() -> None:
    level = rhythm(9.5, (0, 0.25, 0.4))
    correlation = descriptors.autocorrelation(np.diff(level[:, :1], axis=0).clip(0).T)[0]
    lag = np.linspace(2, 100, 200_001)
    step = np.log(100 / 2) / 127  # of the logarithm of the lag
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.log(lag / 2) / np.log(100 / 2))
    curve = np.interp(lag, np.arange(len(correlation)), correlation) * taper
    scales = 2 * np.pi * np.arange(24) / (128 * step)
    integrals = np.array([np.trapezoid(curve * lag ** (-0.5 - 1j * scale), lag) for scale in scales])
    expected = np.log(np.abs(integrals) / step / np.sqrt(np.geomspace(2, 100, 128).mean()) + 1e-2)
    # 128 points are not many for the integral, the last ones being 3 frames apart.
    np.testing.assert_allclose(descriptors.scale_transform(level)[:24], expected, atol=0.15)


def test_onset_counts_are_peaks_a_frame() -> None:
    level = np.full((FRAMES + 1, MELS), -60.0)
    level[10::16] = 0  # 10 clicks, each one rise
    counts = descriptors.onsets(level)[-15:]
    np.testing.assert_allclose(counts, 10 / (FRAMES - 2), rtol=1e-5)


# ── Classifiers ──────────────────────────────────────────────────────────────────────────────────────────────────


def separable(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns (60, 90) of four classes that overlap: more columns than tracks, and classes of different size."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), (24, 12, 12, 12))
    return rng.normal(size=(60, 90)) + rng.normal(size=(4, 90))[labels] * 0.5, labels


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 0.9])
def test_without_weights_it_is_the_discriminant_of_scikit_learn(shrinkage: float) -> None:
    columns, labels = separable()
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    alone = {"artist_power": 0.0, "block_power": 0.0, "clip": 1e6}
    ours = classical.fit_discriminant(columns, labels, np.arange(60), [60, 30], shrinkage=shrinkage, **alone)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=[0.25] * 4).fit(columns, labels)
    others, _ = separable(seed=1)
    expected = theirs.decision_function(others) - np.log(0.25)
    np.testing.assert_allclose(ours.scores(others), expected, rtol=1e-3, atol=1e-3)
    assert (ours.scores(others).argmax(axis=1) == theirs.predict(others)).all()


def test_blocks_of_one_size_are_as_no_blocks() -> None:
    columns, labels = separable()
    with_blocks, without = (
        classical.fit_discriminant(columns, labels, np.arange(60), [30, 30, 30], block_power=power)
        for power in (0.5, 0.0)
    )
    np.testing.assert_allclose(with_blocks.scores(columns), without.scores(columns), atol=1e-8)


def test_a_large_block_weighs_less() -> None:
    columns, labels = separable()
    shares = []
    for power in (0.0, 0.5, 1.0):
        kernel = classical.fit_discriminant(columns, labels, np.arange(60), [80, 10], block_power=power).kernel
        shares.append(np.square(kernel[:80]).sum() / np.square(kernel).sum())
    assert shares[0] > shares[1] > shares[2]


def test_an_outlier_moves_the_scores_no_further_than_the_clip() -> None:
    columns, labels = separable()
    fitted = classical.fit_discriminant(columns, labels, np.arange(60), [90])
    far = columns[:1] + np.eye(90)[:1] * [[1e3], [1e9]]
    np.testing.assert_allclose(*fitted.scores(far), atol=1e-6)


def test_weights_of_artists() -> None:
    labels, artists = np.array([0, 0, 0, 0, 1]), np.array([7, 7, 7, 8, 9])
    assert classical.artist_weights(labels, artists, 0) == pytest.approx([0.25] * 4 + [1])
    assert classical.artist_weights(labels, artists, 1) == pytest.approx([1 / 6] * 3 + [1 / 2, 1])


def test_ten_copies_of_a_track_count_as_one() -> None:
    columns, labels = separable()
    rows = np.r_[np.arange(60), np.zeros(9, dtype=int)]

    def scores(rows: np.ndarray, power: float) -> np.ndarray:
        fitted = classical.fit_discriminant(columns[rows], labels[rows], rows, [90], artist_power=power)
        found = fitted.scores(columns)
        return found - found.mean(axis=1, keepdims=True)  # what is the same for all classes says nothing

    once = scores(np.arange(60), 1.0)
    counted_once, counted_ten_times = (np.abs(scores(rows, power) - once).mean() for power in (1.0, 0.0))
    # Not zero, since standard scores take every track.
    assert counted_once < 0.5 * counted_ten_times


# ── Cross-validation ─────────────────────────────────────────────────────────────────────────────────────────────


def test_artists_stay_together() -> None:
    rng = np.random.default_rng(0)
    artists = [f"artist {number}" for number in rng.integers(0, 30, 120)]
    tracks = pd.DataFrame({"artist": artists, "genre": rng.choice(["a", "b"], 120)})
    tracks["recording"] = [f"recording {row}" for row in range(120)]
    tracks.loc[0, "artist"] = f"  {artists[1].upper()} "  # the same artist all the same
    tracks.loc[[2, 3], "artist"] = ""
    tracks.loc[[4, 5], "recording"] = "equal spectrograms"
    groups = group(tracks, by_artist=True)
    assert groups[2] != groups[3]
    for number in range(3):
        tracks["part"] = parts = classical.deal_parts(tracks, groups, 5, number)
        assert set(parts) == set(range(5))
        assert parts[0] == parts[1]
        assert parts[4] == parts[5]
        assert tracks[6:].groupby("artist")["part"].nunique().max() == 1
    first, second = (classical.deal_parts(tracks, groups, 5, number) for number in (0, 1))
    assert (first != second).any()
    assert (first == classical.deal_parts(tracks, groups, 5, 0)).all()


@pytest.mark.parametrize("classify", [classical.svm, lambda *data: classical.discriminant(*data, sizes=[20])])
def test_knowing_the_artist_is_of_no_use(classify: classical.Classifier) -> None:
    # 40 artists who sound like themselves and not like their genre: with their other tracks in training all is
    # right, and without them half.
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(40), 5)
    labels = (artists + artists // 2) % 2
    columns = rng.normal(size=(40, 20))[artists] + 0.05 * rng.normal(size=(200, 20))
    tracks = pd.DataFrame({"genre": labels.astype(str)})
    right = {
        name: (classical.held_out(columns, labels, artists, parts, classify) == labels).mean()
        for name, parts in {
            "by artist": classical.deal_parts(tracks, artists, 5, 0),
            "by track": np.tile(np.arange(5), 40),
        }.items()
    }
    assert right["by track"] - right["by artist"] > 0.2
    assert right["by artist"] == pytest.approx(0.5, abs=0.2)


# ── On a folder of spectrograms ──────────────────────────────────────────────────────────────────────────────────


def write_set(folder: Path, **changes: Any) -> Path:
    """Three genres of four artists with two tracks each, that rhythm and timbre tell apart; and nine test tracks."""
    rng = np.random.default_rng(0)
    rows, mel = [], []
    for number in range(33):
        genre = GENRES[number % 3]
        level = rng.uniform(0, 60, (MELS, FRAMES))
        if genre == "hum":
            level[8::16] = 255
        elif genre == "pulse":
            level[:, 4::8] = 255
        rows.append((f"track.{number}", genre, f"{genre} {number // 6}", "train" if number < 24 else "test"))
        mel.append(level.astype(np.uint8))
    tracks = pd.DataFrame(rows, columns=["track_id", "genre", "artist", "split"])
    arrays = {"track_id": tracks["track_id"].to_numpy(str), "mel": np.array(mel), "range_db": np.full(33, 80.0)}
    folder.mkdir()
    np.savez(folder / "mels.npz", **arrays | {key: changes.pop(key) for key in list(changes) if key in arrays})
    tracks.assign(**changes).to_csv(folder / "tracks.csv", index=False)
    return folder


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, "argv", ["classical", str(folder), *options])
    classical.main()


def test_genres_that_are_told_apart_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(write_set(tmp_path / "set"), monkeypatch, "--splits", "4", "--deals", "2")
    printed = capsys.readouterr().out
    assert "24 tracks of 12 artists and 3 genres, 4-fold" in printed
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in printed.splitlines() if "│" in line]
    assert [row[:3] for row in rows] == [
        ["MFCC", "80", "SVM"],
        ["descriptors", "1477", "SVM"],
        ["descriptors", "1477", "discriminant"],
    ]
    assert all(row[3:] == ["100.0 %", "100.0  100.0"] for row in rows)


def test_test_tracks_are_not_used(tmp_path: Path) -> None:
    tracks, columns, sizes = classical.read(write_set(tmp_path / "set"))
    assert set(tracks["split"]) == {"train"}
    assert columns.shape == (24, sum(sizes))
    with np.load(tmp_path / "set" / "mels.npz") as archive:
        mel = archive["mel"].copy()
    mel[24:] = 0
    _, others, _ = classical.read(write_set(tmp_path / "other", mel=mel))
    np.testing.assert_array_equal(columns, others)


def test_spectrograms_are_found_by_name(tmp_path: Path) -> None:
    _, columns, _ = classical.read(write_set(tmp_path / "set"))
    with np.load(tmp_path / "set" / "mels.npz") as archive:
        backwards = {name: archive[name][::-1] for name in ("track_id", "mel")}
    _, others, _ = classical.read(write_set(tmp_path / "other", **backwards))
    np.testing.assert_array_equal(columns, others)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "test"}, "no two genres with tracks of split 'train'"),
        ({"genre": "hum"}, "no two genres with tracks of split 'train'"),
        ({"mel": np.zeros((33, MELS, 100), np.uint8)}, "has 100 frames a track; 128 are needed"),
        ({"track_id": np.array([f"other.{number}" for number in range(33)])}, "lists track.0, which mels.npz does not"),
    ],
)
def test_what_is_amiss_is_said(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        classical.read(write_set(tmp_path / "set", **changes))


def test_a_folder_without_spectrograms_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; name a folder"):
        classical.read(tmp_path)
    write_set(tmp_path / "set")
    pd.DataFrame({"track_id": ["track.0"], "genre": ["hum"]}).to_csv(tmp_path / "set" / "tracks.csv", index=False)
    with pytest.raises(UserError, match="has no column 'artist'"):
        classical.read(tmp_path / "set")


def test_a_genre_of_one_artist_cannot_be_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_set(tmp_path / "set", artist="one and the same")
    with pytest.raises(SystemExit) as stopped:
        run(folder, monkeypatch)
    assert stopped.value.code == 2
    assert "genre 'hiss' needs at least two artists" in capsys.readouterr().err
