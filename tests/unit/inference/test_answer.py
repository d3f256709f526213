"""The command that tells a song's genre: its JSON, its errors, folders, long songs, and that it starts quickly."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from checkout import ROOT
from fakes.spotify import make_track
from networks import FORMAT, GENRES, write_model
from spotify_world import FAST, World

from genres.audio.mel import of_blocks
from genres.core.console import UserError
from genres.core.files import write_json
from genres.inference import answer
from genres.inference.classifier import Classifier


@pytest.fixture
def songs(project: Path, write_song: Callable) -> Path:
    """A project with a model and a folder of songs."""
    write_model(project / "models/tiny.keras")
    write_json(project / "metrics/leaderboard.json", [{"arch": "ensemble"}, {"arch": "tiny"}])
    write_song(project / "songs/one.wav", 1, 3.0)
    write_song(project / "songs/deeper/two.mp3", 2, 5.0, 44100)
    (project / "songs/notes.txt").write_text("no song")
    return project / "songs"


def answers(capsys: pytest.CaptureFixture, *arguments: str) -> list[dict]:
    answer.main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def test_json_is_as_promised(songs: Path, capsys: pytest.CaptureFixture) -> None:
    (answer,) = answers(capsys, "songs/one.wav")
    assert answer["file"] == "songs/one.wav"
    assert answer["model"] == "tiny"
    assert list(answer["probabilities"]) == GENRES
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    assert answer["genre"] == max(GENRES, key=answer["probabilities"].get)
    assert len(answer["timeline"]) == 3
    for second, window in enumerate(answer["timeline"]):
        assert set(window) == {"start_s", "end_s", "probabilities"}
        assert window["start_s"] == pytest.approx(second, abs=0.03)
        assert window["end_s"] == pytest.approx(second + 1, abs=0.03)
        assert sum(window["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    for genre, share in answer["probabilities"].items():
        mean = np.mean([window["probabilities"][genre] for window in answer["timeline"]])
        assert share == pytest.approx(mean, abs=1e-12)


def test_a_folder_is_all_its_songs(songs: Path, capsys: pytest.CaptureFixture) -> None:
    files = [answer["file"] for answer in answers(capsys, "songs", "songs/one.wav")]
    assert files == ["songs/deeper/two.mp3", "songs/one.wav", "songs/one.wav"]


def test_what_cannot_be_read_is_a_line_and_the_others_are_answered(
    songs: Path, write_audio: Callable, capsys: pytest.CaptureFixture
) -> None:
    (songs / "empty").mkdir()
    write_audio(songs / "quiet/silence.wav", np.zeros(40000, np.float32))
    (songs / "torn.mp3").write_bytes(b"ID3 and no more")
    bad = ["songs/none.wav", "songs/notes.txt", "songs/empty", "songs/quiet", "songs/torn.mp3", "https://a.b/c.mp3"]
    with pytest.raises(SystemExit) as stop:
        answer.main([*bad, "songs/one.wav", "--json"])
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert [answer["file"] for answer in json.loads(output.out)] == ["songs/one.wav"]
    lines = output.err.splitlines()
    assert len(lines) == len(bad)
    for line, start in zip(
        lines,
        [
            "songs/none.wav: no such file or folder",
            "songs/notes.txt: cannot be decoded: damaged or not audio",
            "songs/empty: holds no audio (.wav, ",
            "songs/quiet/silence.wav: silent",
            "songs/torn.mp3: cannot be decoded",
            "https://a.b/c.mp3: only links to Spotify are supported; download the song",
        ],
        strict=True,
    ):
        assert line.startswith(f"error: {start}")


def test_a_folder_is_walked_as_at_ingestion_and_odd_names_are_a_line(
    songs: Path, write_song: Callable, capsys: pytest.CaptureFixture
) -> None:
    write_song(songs / "odd/a.wav")
    for name in ("odd/._a.wav", "odd/.Trash/old.wav", "odd/b.mid", os.fsdecode(b"odd/Mod\x85.wav")):
        (songs / name).parent.mkdir(exist_ok=True)
        (songs / name).write_bytes(b"x")
    with pytest.raises(SystemExit) as stop:
        answer.main(["songs/odd", "--json"])
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert [answer["file"] for answer in json.loads(output.out)] == ["songs/odd/a.wav"]
    assert output.err.splitlines() == [
        "warning: songs/odd: left out: 1 .mid",
        "error: songs/odd/Mod\\x85.wav: its name is not UTF-8: rename it",
    ]


@pytest.mark.parametrize("link", ["https://open.spotify.com/track/0123456789012345678901", "spotify:track:" + "a" * 22])
def test_a_spotify_link_without_an_account_is_a_line(
    songs: Path, link: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"SPOTIPY_{name}", "")
        monkeypatch.setenv(f"SPOTIFY_{name}", "")
    with pytest.raises(SystemExit) as stop:
        answer.main([link])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {link}: ")
    assert "CLIENT_ID" in line


def test_a_spotify_link_is_its_preview(
    songs: Path, configure: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with World() as world:
        configure({"services.requests_per_second": FAST})
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        there, nowhere = make_track(1), make_track(2)
        world.spotify.tracks |= {track["id"]: track for track in (there, nowhere)}
        world.sell(there, deezer_isrc=True)
        links = [f"https://open.spotify.com/track/{track['id']}" for track in (there, nowhere)]
        with pytest.raises(SystemExit):
            answer.main([*links, "--json"])
    output = capsys.readouterr()
    (predicted,) = json.loads(output.out)
    assert predicted["file"] == links[0]
    assert len(predicted["timeline"]) == 12
    assert f"error: {links[1]}: no source has" in output.err


def test_bars_and_timeline(songs: Path, capsys: pytest.CaptureFixture) -> None:
    answer.main(["songs/one.wav", "--top", "2"])
    first, *bars, timeline, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("songs/one.wav: ")
    assert "tiny, trained on folder" in first
    assert len(bars) == 2
    shares = [float(line.split()[1].rstrip("%")) for line in bars]
    assert shares == sorted(shares, reverse=True)
    assert [line.count("█") for line in bars] == [round(answer.BAR * share / 100) for share in shares]
    assert timeline.startswith("  0:00 ")


def test_a_song_is_one_line_in_a_pipe_however_long_its_name(songs: Path, capsys: pytest.CaptureFixture) -> None:
    name = f"songs/{'long name ' * 20}.wav"
    (songs / "one.wav").rename(name)
    answer.main([name, "--top", "1"])
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{name}: ") and first.endswith(")")


def test_numbers_from_synthetic_music_or_a_leaky_split_say_so(
    songs: Path, project: Path, capsys: pytest.CaptureFixture
) -> None:
    write_model(project / "models/other.keras", dataset="demo", protocol="clip")
    answer.main(["songs/one.wav", "--model", "other"])
    assert "(other, trained on demo, synthetic music, LEAKY split)" in capsys.readouterr().out


def test_a_song_unlike_training_is_warned_of(
    songs: Path, project: Path, compose: Callable, write_audio: Callable, capsys: pytest.CaptureFixture
) -> None:
    known = [of_blocks([compose(seed)], FORMAT) for seed in range(30)]
    write_model(project / "models/wary.keras", known=known)
    white = 0.1 * np.random.default_rng(0).standard_normal(88200).astype(np.float32)
    write_audio(project / "white.wav", white)
    write_audio(project / "song.wav", compose(5))
    noise, song = answers(capsys, "white.wav", "song.wav", "--model", "wary")
    assert noise["warning"].startswith("none of these?")
    assert noise["distance"] > noise["threshold"] == song["threshold"] > song["distance"]
    assert song["warning"] is None
    answer.main(["white.wav", "--model", "wary"])
    assert "none of these?" in capsys.readouterr().out


def test_a_plot_of_the_timelines(songs: Path, project: Path, capsys: pytest.CaptureFixture) -> None:
    answer.main(["songs", "--plot", "timeline.png"])
    assert (project / "timeline.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        answer.main(["songs", "--plot", "timeline.jpg"])
    assert "use timeline.png" in capsys.readouterr().err


def test_passages_are_told_where_the_genre_changes() -> None:
    def window(start: float, a: float) -> dict:
        return {"start_s": start, "end_s": start + 3, "probabilities": {"a": a, "b": 1 - a}}

    short = [window(0, 0.9), window(3, 0.6), window(6, 0.2), window(9, 0.9)]
    assert answer.passages(short) == ["0:00 a", "0:06 b", "0:09 a"]
    long = [window(3 * n, 0.9 if n < 1000 else 0.1) for n in range(2000)]
    assert answer.passages(long) == ["0:00 a", "50:24 b"]  # the part of 84 windows in which it changes is still a's
    assert answer.clock(3674.9) == "1:01:15"


def test_no_model_says_what_makes_one(project: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        answer.main(["x.wav"])
    assert stop.value.code == 2
    assert "`make repro`" in capsys.readouterr().err
    with pytest.raises(UserError, match="no such model"):
        Classifier(Path("models/x.keras"))


def test_nothing_heavy_is_loaded_before_the_model_but_keras() -> None:
    code = (
        "import sys; from genres.inference import answer; "
        "heavy = {'keras', 'mlflow', 'matplotlib', 'sklearn', 'scipy.signal', 'librosa', 'av', 'requests', 'joblib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_a_song_takes_neither_mlflow_nor_a_plot(songs: Path, project: Path) -> None:
    """Keras itself loads scikit-learn and matplotlib, where they are installed."""
    code = (
        "import sys; from genres.inference import answer; "
        "answer.main(['songs/one.wav', '--model', 'models/tiny.keras']); "
        "heavy = {'mlflow', 'genres.figures', 'genres.sources', 'scipy.signal', 'librosa', 'av'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(project)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert shown.stdout.splitlines()[-1] == "[]", shown.stdout + shown.stderr


@pytest.mark.soak
@pytest.mark.parametrize("reference", ["peak", "loudness"])
def test_an_hour_takes_no_more_memory_than_a_few_minutes(project: Path, reference: str) -> None:
    """A mix of 60 minutes in stereo at 44.1 kHz: 1.3 GB of floats, which never lie in memory."""
    from dataclasses import replace

    from genres.inference import export

    model_file = write_model(project / "models/tiny.keras", form=replace(FORMAT, n_mels=128, reference=reference))
    export.write(model_file, project / "models/tiny.onnx", model_file)
    rng = np.random.default_rng(0)
    minute = rng.uniform(-0.5, 0.5, (60 * 44100, 2)).astype(np.float32)
    for minutes in (4, 60):
        with soundfile.SoundFile(project / f"{minutes}.wav", "w", 44100, 2, "PCM_16") as file:
            for loudness in np.linspace(0.1, 1, minutes):
                file.write(minute * np.float32(loudness))
    code = (
        "import sys; from genres.inference import answer; answer.main([sys.argv[1], '--model', 'tiny']); "
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(project)}
    peak_kb = {}
    for minutes in (4, 60):
        shown = subprocess.run(
            [sys.executable, "-c", code, f"{minutes}.wav"], capture_output=True, text=True, env=environment, check=True
        )
        peak_kb[minutes] = int(shown.stdout.splitlines()[-1])
    print(peak_kb)
    assert peak_kb[4] < 250_000
    assert peak_kb[60] - peak_kb[4] < 30_000  # the stored spectrogram is 20 MB of it


@pytest.mark.parametrize(
    ("about", "says"),
    [
        (("demo", "artist", None), "net, trained on demo, synthetic music"),
        (("folder", "clip", "MSD"), "net, trained on folder, pretrained (MSD), LEAKY split"),
        (("Songs", "tags", "MSD"), "net, trained on Songs, pretrained: tags, not classes"),
    ],
)
def test_what_a_reader_must_know_of_a_model(about: tuple, says: str) -> None:
    assert answer.origin("net", *about) == says
