"""Faults, done to the real commands; the table of docs/faults.md says what becomes of each."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import mlflow
import numpy as np
import pandas as pd
import pytest
from checkout import ROOT, Checkout, clean_environment, existing, use_small_music, write_music, write_song
from faults import Disk, disk, kill_group, results, wait_for

from genres.core import params
from genres.core.console import UserError
from genres.data import cache
from genres.models.backend import keras
from genres.sources.inspect import inspect_files
from genres.tracking import runs, store
from genres.training.checkpoint import Checkpoint

pytestmark = pytest.mark.xdist_group("faults")


def new_project(folder: Path) -> Checkout:
    """A checkout with three genres of six songs, of which two are a remix and its original; nothing has been run."""
    checkout, music = Checkout(folder / "project"), folder / "music"
    use_small_music(checkout, music, front_ends__default__n_fft=1024)
    write_music(music, artists=6)
    (music / "remixes.csv").write_text("song,original,remix\nAnthem,genre0/song5.wav,genre1/song5.wav\n")
    checkout.commit()
    return checkout


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Checkout:
    """One in which `dvc repro` has been run to the end."""
    checkout = new_project(tmp_path_factory.mktemp("faults"))
    checkout.run("dvc", "repro")
    return checkout


@pytest.fixture
def project(undisturbed, tmp_path) -> Checkout:
    """A copy of it, to be broken."""
    return copy_of(undisturbed, tmp_path / "project")


def copy_of(checkout: Checkout, folder: Path) -> Checkout:
    shutil.copytree(checkout.folder, folder, symlinks=True)
    return existing(folder)


# ── What lies in .cache is damaged ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder whose caches lie in it; parallel work runs in this process."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with joblib.parallel_config(backend="sequential"):
        yield tmp_path


@pytest.mark.parametrize("left", [0, 60, 200])
def test_a_spectrogram_or_record_in_the_cache_that_is_cut_off_is_made_again(here, left):
    songs = [here / f"{number}.wav" for number in range(2)]
    for number, song in enumerate(songs):
        write_song(song, 110, 1.0, number, 2.0)
    settings = params.load(ROOT / "params.yaml").mels_of_dataset()

    def stages() -> tuple[list, list[bytes]]:
        findings = inspect_files(songs)
        tracks = pd.DataFrame({"path": list(map(str, songs)), "sha256": [found.sha256 for found in findings]})
        return findings, [stored.tobytes() for stored in cache.compute(tracks, here, settings)]

    before = stages()
    files = sorted(path for path in here.glob(".cache/*/**/*.*") if path.is_file())
    assert len(files) == 4
    times = {path: path.stat().st_mtime_ns for path in files}
    for kind in ("npy", "json"):
        os.truncate(next(path for path in files if path.suffix == f".{kind}"), left)
    assert stages() == before
    assert sum(path.stat().st_mtime_ns == time for path, time in times.items()) == 2, "more than those was made again"
    assert sorted(path for path in here.glob(".cache/*/**/*.*") if path.is_file()) == files


def test_a_song_that_cannot_be_opened_now_is_looked_at_again_later(here):
    """A share that is away for a moment must not cost songs for good: it changes neither their time nor their size."""
    song = here / "song.wav"
    song.mkdir()
    assert inspect_files([song])[0].rejected == "cannot be opened (not a regular file)"
    assert not list(here.glob(".cache/inspected/*/*.json"))
    song.rmdir()
    write_song(song, 110, 1.0, 1, 2.0)
    assert inspect_files([song])[0].rejected == ""


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_read(here, kind):
    song = here / "song.wav"
    if kind == "pipe":
        os.mkfifo(song)
    else:
        song.symlink_to("/dev/zero")
    assert inspect_files([song])[0].rejected == "cannot be opened (not a regular file)"


@pytest.fixture
def kept(tmp_path) -> tuple[Path, keras.Model]:
    """What a training of two epochs keeps, of which the first was the best."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(50), keras.layers.Dense(2)])
    model.compile(optimizer="adam", loss="mse")
    checkpoint = Checkpoint(tmp_path / "training")
    checkpoint.run_id = "a run"
    for epoch in (1, 2):
        checkpoint.history.append({"epoch": epoch, "val_loss": float(epoch)})
        checkpoint.save(model, is_best=epoch == 1)
    return tmp_path / "training", model


def test_a_whole_checkpoint_goes_on_and_what_a_kill_left_does_not_matter(kept):
    folder, model = kept
    (folder / "best-3.keras").write_bytes(b"half")  # of an epoch that state.json does not know yet
    checkpoint = Checkpoint(folder)
    again = checkpoint.model()
    assert again is not None
    assert len(checkpoint.history) == 2
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["state.json", "last-2.keras", "best-1.keras"])
@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "gone"])
def test_a_damaged_checkpoint_starts_from_the_beginning(kept, capsys, name, damage):
    folder, _ = kept
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = bytes(byte ^ 255 for byte in content[middle : middle + 8])
        changed = content[:middle] + flipped + content[middle + 8 :]
        path.write_bytes({"empty": b"", "half": content[:middle], "flipped": changed}[damage])
    checkpoint = Checkpoint(folder)
    assert checkpoint.model() is None
    assert checkpoint.history == []
    if (name, damage) != ("state.json", "gone"):
        assert capsys.readouterr().err.count("the checkpoint is damaged") == 1


# ── MLflow is locked, or away ─────────────────────────────────────────────────────────────────────────────────────────

RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"

HOLDER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def hold() -> Iterator:
    """Let another process hold a database."""
    processes = []

    def start(database: Path) -> None:
        process = subprocess.Popen([sys.executable, "-c", HOLDER, str(database)], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"held\n"

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def own_database(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with runs.run("demo", "baseline"):
        pass
    yield tmp_path / "mlflow.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow has set it


@pytest.mark.soak
def test_a_locked_database_is_one_line_after_a_while(own_database, hold):
    hold(own_database)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"locked by another process; wait until that has ended, then run the same"):
        runs.run("demo", "baseline").__enter__()
    assert time.monotonic() - started < 60


@pytest.mark.soak
def test_a_database_that_is_locked_during_a_run_is_one_line_too(own_database, hold):
    with pytest.raises(UserError, match=r"locked by another process"), runs.run("demo", "baseline") as run:
        run.metrics({"loss": 1.0}, step=1)
        hold(own_database)
        run.metrics({"loss": 0.5}, step=2)
    with sqlite3.connect(f"file:{own_database}?mode=ro&immutable=1", uri=True) as database:
        assert database.execute("select value from metrics where key = 'loss'").fetchall() == [(1.0,)]


USER = "from genres.tracking import runs; runs.run('demo', 'x').__enter__()"


def test_a_kill_while_the_database_is_made_leaves_none_that_is_half_made(tmp_path, monkeypatch):
    environment = clean_environment() | {"DVC_ROOT": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", USER], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(process, "a database", lambda: any(path.stat().st_size > 50_000 for path in tmp_path.glob("*.db")))
    kill_group(process)
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    with runs.run("demo", "x"):
        pass
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select name from runs").fetchall() == [("x",)]


def test_a_lock_that_somebody_keeps_for_good_is_not_waited_for_forever(own_database, monkeypatch):
    monkeypatch.setattr(store, "LOCK_WAIT_S", 0.3)
    with store.database_lock(), ThreadPoolExecutor(1) as another:
        waiting = another.submit(lambda: runs.run("other", "baseline").__enter__())
        with pytest.raises(UserError, match=r"another process has held .*mlflow\.lock .*; end it"):
            waiting.result()


def test_a_server_that_is_away_is_one_line_without_its_password(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv(RETRIES, "1")
    mlflow.set_tracking_uri("http://somebody:s3cret@127.0.0.1:9")  # and in the environment
    with pytest.raises(UserError, match="the server does not answer; start it and run the same again") as raised:
        runs.run("demo", "baseline").__enter__()
    assert "http://***@127.0.0.1:9" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    mlflow.set_tracking_uri("")


def test_how_long_a_server_is_asked_is_bounded_and_the_users_to_say():
    """Tries and seconds for each, of the shell if it names them."""
    code = f"import os, genres.tracking; print(os.environ[{RETRIES!r}])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    asked = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment | own, capture_output=True, text=True)
        for own in ({}, {RETRIES: "9"})
    ]
    assert [done.stdout for done in asked] == ["4\n", "9\n"]


# ── Full and read-only disks ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Disk]:
    """A disk of 40 MB with a project on it, in which nothing has been run."""
    with disk(tmp_path / "disk", 40) as found:
        shutil.copytree(new_project(tmp_path).folder, found.outside / "project", symlinks=True)
        # As after any run. (Python 3.11 itself leaves a module that is cut off where the disk is full at its first.)
        assert found.run("python", "-m", "compileall", "-q", "src")[0] == 0
        yield found


def script(stage: str) -> list[str]:
    """The command of a stage, and its architecture."""
    name, *arguments = stage.split()
    return [f"src/{name}.py", *arguments]


def fails_for_want_of_space(small_disk: Disk, stage: str, leave: int) -> None:
    ballast = small_disk.fill(leave)
    status, output = small_disk.run("python", *script(stage))
    ballast.unlink()
    assert status == 2, output
    assert len([line for line in output.splitlines() if line.startswith("error: ") and "disk is full" in line]) == 1
    assert "Traceback" not in output
    assert not list((small_disk.outside / "project").glob("[dmp]*/**/.*.tmp*"))


def test_a_full_disk_is_one_line_and_what_was_done_is_kept(small_disk):
    folder = small_disk.outside / "project"
    fails_for_want_of_space(small_disk, "ingest", 24_000)
    assert not (folder / "data/raw/folder/tracks.csv").exists()
    done = {path: path.stat().st_mtime_ns for path in folder.glob(".cache/inspected/*/*.json")}
    assert 0 < len(done) < 18
    assert small_disk.run("python", "src/ingest.py")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len((folder / "data/raw/folder/tracks.csv").read_text().splitlines()) == 19


@pytest.mark.soak
def test_full_disks_change_no_result(undisturbed, small_disk):
    whole = existing(small_disk.outside / "project")
    for stage, leave in [("ingest", 0), ("mels", 30_000), ("mels", 80_000), ("clips", 0), ("train baseline", 700_000)]:
        fails_for_want_of_space(small_disk, stage, leave)
        if leave != 30_000:
            status, output = small_disk.run("python", *script(stage))
            assert status == 0, output
    found, expected = results(whole), results(undisturbed)
    assert any(name.endswith(".npy") for name in found)
    assert "plots/baseline/history.csv" in found
    assert found.items() <= expected.items()


@pytest.mark.soak
def test_a_full_disk_of_dvcs_cache_loses_nothing(undisturbed, small_disk):
    assert small_disk.run("dvc", "repro", "ingest")[0] == 0
    assert small_disk.run("python", "src/mels.py")[0] == 0  # so that .cache/mels is full
    ballast = small_disk.fill(30_000)
    # DVC fails where dvc.lock does not fit any more. Where it does fit, DVC only names the file that it could not copy.
    status, output = small_disk.run("dvc", "repro", "mels@default")
    assert status != 0 or "ERROR: failed to transfer" in output, output
    assert "No space left on device" in output or "disk is full" in output, output
    ballast.unlink()
    status, output = small_disk.run("dvc", "repro", "clips", "mels@default")
    assert status == 0, output
    found = results(existing(small_disk.outside / "project"))
    assert any(name.endswith(".npy") for name in found)
    assert found.items() <= results(undisturbed).items()
    assert "up to date" in small_disk.run("dvc", "status", "clips", "mels@default")[1]
    # What was not copied then is copied by `dvc commit`, and can be checked out.
    assert small_disk.run("dvc", "commit", "--force", "mels@default")[0] == 0
    shutil.rmtree(small_disk.outside / "project/data/mels/default")
    status, output = small_disk.run("dvc", "checkout", "data/mels/default")
    assert status == 0, output
    assert found.items() == results(existing(small_disk.outside / "project")).items()


def test_a_read_only_project_is_one_line(small_disk):
    assert small_disk.run("mount", "-o", "remount,ro", str(small_disk.folder), folder=".")[0] == 0
    status, output = small_disk.run("python", "src/ingest.py")
    assert status == 2, output
    assert "Traceback" not in output
    assert "Read-only file system: give this user read and write permission there" in output
    assert output.count("error: ") == 1
    status, output = small_disk.run("dvc", "repro", "mels")
    assert status != 0
    assert "Read-only file system" in output
    assert "Traceback" not in output


# ── params.yaml is half written ───────────────────────────────────────────────────────────────────────────────────────


def test_a_params_file_that_is_cut_off_anywhere_is_one_line_and_never_another_experiment(tmp_path):
    whole = (ROOT / "params.yaml").read_text()
    expected = params.load(ROOT / "params.yaml")
    path = tmp_path / "params.yaml"
    for length in range(0, len(whole), 97):
        path.write_text(whole[:length])
        try:
            found = params.load(path)
        except UserError as error:
            assert "\n" not in str(error)
        else:  # what is missing is a comment, or says what is said without it
            assert found == expected


@pytest.mark.soak
def test_dvc_and_a_stage_refuse_half_a_params_file(project):
    path = project.folder / "params.yaml"
    path.write_text(path.read_text()[:3000])
    assert "Traceback" not in project.run("dvc", "repro", fails=True)
    assert project.run("python", "src/clips.py", fails=True).startswith("error: params.yaml: ")


# ── The clock ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.soak
def test_file_times_in_the_past_and_in_the_future_change_nothing(project):
    old, new = 30_000_000, 4_100_000_000  # the years 1970 and 2099
    for path in project.folder.glob("data/**/*"):
        os.utime(path, (new, new))
    for path in project.folder.glob("src/**/*"):
        os.utime(path, (old, old))
    output = project.run("dvc", "repro", "clips", "mels")
    assert output.count("didn't change, skipping") == 4
    assert "Running stage" not in output
    assert (project.folder / "data/mels/default/index.csv").stat().st_mtime == new
    # And a change is noticed although the file looks older than what was made from it.
    with (project.folder / "src/clips.py").open("a") as file:
        file.write("# Changed.\n")
    os.utime(project.folder / "src/clips.py", (old - 1e6, old - 1e6))
    assert "Running stage 'clips'" in project.run("dvc", "repro", "clips")


def test_a_song_that_is_replaced_under_its_old_time_and_size_is_noticed(here):
    song = here / "song.wav"
    write_song(song, 110, 1.0, 1, 2.0)
    before, status = inspect_files([song]), song.stat()
    write_song(song, 110, 1.0, 2, 2.0)
    os.utime(song, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (song.stat().st_size, song.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert inspect_files([song]) != before


# ── DVC: two at once, remotes, a damaged cache ────────────────────────────────────────────────────────────────────────


@pytest.mark.soak
def test_the_second_of_two_repros_says_who_is_at_it(project):
    project.set_params(front_ends__default__n_fft=512)
    first = project.start("dvc", "repro", "mels", start_new_session=True)
    lock = project.folder / ".dvc/tmp/rwlock"
    wait_for(first, "lock", lambda: lock.exists() and "mels" in lock.read_text())
    output = project.run("dvc", "repro", "mels", fails=True)
    assert f"(PID {first.pid})" in output
    assert "busy" in output
    assert "Traceback" not in output
    assert first.communicate(timeout=120)[0] is not None
    assert first.returncode == 0
    assert "didn't change, skipping" in project.run("dvc", "repro", "mels")


@pytest.mark.soak
def test_a_remote_that_is_away_is_an_error_and_loses_nothing(project):
    before = results(project)
    project.run("dvc", "remote", "add", "-d", "store", "http://127.0.0.1:9/store")
    assert "Traceback" not in project.run("dvc", "push", fails=True)
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/mels")
    project.run("dvc", "pull", "mels", fails=True)
    shutil.rmtree(project.folder / "data/mels", ignore_errors=True)
    project.run("dvc", "repro", "clips", "mels")
    assert results(project) == before


@pytest.mark.soak
def test_a_push_that_is_killed_is_pushed_again_and_whole_elsewhere(project, tmp_path):
    many = project.folder / "many"
    many.mkdir()
    for number in range(1500):
        (many / f"{number}.txt").write_text(f"{number}\n" * 200)
    project.run("dvc", "add", "-q", "many")
    store = tmp_path / "store"
    project.run("dvc", "remote", "add", "-d", "store", str(store))
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "Results")
    process = project.start("dvc", "push", "-j", "1", start_new_session=True)
    wait_for(process, "first files", lambda: len(list(store.glob("files/md5/*/*"))) > 50)
    kill_group(process)
    arrived = len(list(store.glob("files/md5/*/*")))
    assert arrived < 1500
    project.run("dvc", "push")
    elsewhere = tmp_path / "elsewhere"
    project.run("git", "clone", "-q", str(project.folder), str(elsewhere))
    clone = existing(elsewhere)
    clone.run("dvc", "pull", "many", "clips", "mels")
    for path in [*many.iterdir(), *project.folder.glob("data/mels/default/*"), project.folder / "data/clips.csv"]:
        assert (elsewhere / path.relative_to(project.folder)).read_bytes() == path.read_bytes()


@pytest.mark.soak
def test_a_file_of_dvcs_cache_that_is_cut_off_is_noticed_and_made_again(project):
    before = results(project)
    (shard,) = project.folder.glob("data/mels/default/*.npy")
    content = shard.read_bytes()
    (cached,) = [path for path in project.folder.glob(".dvc/cache/files/md5/*/*") if path.read_bytes() == content]
    cached.chmod(0o644)
    os.truncate(cached, 100)
    shutil.rmtree(project.folder / "data/mels")
    project.attempt("dvc", "checkout", "mels")
    assert "mels" in project.run("dvc", "status", "mels")
    project.run("dvc", "repro", "mels")
    assert results(project) == before
    assert cached.read_bytes() == content


# ── Killed and interrupted, stage by stage ────────────────────────────────────────────────────────────────────────────


# Of each stage a file that it has written when it is about half-way, or its first one.
HALF_WAY = {
    "ingest": ".cache/inspected/*/*.json",
    "clips": "data/tracks.csv",
    "mels": ".cache/mels/*/*/*.npy",
    "train@baseline": ".cache/training/*/state.json",
    "evaluate@baseline": "predictions/baseline.csv",
    "confounding": "plots/confounding",
    "compare": "metrics/leaderboard.json",
    "remix": "plots/remix/pairs/*.png",
    "interventions": "metrics/interventions.json",
}


@pytest.mark.soak
def test_a_pipeline_that_is_killed_in_every_stage_comes_to_the_same_results(undisturbed, tmp_path):
    """And is interrupted once, as by Ctrl-C, in training."""
    killed, expected = new_project(tmp_path), results(undisturbed)
    assert len(expected) == 16
    for stage, written in HALF_WAY.items():
        process = killed.start("dvc", "repro", start_new_session=True)
        wait_for(process, stage, lambda written=written: any(killed.folder.glob(written)))
        if stage == "train@baseline":
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode != 0
            process = killed.start("dvc", "repro", start_new_session=True)
            time.sleep(4)
        kill_group(process)
    output = killed.run("dvc", "repro")
    for stage in ("ingest", "clips", "mels", "train@baseline", "evaluate@baseline"):
        assert f"Running stage '{stage}'" not in output
    assert results(killed) == expected
    assert "up to date" in killed.run("dvc", "repro")
