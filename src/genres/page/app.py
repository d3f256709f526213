"""Open a web page to try the trained networks.

    genres app [--model ARCHITECTURE] [--host 127.0.0.1] [--port 7860] [--open] [--review]

The page is reachable from this machine only, unless --host says otherwise. It loads nothing from other hosts and sends
no telemetry. Uploads are stored in folders with unguessable names, and deleted after an hour and when the page stops.
--review adds a tab that plays the data set's songs and corrects their labels; it is for this machine alone, since the
page asks for no password.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from genres.core.console import UserError, command, warn
from genres.core.paths import MODELS

# Addresses of a page that serves this machine only.
LOCAL = ("127.0.0.1", "localhost")

# Age at which uploaded songs are deleted; until then the page can play them.
DELETE_AFTER_S = 3600


@command
def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="genres app", description=__doc__.splitlines()[0])
    parser.add_argument("--model", metavar="ARCHITECTURE", help="chosen at first (default: that of `genres predict`)")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, for this machine only")
    parser.add_argument("--port", type=int, default=7860, help="default: %(default)s")
    parser.add_argument("--open", action="store_true", help="open a browser, too")
    parser.add_argument("--review", action="store_true", help="add the tab that reviews the data set's labels")
    given = parser.parse_args(arguments)
    if given.review and given.host not in LOCAL:
        raise UserError(
            f"--host {given.host}: not with --review, since whoever opens the page could change labels; leave one out"
        )
    from genres.inference.classifier import choose_model  # imported here, since pandas slows down --help
    from genres.models.card import read_card

    architecture = None
    if given.model:
        file = choose_model(given.model)
        if file.parent != MODELS:
            raise UserError(f"--model: the page uses the models in models/ only; received {given.model}")
        architecture = read_card(file)["architecture"]
    if not 0 < given.port < 65536:
        raise UserError(f"--port: must be from 1 to 65535; received {given.port}")
    if given.host not in ("127.0.0.1", "localhost", "::1"):
        warn(f"--host {given.host}: anyone who reaches this machine can use the page, which asks for no password")
    print("Starting the page; the first start takes some seconds", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that uploads are deleted, too
    folder = tempfile.mkdtemp(prefix="genres-")  # readable by its owner only
    try:
        serve(architecture, given.host, given.port, Path(folder), browser=given.open, review=given.review)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(
    architecture: str | None, host: str, port: int, folder: Path, *, browser: bool = False, review: bool = False
) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    architecture : str or None
        Architecture that is selected first; None for the best.
    host, port
        Address to listen on.
    folder : Path
        Folder for uploads.
    browser : bool
        True to open a browser.
    review : bool
        True for the tab that reviews labels.
    """
    # Must be set before Gradio is imported.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from genres.page import examples
    from genres.page.layout import build
    from genres.page.listening import MOST_MEGABYTES, Networks
    from genres.page.look import launch_options
    from genres.page.reviewing import Desk

    played = folder / "review"
    page = build(Networks(), architecture, DELETE_AFTER_S, Desk(played) if review else None)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MOST_MEGABYTES * 2**20,
            allowed_paths=[str(file) for file in examples.files()] + [str(played)] * review,
            **launch_options(LOCAL if host in LOCAL else (), is_written_to=review),
        )
    except OSError:
        raise UserError(
            f"--host {host} --port {port}: in use, not allowed, or not an address of this machine; stop the program "
            "that uses the port, or choose another"
        ) from None
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    print(f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/ (stop it with Ctrl+C)", flush=True)
    page.block_thread()
