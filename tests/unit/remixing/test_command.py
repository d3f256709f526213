import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from genres.cli import app

RATE = 22050


@pytest.fixture
def song_file(song, tmp_path):
    path = tmp_path / "my song.wav"
    soundfile.write(path, np.stack([song("pop", 0)[1]] * 2, axis=1), RATE, subtype="FLOAT")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["remix", *map(str, arguments)])


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_song_is_remixed(song_file, tmp_path, suffix):
    output = tmp_path / "new folder" / f"remix.{suffix}"
    result = run(song_file, "--style", "house", "--amount", 0.7, "-o", output)
    assert result.exit_code == 0, result.stderr
    first, *lines = result.stdout.splitlines()
    assert first == f"{output}: house, dose 0.7, of my song.wav"
    assert [line.split()[0] for line in lines] == ["key", "tempo", "drums", "bass", "filter"]
    assert "drums   -3.1 LU" in lines[2]
    written, rate = soundfile.read(output)
    assert rate == RATE and written.shape[1] == 2 and np.isfinite(written).all() and np.abs(written).max() < 1.25
    assert list(output.parent.iterdir()) == [output]


def test_no_dose_writes_the_same_samples(song_file, tmp_path):
    output = tmp_path / "remix.wav"
    assert run(song_file, "--style", "rock", "--amount", 0, "-o", output).exit_code == 0
    assert np.array_equal(*(soundfile.read(path, dtype="float32")[0] for path in (song_file, output)))


def test_only_what_is_asked_for(song_file, tmp_path):
    output = tmp_path / "remix.wav"
    result = run(song_file, "--style", "rock", "--only", "drums, filter", "-o", output)
    assert len(soundfile.read(output)[0]) == len(soundfile.read(song_file)[0])
    assert "→" not in result.stdout and "bass " not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--style", "polka"], "--style: no style 'polka'; choose among blues, brazilian_funk"),
        (["--style", "rock", "--amount", "1.5"], "--amount 1.5: must be from 0 to 1"),
        (["--style", "rock", "--amount", "nan"], "--amount nan: must be from 0 to 1"),
        (
            ["--style", "rock", "--only", "drums,bas"],
            "--only: no ingredient 'bas'; choose among tempo, drums, bass, filter",
        ),
        (["--style", "rock", "--seed", "-1"], "--seed -1: must be 0 or more"),
    ],
)
def test_wrong_options_are_one_line(song_file, tmp_path, arguments, message):
    result = run(song_file, *arguments, "-o", tmp_path / "remix.wav")
    assert result.exit_code == 2 and result.stderr.startswith(f"error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_the_song_is_not_overwritten(song_file, tmp_path):
    before = song_file.read_bytes()
    link = tmp_path / "link.wav"
    link.symlink_to(song_file)
    for output in (song_file, link):
        result = run(song_file, "--style", "rock", "-o", output)
        assert result.exit_code == 2 and "is the song itself" in result.stderr
    assert song_file.read_bytes() == before


def test_an_output_without_a_format(song_file, tmp_path):
    result = run(song_file, "--style", "rock", "-o", tmp_path / "remix.xyz")
    assert result.exit_code == 2 and "must end with .wav, .flac, .ogg, .mp3" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "message"), [(0, "empty"), (3, "3.0 s are too short"), (20, "silent"), (3600, "longer than 10 minutes")]
)
def test_songs_without_a_beat_are_one_line(tmp_path, seconds, message):
    path, output = tmp_path / "quiet.wav", tmp_path / "remix.wav"
    samples = np.full(seconds * 8000, 1e-6 if seconds == 20 else 0.1)
    soundfile.write(path, samples, 8000)
    result = run(path, "--style", "rock", "-o", output)
    assert result.exit_code == 2 and result.stderr.startswith(f"error: {path}: ") and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not output.exists()


def test_what_a_format_cannot_hold_is_one_line(song, tmp_path):
    path = tmp_path / "surround.wav"
    soundfile.write(path, np.repeat(song("pop", 0)[1][:, np.newaxis], 6, axis=1), RATE)
    result = run(path, "--style", "rock", "--only", "drums", "-o", tmp_path / "remix.mp3")
    assert result.exit_code == 2 and "6 channels" in result.stderr and len(result.stderr.splitlines()) == 1
    assert run(path, "--style", "rock", "--only", "drums", "-o", tmp_path / "remix.wav").exit_code == 0
