"""The export of spectrograms, against librosa and against what is known of the published ones."""

import hashlib
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from genres.audio import published
from genres.core.files import read_table
from genres.sources import export_mels
from genres.sources.export_mels import column_frames, main

SAMPLE_RATE = 22050
SECONDS = 2.0
COLUMNS = 26


def noise(seconds: float, seed: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Noise that swells and whose colour changes, so that no two frames are alike."""
    samples = np.random.default_rng(seed).normal(size=int(seconds * sample_rate)).cumsum()
    samples -= np.linspace(samples[0], samples[-1], len(samples))
    return (0.5 * samples / np.abs(samples).max() * np.linspace(0.2, 1, len(samples))).astype(np.float32)


def write(folder: Path, track_id: str, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Path:
    path = folder / track_id.split(".")[0] / f"{track_id}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate, subtype="PCM_16")
    return path


def run(audio: Path, out: Path, *more: str) -> None:
    """Export; the options are for short tracks and no network."""
    main([str(audio), str(out), "--metadata", "none", "--seconds", str(SECONDS), *more])


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    white = np.random.default_rng(7).uniform(-0.5, 0.5, int(SECONDS * SAMPLE_RATE))  # spans less than 80 dB
    write(folder, "blues.00000", white)
    write(folder, "blues.00001", noise(SECONDS, 1))  # spans more
    write(folder, "jazz.00000", noise(SECONDS, 2))
    return folder


def test_the_folder_is_what_the_mels_recipe_reads(audio: Path, tmp_path: Path) -> None:
    run(audio, tmp_path / "out")
    track_ids, quantised, ranges = published.read(tmp_path / "out/mels.npz", 128)
    tracks = read_table(tmp_path / "out/tracks.csv", dtype=str)
    assert track_ids == list(tracks["track_id"]) == ["blues.00000", "blues.00001", "jazz.00000"]
    assert list(tracks.columns) == ["track_id", "genre", "artist", "split"]
    assert list(tracks["genre"]) == ["blues", "blues", "jazz"]
    assert quantised.shape == (3, 128, COLUMNS) and quantised.dtype == np.uint8
    assert ranges.shape == (3,) and (ranges > 0).all() and (ranges <= 80).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mels.npz", "tracks.csv"]


@pytest.mark.parametrize("row, track_id, spans_80", [(0, "blues.00000", False), (1, "blues.00001", True)])
def test_every_column_is_a_frame_of_librosas_spectrogram(
    audio: Path, tmp_path: Path, row: int, track_id: str, spans_80: bool
) -> None:
    run(audio, tmp_path / "out")
    _, quantised, ranges = published.read(tmp_path / "out/mels.npz", 128)
    samples, _ = librosa.load(audio / f"blues/{track_id}.wav", sr=SAMPLE_RATE)
    power = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=2048, hop_length=512, n_mels=128)
    decibels = librosa.power_to_db(power, ref=np.max, top_db=80)
    assert (decibels.min() == -80) == spans_80
    assert ranges[row] == pytest.approx(-decibels.min(), abs=0.01)
    stored = published.decibels(quantised[row], ranges[row])
    errors = np.abs(stored[:, :, None] - decibels[:, None, :]).max(axis=0)  # (columns, frames)
    assert (errors.min(axis=1) < ranges[row] / 255 / 2 + 0.01).all()
    nearest = errors.argmin(axis=1)
    assert set(np.diff(nearest)) == {3, 4}  # evenly spread, none twice


def test_the_frames_are_those_of_the_published_spectrograms() -> None:
    # Found by comparison with published columns, for tracks of 661794 and of 664180 samples.
    first = [1, 5, 8, 11, 15, 18, 21, 25, 28, 31, 35, 38, 41, 45, 48, 51, 55, 58, 61, 65]
    assert column_frames(1293, 387)[:20].tolist() == first
    assert column_frames(1293, 387)[-10:].tolist() == [1259, 1262, 1266, 1269, 1272, 1276, 1279, 1282, 1286, 1289]
    assert column_frames(1298, 387)[:20].tolist() == first
    assert column_frames(1298, 387)[-10:].tolist() == [1264, 1267, 1271, 1274, 1277, 1281, 1284, 1287, 1291, 1294]


def test_a_moment_lies_in_its_column(tmp_path: Path) -> None:
    samples = np.full(int(SECONDS * SAMPLE_RATE), 1e-4, np.float32) * noise(SECONDS, 0)
    onset_s = 1.3
    start = int(onset_s * SAMPLE_RATE)
    samples[start : start + 2048] = noise(2048 / SAMPLE_RATE, 1)
    write(tmp_path / "audio", "blues.00000", samples)
    run(tmp_path / "audio", tmp_path / "out")
    _, quantised, _ = published.read(tmp_path / "out/mels.npz", 128)
    loudest = quantised[0].mean(axis=0).argmax()
    assert loudest == pytest.approx((onset_s + 1024 / SAMPLE_RATE) * export_mels.COLUMNS_PER_SECOND, abs=1)


def test_other_rates_are_resampled_and_longer_tracks_cut(audio: Path, tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(int(3.5 * 44100)) / 44100).astype(np.float32)
    tone[int(SECONDS * 44100) :] = 0  # what is cut off
    write(tmp_path / "audio", "pop.00000", 0.5 * tone, 44100)
    run(tmp_path / "audio", tmp_path / "out")
    _, quantised, _ = published.read(tmp_path / "out/mels.npz", 128)
    band = np.abs(librosa.mel_frequencies(130, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1] - 1000).argmin()
    assert (np.abs(quantised[0].argmax(axis=0) - band) <= 1).all()
    assert (quantised[0][band] > 240).all()  # the tone, to the last column


def test_what_cannot_be_used_is_skipped_with_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audio = tmp_path / "audio"
    write(audio, "blues.00000", noise(1.4, 1))
    write(audio, "blues.00001", np.zeros(int(SECONDS * SAMPLE_RATE), np.float32))
    write(audio, "blues.00002", noise(SECONDS, 0))
    (audio / "blues/blues.00003.wav").write_bytes(b"no audio")
    run(audio, tmp_path / "out")
    captured = capsys.readouterr()
    short, silent, unreadable = captured.err.splitlines()
    assert "blues.00000.wav: only 1.4 s long; use --seconds 1 to include it" in short
    assert "blues.00001.wav: silent" in silent
    assert "blues.00003.wav: " in unreadable
    assert "1 spectrograms of 128 x 26, 3 files skipped" in captured.out
    assert published.read(tmp_path / "out/mels.npz", 128)[0] == ["blues.00002"]


def test_split_and_artist_come_from_the_metadata(audio: Path, tmp_path: Path) -> None:
    lists = {"train": "blues/blues.00000.wav\n", "valid": "blues/blues.00001.wav\n", "test": "jazz/jazz.00000.wav\n"}
    for name, text in lists.items():
        (tmp_path / f"{name}_filtered.txt").write_text(text)
    index = "".join(f"{name}.wav ::: Artist {name[:4]} :::\n" for name in ("blues.00000", "blues.00001", "jazz.00000"))
    (tmp_path / "GTZANindex.txt").write_text(index)
    run(audio, tmp_path / "out", "--metadata", str(tmp_path))
    tracks = read_table(tmp_path / "out/tracks.csv", dtype=str)
    assert list(tracks["split"]) == ["train", "val", "test"]
    assert list(tracks["artist"]) == ["Artist blue", "Artist blue", "Artist jazz"]


def test_genres_and_sizes_can_be_chosen(audio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(audio, tmp_path / "out", "--genres", "jazz", "--columns", "40", "--n-mels", "64", "--sample-rate", "16000")
    track_ids, quantised, _ = published.read(tmp_path / "out/mels.npz", 64)
    assert track_ids == ["jazz.00000"] and quantised.shape == (1, 64, 40)
    out = capsys.readouterr().out
    for setting in ("sample_rate=16000", "n_mels=64", "frame_rate=20", f"dir={tmp_path / 'out'}"):
        assert f"-S datasets.mels.{setting}" in out


def test_nothing_of_the_users_is_touched(audio: Path, tmp_path: Path) -> None:
    def state() -> list[tuple[str, int, int, str]]:
        return [
            (str(p), p.stat().st_mode, p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
            for p in sorted(audio.rglob("*.*"))
        ]

    before = state()
    run(audio, tmp_path / "out")
    assert state() == before and len(before) == 3


@pytest.mark.parametrize(
    "options, message",
    [
        (["--genres", "polka"], "--genres: no 'polka'"),
        (["--columns", "5000"], "--columns: must be 1 to 86"),
        (["--columns", "0"], "--columns: must be 1 to 86"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "60"], "none of the 3 tracks is usable"),
    ],
)
def test_impossible_wishes_are_one_line(
    audio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(audio, tmp_path / "out", *options)
    assert ended.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "out").exists()


def test_folders_without_audio_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, message in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "holds no audio")):
        with pytest.raises(SystemExit):
            run(folder, tmp_path / "out")
        assert message in capsys.readouterr().err


def test_a_failed_run_keeps_what_an_earlier_one_wrote(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(audio, tmp_path / "out")
    before = (tmp_path / "out/mels.npz").read_bytes()

    def fail(path: Path, **arrays: np.ndarray) -> None:
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(SystemExit):
        run(audio, tmp_path / "out")
    assert (tmp_path / "out/mels.npz").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mels.npz", "tracks.csv"]


def test_help_is_light_and_tells_the_defaults() -> None:
    code = """
import sys
from genres.sources.export_mels import main
try:
    main(["--help"])
finally:
    print("heavy:", sorted({"keras", "librosa", "tensorflow"} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for word in ("AUDIO_DIR", "OUT_DIR", "--metadata", "--genres", "387", "22050", "2048", "128"):
        assert word in shown.stdout
    assert shown.stdout.endswith("heavy: []\n")
