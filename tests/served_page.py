"""The page of `genres app` as a process of its own, for tests that open it in a real browser."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from checkout import ROOT, clean_environment

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")


class Site(NamedTuple):
    """A page that is up."""

    url: str
    folder: Path  # the project's
    process: subprocess.Popen


def serve(folder: Path, *arguments: str, delete_after_s: int = 3600) -> Site:
    """Start the command in a project, as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"import genres.page.app; genres.page.app.DELETE_AFTER_S = {delete_after_s}; genres.page.app.main()"
    environment = clean_environment() | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder)}
    command = [sys.executable, "-c", code, "--port", str(port), *arguments]
    output = (folder / "server.log").open("w")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/"
    for _ in range(1200):
        if process.poll() is not None:
            break
        try:
            requests.get(f"{url}config", timeout=5)
            return Site(url, folder, process)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError((folder / "server.log").read_text())


def stop(site: Site) -> None:
    site.process.terminate()
    site.process.wait(20)
    assert not list(site.folder.glob("genres-*")), "what was sent is still there"
    assert "Traceback" not in (site.folder / "server.log").read_text()
