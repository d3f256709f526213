"""Disks that are full or read-only, for real: a small file system of memory in a mount namespace of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout, clean_environment


class Disk:
    """A file system of memory that only the commands run in it see under its name."""

    def __init__(self, folder: Path, holder: int) -> None:
        self.folder, self._holder = folder, holder
        self.outside = Path(f"/proc/{holder}/root{folder}")  # the same files, seen from this process

    def run(self, *command: str, folder: str = "project") -> tuple[int, str]:
        """Run a command in a folder of the disk; its exit status and what it printed."""
        enter = ["nsenter", f"--target={self._holder}", "--user", "--mount", "--preserve-credentials"]
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.folder / folder)]
        done = subprocess.run(
            [*enter, *there, *command],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    def fill(self, leave: int) -> Path:
        """Write a file that leaves so many bytes; deleting it makes room again."""
        ballast = self.outside / "ballast"
        status = os.statvfs(self.outside)
        with ballast.open("wb") as file:
            for _ in range(max(0, status.f_bavail * status.f_frsize - leave) // 4096):
                file.write(bytes(4096))
        return ballast


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of that size; skips the test where this user may not mount one."""
    folder.mkdir()
    script = f"mount -t tmpfs -o size={megabytes}m tmpfs '{folder}' && echo ready && exec sleep 900"
    try:
        holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", script], stdout=subprocess.PIPE)
    except FileNotFoundError:
        pytest.skip("needs unshare and nsenter of util-linux")
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            pytest.skip("this user may not mount a file system in a namespace of its own")
        yield Disk(folder, holder.pid)
    finally:
        holder.kill()
        holder.communicate()


def kill_group(process: subprocess.Popen) -> None:
    """Kill a command with all that it has started, as the machine's end would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(process: subprocess.Popen, what: str, condition, seconds: float = 400) -> None:
    """Wait until something is so, while a command runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended before {what}"
        assert time.monotonic() < deadline, f"no {what} in {seconds} s"
        time.sleep(0.005)


def results(checkout: Checkout) -> dict[str, bytes]:
    """All that the stages have left which is equal between two runs."""
    names = ["data/raw/folder/tracks.csv", "metrics/ingest.json", "data/tracks.csv", "data/clips.csv"]
    names += ["data/mels/default/index.csv", "data/mels/default/format.json", "plots/baseline/history.csv"]
    names += ["predictions/baseline.csv", "metrics/baseline.json", "metrics/confounding.json", "metrics/summary.json"]
    names += ["metrics/remix.json", "plots/remix/pairs.csv", "plots/remix/windows.csv"]
    names += ["metrics/interventions.json"]
    names += [
        str(path.relative_to(checkout.folder)) for path in sorted(checkout.folder.glob("data/mels/default/*.npy"))
    ]
    found = {name: (checkout.folder / name).read_bytes() for name in names if (checkout.folder / name).exists()}
    if "data/raw/folder/tracks.csv" in found:  # the songs of another checkout lie elsewhere
        table = pd.read_csv(checkout.folder / "data/raw/folder/tracks.csv", dtype=str)
        found["data/raw/folder/tracks.csv"] = table.drop(columns="path").to_csv().encode()
    return found
