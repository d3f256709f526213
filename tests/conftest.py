"""What several test modules need: a project of its own in an empty folder, and small pieces of music."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import joblib
import numpy as np
import pytest
import soundfile
from checkout import ROOT, change_params
from hypothesis import settings

from genres.audio import decode
from genres.core import params

# The same examples in every run, however busy the machine is.
settings.register_profile("project", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let processes that tests start take Ctrl-C, also where pytest runs in the background and would ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project as working folder, with the committed parameters; its caches lie in it, too.

    Parallel work runs in this process: quicker for small data, and what is patched is patched there too.
    """
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    with joblib.parallel_config(backend="sequential"):
        yield folder


@pytest.fixture
def configure(project: Path) -> Callable[..., params.Params]:
    """Change keys, written with dots as for `-S`, in the project's params.yaml, and load it."""

    def change(changes: dict[str, Any]) -> params.Params:
        path = project / "params.yaml"
        change_params(path, changes)
        return params.load(path)

    return change


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []
    read = decode.read

    def record(path: Path, sample_rate: int, consume: Callable) -> Any:
        names.append(path.name)
        return read(path, sample_rate, consume)

    monkeypatch.setattr(decode, "read", record)
    return names


@pytest.fixture(scope="session")
def compose() -> Callable[..., np.ndarray]:
    """A melody of decaying notes over noise, another one for each seed: float32 samples with a peak of 0.7."""

    def compose(seed: int, seconds: float = 4.0, rate: int = 22050) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        samples = 0.01 * rng.standard_normal(len(time))
        for onset in np.arange(0, seconds, 0.2):
            start = round(onset * rate)
            hz = 110 * 2 ** (rng.integers(0, 48) / 12)
            since = time[start:] - onset
            samples[start:] += (
                rng.uniform(0.2, 1) * np.sin(2 * np.pi * hz * since) * np.exp(-since * rng.uniform(3, 12))
            )
        return (0.7 * samples / np.abs(samples).max()).astype(np.float32)

    return compose


@pytest.fixture(scope="session")
def write_audio() -> Callable[..., Path]:
    """Write samples [shape=(n,) or (n, channels)] in the format that the suffix says, m4a included."""

    def write(path: Path, samples: np.ndarray, rate: int = 22050, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".m4a":
            _write_m4a(path, samples, rate)
        else:
            soundfile.write(path, samples, rate, **options)
        return path

    return write


def _write_m4a(path: Path, samples: np.ndarray, rate: int) -> None:
    channels = np.atleast_2d(samples.T).astype(np.float32)
    layout = {1: "mono", 2: "stereo"}[len(channels)]
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = 192_000
        for start in range(0, channels.shape[1], 1024):
            block = np.ascontiguousarray(channels[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def write_song(compose: Callable[..., np.ndarray], write_audio: Callable[..., Path]) -> Callable[..., Path]:
    """Write a short song; what it sounds like depends on the seed alone."""

    def write(path: Path, seed: int = 0, seconds: float = 4.0, rate: int = 22050, **options: Any) -> Path:
        return write_audio(path, compose(seed, seconds, rate), rate, **options)

    return write
